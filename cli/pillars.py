"""``colonnade pillars``."""

from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.catalog.v1.pillar_template_pb2 import PillarTemplate

from cli.connection import Suite
from cli.names import below, persona_name
from cli.output import JsonOption, last_part, line, out, print_json, table, word
from cli.run import with_suite

_NO_RATE = "-"

app = typer.Typer(help="The themes of a persona.", no_args_is_help=True)


@app.command()
def create(
    persona: str,
    display_name: Annotated[str, typer.Argument(help="What people call it.")],
    weight: Annotated[int, typer.Option(help="Its share of the posts in per cent.")],
    pillar_id: Annotated[str, typer.Option("--id", help="Its id; made from the name.")] = "",
    priority: Annotated[int, typer.Option(help="1 to 5, 5 highest.")] = 3,
    posts_per_week: Annotated[
        int | None, typer.Option(help="Posts a week of its own, whatever its weight.")
    ] = None,
    description: Annotated[str, typer.Option(help="What belongs in it.")] = "",
    json: JsonOption = False,
) -> None:
    """Creates a pillar."""
    pillar = Pillar(
        display_name=display_name,
        weight=weight,
        priority=priority,
        posts_per_week=posts_per_week,
        description=description,
    )
    request = catalog.CreatePillarRequest(
        parent=persona_name(persona), pillar_id=pillar_id, pillar=pillar
    )
    made = with_suite(lambda suite: suite.catalog.CreatePillar(request))
    print_json(made) if json else line(f"created [bold]{made.name}[/bold], weight {made.weight}")


@app.command("list")
def list_pillars(persona: str, json: JsonOption = False) -> None:
    """Lists the pillars of a persona."""
    pillars = with_suite(lambda suite: all_pillars(suite, persona_name(persona)))
    if json:
        return print_json(pillars)
    table(
        f"Pillars of {persona_name(persona)}",
        ("pillar", "name", "#weight", "#a week", "#priority", "#photos", "state"),
        [
            (
                last_part(p.name),
                p.display_name,
                p.weight,
                p.posts_per_week if p.HasField("posts_per_week") else "-",
                p.priority,
                p.photo_count,
                word(Pillar.State, p.state),
            )
            for p in pillars
        ],
    )
    return None


async def all_pillars(suite: Suite, parent: str) -> list[Pillar]:
    """Every pillar of a persona, page by page."""
    found: list[Pillar] = []
    token = ""
    while True:
        page = await suite.catalog.ListPillars(
            catalog.ListPillarsRequest(parent=parent, page_size=200, page_token=token)
        )
        found.extend(page.pillars)
        token = page.next_page_token
        if not token:
            return found


@app.command()
def update(
    persona: str,
    pillar: str,
    weight: Annotated[int | None, typer.Option(help="Its share of the posts.")] = None,
    priority: Annotated[int | None, typer.Option(help="1 to 5, 5 highest.")] = None,
    posts_per_week: Annotated[
        str | None, typer.Option(help="Posts a week of its own; - has its weight decide again.")
    ] = None,
    display_name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    description: Annotated[str | None, typer.Option(help="What belongs in it.")] = None,
    json: JsonOption = False,
) -> None:
    """Changes a pillar; what is not named stays as it is."""
    given = {
        "weight": weight,
        "priority": priority,
        "posts_per_week": _rate(posts_per_week),
        "display_name": display_name,
        "description": description,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes and posts_per_week is None:
        raise typer.BadParameter("give at least one thing to change")
    name = below(persona_name(persona), "pillars", pillar)
    request = catalog.UpdatePillarRequest(pillar=Pillar(name=name, **changes))  # type: ignore[arg-type]
    request.update_mask.paths.extend(changes)
    if posts_per_week == _NO_RATE:
        request.update_mask.paths.append("posts_per_week")
    changed = with_suite(lambda suite: suite.catalog.UpdatePillar(request))
    print_json(changed) if json else line(f"changed [bold]{changed.name}[/bold]")


def _rate(text: str | None) -> int | None:
    if text is None or text == _NO_RATE:
        return None
    if not text.isdecimal():
        raise typer.BadParameter(f"--posts-per-week is a number, or -, not {text!r}")
    return int(text)


@app.command()
def delete(persona: str, pillar: str) -> None:
    """Deletes a pillar that has no photos."""
    name = below(persona_name(persona), "pillars", pillar)
    with_suite(lambda suite: suite.catalog.DeletePillar(catalog.DeletePillarRequest(name=name)))
    line(f"deleted [bold]{name}[/bold]")


@app.command()
def templates(
    template: Annotated[str, typer.Argument(help="Show the pillars of this one.")] = "",
    json: JsonOption = False,
) -> None:
    """Lists the templates of pillars, or shows one."""
    if template:
        return _show_template(template, json)
    request = planning.ListPillarTemplatesRequest(page_size=200)
    found = with_suite(lambda suite: suite.planning.ListPillarTemplates(request)).pillar_templates
    if json:
        return print_json(found)
    table(
        "Templates of pillars",
        ("template", "for whom", "#pillars"),
        [(last_part(t.name), t.description, len(t.pillars)) for t in found],
    )
    return None


def _show_template(template: str, json: bool) -> None:
    request = planning.GetPillarTemplateRequest(name=_template_name(template))
    found: PillarTemplate = with_suite(lambda suite: suite.planning.GetPillarTemplate(request))
    if json:
        return print_json(found)
    table(
        found.display_name,
        ("pillar", "#weight", "what belongs in it"),
        [(p.display_name, p.weight, p.description) for p in found.pillars],
    )
    return None


@app.command("apply-template")
def apply_template(
    persona: str,
    template: Annotated[str, typer.Argument(help="As listed by pillars templates.")],
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave pillars of the same name as they are.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Creates the pillars of a template, all of them or none."""
    modes = planning.ApplyPillarTemplateRequest
    request = planning.ApplyPillarTemplateRequest(
        parent=persona_name(persona),
        pillar_template=_template_name(template),
        mode=modes.MODE_SKIP_EXISTING if skip_existing else modes.MODE_CREATE,
    )
    done = with_suite(lambda suite: suite.planning.ApplyPillarTemplate(request))
    if json:
        return print_json(done)
    for pillar in done.pillars:
        line(f"created [bold]{pillar.name}[/bold], weight {pillar.weight}")
    for pillar in done.skipped:
        out.print(f"left as it is: {pillar.name} ({pillar.display_name})", markup=False)
    return None


def _template_name(text: str) -> str:
    return text if text.startswith("pillarTemplates/") else f"pillarTemplates/{text}"
