"""``colonnade photos``."""

from pathlib import Path
from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoEmbedding
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.connection import Suite
from cli.importer import Destination, Line, Report, Result, import_files
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, err, last_part, line, out, print_json, table, when, word
from cli.run import FAILED, with_suite
from cli.walk import walk

app = typer.Typer(help="The photos of a persona.", no_args_is_help=True)

_SHOWN_PROBLEMS = 50


@app.command("import")
def import_photos(
    folder: Annotated[Path, typer.Argument(help="The folder.")],
    persona: Annotated[str, typer.Option(help="The persona.")],
    pillar: Annotated[str, typer.Option(help="The pillar to file them under.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Tags to give them.")] = None,
    recursive: Annotated[bool, typer.Option(help="Folders below it too.")] = True,
    dry_run: Annotated[bool, typer.Option(help="Check everything, store nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Imports a folder. Run it again at any time: what is there already is not stored twice."""
    if not folder.is_dir():
        err.print(f"[red]folder[/red]: {escape(str(folder))} is not a folder")
        raise typer.Exit(2)
    parent = persona_name(persona)
    to = Destination(
        parent, below(parent, "pillars", pillar) if pillar else "", tuple(split_list(tag or [])),
        dry_run,
    )  # fmt: skip

    async def work(suite: Suite) -> Report:
        await suite.catalog.GetPersona(catalog.GetPersonaRequest(name=parent))
        files = list(walk(folder, recursive=recursive))
        with import_progress(len(files), quiet=json) as advance:
            return await import_files(suite, files, to, progress=advance)

    report = with_suite(work)
    print_json(report.as_dict()) if json else show_report(report, dry_run=dry_run)
    if report.count(Result.FAILED):
        raise typer.Exit(FAILED)


class import_progress:
    """A progress bar over the files of an import; calling what it yields advances it."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=quiet,
        )
        self._task = self._progress.add_task("importing", total=total)

    def __enter__(self) -> "import_progress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, _line: Line) -> None:
        self._progress.advance(self._task)


def show_report(report: Report, *, dry_run: bool = False) -> None:
    """The counts, and a line for each file that was not imported."""
    problems = [x for x in report.lines if x.result in (Result.FAILED, Result.SKIPPED)]
    for problem in sorted(problems, key=lambda x: (x.result, x.path))[:_SHOWN_PROBLEMS]:
        out.print(f"  {problem.result}: {problem.path}: {problem.message}", markup=False)
    if len(problems) > _SHOWN_PROBLEMS:
        line(f"  … and {len(problems) - _SHOWN_PROBLEMS} more; --json lists them all")
    counts = ", ".join(f"{report.count(result)} {result}" for result in Result)
    line(f"[bold]{len(report.lines)} files[/bold]: {counts}" + (" (dry run)" if dry_run else ""))


@app.command("list")
def list_photos(
    persona: str,
    filter: Annotated[str, typer.Option(help='Such as usage = "UNUSED".')] = "",
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists photos, newest first."""
    photos = with_suite(lambda suite: some_photos(suite, persona_name(persona), filter, limit))
    if json:
        return print_json(photos)
    table(
        f"Photos of {persona_name(persona)}",
        ("photo", "file", "pillar", "size", "embedding", "usage", "imported"),
        [
            (
                last_part(p.name),
                p.file_name,
                last_part(p.pillar),
                f"{p.width}x{p.height}",
                word(PhotoEmbedding.State, p.embedding.state),
                word(Photo.Usage, p.usage),
                when(p.create_time),
            )
            for p in photos
        ],
    )
    return None


async def some_photos(suite: Suite, parent: str, filter: str, limit: int) -> list[Photo]:
    """Up to ``limit`` photos of a persona, page by page."""
    found: list[Photo] = []
    token = ""
    while len(found) < limit:
        request = catalog.ListPhotosRequest(
            parent=parent, page_size=min(200, limit - len(found)), page_token=token, filter=filter
        )
        page = await suite.catalog.ListPhotos(request)
        found.extend(page.photos)
        token = page.next_page_token
        if not token:
            break
    return found


@app.command()
def show(photo: str, json: JsonOption = False) -> None:
    """Shows a photo, by its name personas/…/photos/…"""
    found = with_suite(lambda suite: suite.catalog.GetPhoto(catalog.GetPhotoRequest(name=photo)))
    if json:
        return print_json(found)
    line(f"[bold]{found.name}[/bold]")
    rows = (
        ("file", found.source_path or found.file_name),
        ("pillar", found.pillar),
        ("picture", f"{found.width}x{found.height}, {found.mime_type}, {found.size_bytes} bytes"),
        ("sha256", found.sha256),
        ("taken", when(found.taken_time)),
        ("imported", when(found.create_time)),
        ("tags", ", ".join(found.tags) or "-"),
        ("usage", word(Photo.Usage, found.usage)),
        ("embedding", _embedding(found.embedding)),
        ("thumbnail", found.thumbnail_uri),
    )
    for label, value in rows:
        out.print(f"  {label:<10} {value}", markup=False)
    return None


def _embedding(embedding: PhotoEmbedding) -> str:
    state = word(PhotoEmbedding.State, embedding.state)
    if embedding.state == PhotoEmbedding.STATE_READY:
        return f"{state} ({embedding.model}, {embedding.revision})"
    return f"{state}: {embedding.error.message}" if embedding.error.message else state


@app.command()
def similar(
    photo: str,
    limit: Annotated[int, typer.Option(help="How many to find, 1 to 100.")] = 10,
    json: JsonOption = False,
) -> None:
    """Finds the photos that are most similar to one."""
    parent = "/".join(photo.split("/")[:2])
    request = clustering.SearchSimilarRequest(parent=parent, item=photo, limit=limit)
    answer = with_suite(lambda suite: suite.clustering.SearchSimilar(request))
    if json:
        return print_json(answer)
    rows = [(f"{item.score:.3f}", item.item) for item in answer.items]
    table(f"Similar to {last_part(photo)}", ("#cosine", "photo"), rows)
    return None


@app.command()
def move(photo: str, pillar: str) -> None:
    """Files a photo under another pillar of its persona."""
    parent = "/".join(photo.split("/")[:2])
    request = catalog.MovePhotoRequest(name=photo, pillar=below(parent, "pillars", pillar))
    moved = with_suite(lambda suite: suite.catalog.MovePhoto(request)).photo
    line(f"{moved.name} is now in [bold]{moved.pillar}[/bold]")


@app.command()
def delete(photo: str) -> None:
    """Deletes a photo that no post uses."""
    with_suite(lambda suite: suite.catalog.DeletePhoto(catalog.DeletePhotoRequest(name=photo)))
    line(f"deleted [bold]{photo}[/bold]")
