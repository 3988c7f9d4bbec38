"""``colonnade personas``."""

from pathlib import Path
from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.persona_pb2 import LibraryStats, Persona
from rich.markup import escape

from cli.connection import Suite
from cli.documents import read_json
from cli.exports import requests_of
from cli.names import persona_name
from cli.output import JsonOption, as_dict, last_part, line, out, print_json, table, when, word
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


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="What an older release exported: a persona or a list of them.")
    ],
    json: JsonOption = False,
) -> None:
    """Creates personas from an older export, with their caption and hashtag settings."""

    async def work(suite: Suite) -> list[Persona]:
        made = []
        for request in requests_of(read_json(file), "persona"):
            made.append(await suite.catalog.CreatePersona(request))
            if not json:
                line(f"created [bold]{made[-1].name}[/bold] ({made[-1].time_zone})")
        return made

    made = with_suite(work)
    if json:
        print_json(made)


@app.command("list")
def list_personas(
    stats: Annotated[bool, typer.Option("--stats", help="Count their photos too.")] = False,
    json: JsonOption = False,
) -> None:
    """Lists the personas."""
    if stats:
        return _with_stats(json)
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


def _with_stats(json: bool) -> None:
    found = with_suite(_counted)
    if json:
        return print_json(
            [{**as_dict(persona), "libraryStats": as_dict(counts)} for persona, counts in found]
        )
    table(
        "Personas",
        ("persona", "#photos", "#unused", "#scheduled", "#posted", "#not embedded"),
        [
            (
                last_part(persona.name),
                counts.photos,
                counts.unused,
                counts.scheduled,
                counts.posted,
                counts.embedding_pending + counts.embedding_failed,
            )
            for persona, counts in found
        ],
    )
    return None


async def _counted(suite: Suite) -> list[tuple[Persona, LibraryStats]]:
    found: list[tuple[Persona, LibraryStats]] = []
    request = catalog.ListPersonasRequest(page_size=200, include_stats=True)
    while True:
        page = await suite.catalog.ListPersonas(request)
        found.extend(zip(page.personas, page.stats, strict=True))
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


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
