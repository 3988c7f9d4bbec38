"""``colonnade campaigns``."""

from pathlib import Path
from typing import Annotated

import typer
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.campaign_pb2 import Campaign
from rich.markup import escape

from cli.connection import Suite
from cli.documents import read_message
from cli.names import below, persona_name
from cli.output import JsonOption, last_part, line, out, print_json, table, when
from cli.run import with_suite

app = typer.Typer(help="Plans of posts that come in as a whole.", no_args_is_help=True)


@app.command("import")
def import_(
    persona: str,
    file: Annotated[
        Path, typer.Argument(help="A campaign as JSON; docs/planning.md shows one.", exists=True)
    ],
    create_pillars: Annotated[
        bool, typer.Option("--create-pillars", help="Create pillars that are missing, weight 0.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and keep nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Imports a campaign, all of it or nothing: its posts wait for their pictures."""

    async def work(suite: Suite) -> Campaign:
        request = planning.ImportCampaignRequest(
            parent=persona_name(persona),
            campaign=read_message(file, Campaign(), "campaign"),
            create_missing_pillars=create_pillars,
            validate_only=dry_run,
        )
        return (await suite.planning.ImportCampaign(request)).campaign

    done = with_suite(work)
    if json:
        return print_json(done)
    name = escape(done.display_name)
    if dry_run:
        line(f"[bold]{name}[/bold] is in order: {_posts(done)}; nothing was kept")
    else:
        line(f"imported [bold]{name}[/bold] as {done.name}: {_posts(done)}")
    return None


@app.command("list")
def list_campaigns(persona: str, json: JsonOption = False) -> None:
    """Lists the campaigns of a persona, newest first."""
    campaigns = with_suite(lambda suite: all_campaigns(suite, persona_name(persona)))
    if json:
        return print_json(campaigns)
    table(
        f"Campaigns of {persona_name(persona)}",
        ("campaign", "name", "#posts", "imported"),
        [(last_part(c.name), c.display_name, c.post_count, when(c.create_time)) for c in campaigns],
    )
    return None


async def all_campaigns(suite: Suite, parent: str) -> list[Campaign]:
    """Every campaign of a persona, page by page."""
    found: list[Campaign] = []
    token = ""
    while True:
        page = await suite.planning.ListCampaigns(
            planning.ListCampaignsRequest(parent=parent, page_size=200, page_token=token)
        )
        found.extend(page.campaigns)
        token = page.next_page_token
        if not token:
            return found


@app.command()
def show(
    persona: str,
    campaign: Annotated[str, typer.Argument(help="Its id, as listed.")],
    json: JsonOption = False,
) -> None:
    """Shows a campaign with its posts."""
    request = planning.GetCampaignRequest(name=below(persona_name(persona), "campaigns", campaign))
    found = with_suite(lambda suite: suite.planning.GetCampaign(request))
    print_json(found) if json else show_campaign(found)


def show_campaign(campaign: Campaign) -> None:
    """A campaign and what its posts are about."""
    table(
        f"{campaign.display_name} ({_posts(campaign)})",
        ("#post", "due", "pillar", "title", "caption"),
        [
            (
                index,
                when(post.scheduled_time),
                last_part(post.pillar),
                post.title or post.description[:40],
                post.caption[:40],
            )
            for index, post in enumerate(campaign.posts, start=1)
        ],
    )
    if campaign.description:
        out.print(campaign.description, markup=False)


def _posts(campaign: Campaign) -> str:
    return "1 post" if campaign.post_count == 1 else f"{campaign.post_count} posts"
