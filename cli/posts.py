"""``colonnade posts``."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Post, Publication

from cli.connection import Suite
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, last_part, line, out, print_json, table, timestamp, when, word
from cli.run import FAILED, with_suite
from libs.errors import InvalidArgument

app = typer.Typer(help="Posts and their publication.", no_args_is_help=True)

_LATER = re.compile(r"\+([0-9]{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command()
def schedule(
    photo: Annotated[str, typer.Argument(help="personas/…/photos/…")],
    at: Annotated[
        str, typer.Option(help="now, +90m, +2h, +3d, or a time such as 2026-12-01T15:00+01:00.")
    ],
    caption: Annotated[str, typer.Option(help="The text.")] = "",
    hashtag: Annotated[list[str] | None, typer.Option(help="Hashtags.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Channels; all by default.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is out.")] = False,
    json: JsonOption = False,
) -> None:
    """Schedules a photo, once."""
    parent = "/".join(photo.split("/")[:2])

    async def work(suite: Suite) -> Post:
        post = Post(
            photo=photo,
            caption=caption,
            hashtags=split_list(hashtag or []),
            channels=[below(parent, "channels", c) for c in split_list(channel or [])],
            scheduled_time=timestamp(moment(at, datetime.now(UTC))),
        )
        made = await suite.scheduler.CreatePost(
            scheduler.CreatePostRequest(parent=parent, post=post)
        )
        return await watch_post(suite, made) if wait else made

    made = with_suite(work)
    print_json(made) if json else show_post(made)
    if made.state == Post.STATE_FAILED:
        raise typer.Exit(FAILED)


def moment(text: str, now: datetime) -> datetime:
    """The time that ``now``, ``+2h`` or an ISO time with a zone means. Raises InvalidArgument."""
    if text == "now":
        return now
    if found := _LATER.fullmatch(text):
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument.of(
            "at", f"is now, +90m, +2h, +3d or a time such as 2026-12-01T15:00+01:00, not {text!r}"
        ) from None
    return parsed if parsed.tzinfo else parsed.astimezone()


async def watch_post(suite: Suite, post: Post) -> Post:
    """The post once it is posted, failed or cancelled."""
    request = scheduler.WatchPostRequest(name=post.name)
    async for event in suite.scheduler.WatchPost(request):
        post = event.post
    return post


def show_post(post: Post) -> None:
    """A post and its publications."""
    state = word(Post.State, post.state)
    line(f"[bold]{post.name}[/bold]: {state}, due {when(post.scheduled_time)}")
    for publication in post.publications:
        where = last_part(publication.channel)
        status = word(Publication.State, publication.state)
        detail = publication.permalink or publication.error.message or publication.state_reason
        out.print(f"  {where}: {status} {detail}", markup=False)


@app.command("list")
def list_posts(
    persona: Annotated[str, typer.Argument(help="A persona, or - for all.")],
    filter: Annotated[str, typer.Option(help='Such as state = "FAILED".')] = "",
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists posts, latest first."""
    posts = with_suite(lambda suite: some_posts(suite, persona_name(persona), filter, limit))
    print_json(posts) if json else show_posts(posts)


def show_posts(posts: list[Post]) -> None:
    """The posts as a table."""
    table(
        "Posts",
        ("post", "due", "state", "pillar", "caption", "where"),
        [
            (
                last_part(p.name),
                when(p.scheduled_time),
                word(Post.State, p.state),
                last_part(p.pillar),
                p.caption[:40],
                ", ".join(
                    f"{last_part(x.channel)}: {word(Publication.State, x.state)}"
                    for x in p.publications
                ),
            )
            for p in posts
        ],
    )


async def some_posts(suite: Suite, parent: str, filter: str, limit: int) -> list[Post]:
    """Up to ``limit`` posts, page by page."""
    found: list[Post] = []
    token = ""
    while len(found) < limit:
        request = scheduler.ListPostsRequest(
            parent=parent, page_size=min(200, limit - len(found)), page_token=token, filter=filter
        )
        page = await suite.scheduler.ListPosts(request)
        found.extend(page.posts)
        token = page.next_page_token
        if not token:
            break
    return found


@app.command()
def show(post: str, json: JsonOption = False) -> None:
    """Shows a post, by its name personas/…/posts/…"""
    found = with_suite(lambda suite: suite.scheduler.GetPost(scheduler.GetPostRequest(name=post)))
    if json:
        return print_json(found)
    show_post(found)
    out.print(found.final_text, markup=False)
    return None


@app.command()
def cancel(post: str) -> None:
    """Calls off a post that is not at a provider yet."""
    request = scheduler.CancelPostRequest(name=post)
    show_post(with_suite(lambda suite: suite.scheduler.CancelPost(request)).post)


@app.command()
def retry(post: str) -> None:
    """Tries the failed publications of a post again."""
    request = scheduler.RetryPostRequest(name=post)
    show_post(with_suite(lambda suite: suite.scheduler.RetryPost(request)).post)


@app.command()
def watch(post: str, json: JsonOption = False) -> None:
    """Waits until a post is out; exit code 1 if it failed."""

    async def work(suite: Suite) -> Post:
        found = await suite.scheduler.GetPost(scheduler.GetPostRequest(name=post))
        return await watch_post(suite, found)

    found = with_suite(work)
    print_json(found) if json else show_post(found)
    if found.state == Post.STATE_FAILED:
        raise typer.Exit(FAILED)
