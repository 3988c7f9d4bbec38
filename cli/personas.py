"""``colonnade personas``."""

from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.persona_pb2 import LibraryStats, Persona
from rich.markup import escape

from cli.connection import Suite
from cli.names import persona_name
from cli.output import JsonOption, last_part, line, out, print_json, table, when, word
from cli.run import with_suite

app = typer.Typer(help="Identities that publish.", no_args_is_help=True)


@app.command()
def create(
    display_name: Annotated[str, typer.Argument(help="What people call it.")],
    persona_id: Annotated[str, typer.Option("--id", help="Its id; made from the name.")] = "",
    time_zone: Annotated[str, typer.Option(help="Its IANA time zone.")] = "UTC",
    voice: Annotated[str, typer.Option(help="How it speaks.")] = "",
    json: JsonOption = False,
) -> None:
    """Creates a persona."""
    persona = Persona(display_name=display_name, time_zone=time_zone, voice=voice)
    request = catalog.CreatePersonaRequest(persona_id=persona_id, persona=persona)
    made = with_suite(lambda suite: suite.catalog.CreatePersona(request))
    print_json(made) if json else line(f"created [bold]{made.name}[/bold] ({made.time_zone})")


@app.command("list")
def list_personas(json: JsonOption = False) -> None:
    """Lists the personas."""
    personas = with_suite(all_personas)
    if json:
        return print_json(personas)
    table(
        "Personas",
        ("persona", "name", "time zone", "state", "since"),
        [
            (
                last_part(p.name),
                p.display_name,
                p.time_zone,
                word(Persona.State, p.state),
                when(p.create_time),
            )
            for p in personas
        ],
    )
    return None


async def all_personas(suite: Suite) -> list[Persona]:
    """Every persona, page by page."""
    found: list[Persona] = []
    token = ""
    while True:
        page = await suite.catalog.ListPersonas(
            catalog.ListPersonasRequest(page_size=200, page_token=token)
        )
        found.extend(page.personas)
        token = page.next_page_token
        if not token:
            return found


@app.command()
def show(persona: str, json: JsonOption = False) -> None:
    """Shows a persona and counts its photos."""
    name = persona_name(persona)

    async def read(suite: Suite) -> tuple[Persona, LibraryStats]:
        found = await suite.catalog.GetPersona(catalog.GetPersonaRequest(name=name))
        request = catalog.GetLibraryStatsRequest(name=f"{name}/libraryStats")
        return found, await suite.catalog.GetLibraryStats(request)

    found, stats = with_suite(read)
    if json:
        return print_json([found, stats])
    line(f"[bold]{escape(found.display_name)}[/bold] ({found.name}), {found.time_zone}")
    if found.voice:
        out.print(f"voice: {found.voice}", markup=False)
    line(
        f"{stats.photos} photos: {stats.unused} unused, {stats.scheduled} scheduled, "
        f"{stats.posted} posted; embeddings: {stats.embedding_ready} ready, "
        f"{stats.embedding_pending} pending, {stats.embedding_failed} failed"
    )
    return None


@app.command()
def archive(persona: str) -> None:
    """Puts a persona away; everything of it stays readable."""
    request = catalog.ArchivePersonaRequest(name=persona_name(persona))
    done = with_suite(lambda suite: suite.catalog.ArchivePersona(request))
    line(f"archived [bold]{done.persona.name}[/bold]")


@app.command()
def delete(persona: str) -> None:
    """Deletes a persona that has neither pillars nor photos."""
    request = catalog.DeletePersonaRequest(name=persona_name(persona))
    with_suite(lambda suite: suite.catalog.DeletePersona(request))
    line(f"deleted [bold]{request.name}[/bold]")
