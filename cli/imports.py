"""``colonnade imports``."""

import csv
import json as json_lines
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1.photo_import_pb2 import PhotoImport, PhotoImportItem
from google.rpc.error_details_pb2 import ErrorInfo

from cli.account import import_items
from cli.connection import Suite
from cli.importer import Result
from cli.names import persona_name
from cli.output import JsonOption, as_dict, last_part, line, out, print_json, when, word
from cli.run import with_suite

app = typer.Typer(help="The accounts of imports, file by file.", no_args_is_help=True)

_COLUMNS = ("source_path", "outcome", "photo", "reason", "message", "update_time")


@app.command("list")
def list_imports(
    persona: str,
    filter: Annotated[str, typer.Option(help='Such as state = "OPEN".')] = "",
    limit: Annotated[int, typer.Option(help="How many at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """Lists imports, newest first."""
    found = with_suite(lambda suite: some_imports(suite, persona_name(persona), filter, limit))
    if json:
        return print_json(found)
    for one in found:
        _show(one)
    if not found:
        line("no imports")
    return None


@app.command()
def show(photo_import: str, json: JsonOption = False) -> None:
    """Shows an import, by its name personas/…/photoImports/…"""
    request = imports.GetPhotoImportRequest(name=photo_import)
    found = with_suite(lambda suite: suite.imports.GetPhotoImport(request))
    print_json(found) if json else _show(found)


@app.command()
def complete(photo_import: str) -> None:
    """Ends an import that nobody will go on with; the same source can start a new one."""
    request = imports.CompletePhotoImportRequest(name=photo_import)
    _show(with_suite(lambda suite: suite.imports.CompletePhotoImport(request)).photo_import)


@app.command()
def report(
    photo_import: str,
    outcome: Annotated[Result | None, typer.Option(help="Only files that ended so.")] = None,
    limit: Annotated[int | None, typer.Option(help="How many at most; all by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="A JSON document a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table for other programs.")] = False,
) -> None:
    """Lists what became of every file, by path; however many there are, page by page."""
    filter = f'outcome = "{outcome.upper()}"' if outcome else ""
    show_item = csv_writer() if as_csv else write_json if json else write_line

    async def work(suite: Suite) -> None:
        async for item in import_items(suite, photo_import, filter, limit):
            show_item(item)

    with_suite(work)


async def some_imports(suite: Suite, parent: str, filter: str, limit: int) -> list[PhotoImport]:
    """Up to ``limit`` imports of a persona, page by page."""
    found: list[PhotoImport] = []
    token = ""
    while len(found) < limit:
        request = imports.ListPhotoImportsRequest(
            parent=parent, page_size=min(200, limit - len(found)), page_token=token, filter=filter
        )
        page = await suite.imports.ListPhotoImports(request)
        found.extend(page.photo_imports)
        token = page.next_page_token
        if not token:
            break
    return found


def _show(found: PhotoImport) -> None:
    where = f"into {last_part(found.pillar)}" if found.pillar else "filed by what they show"
    state = word(PhotoImport.State, found.state) + (", dry run" if found.dry_run else "")
    counts = {result: getattr(found.counts, result) for result in Result}
    listed = ", ".join(f"{count} {result}" for result, count in counts.items())
    for text in (
        found.name,
        f"  {found.source}, {where}",
        f"  {state}; {sum(counts.values())} files: {listed}",
        f"  from {when(found.create_time)} to {when(found.update_time)}",
    ):
        out.print(text, markup=False)


def write_line(item: PhotoImportItem) -> None:
    """What became of a file, for people."""
    what = word(PhotoImportItem.Outcome, item.outcome)
    out.print(": ".join(filter(None, (what, item.source_path, item.error.message))), markup=False)


def write_json(item: PhotoImportItem) -> None:
    """The same as a JSON document on a line of its own."""
    sys.stdout.write(json_lines.dumps(as_dict(item), ensure_ascii=False) + "\n")


def csv_writer() -> Callable[[PhotoImportItem], None]:
    """Writes the head of a table and answers what writes its rows."""
    writer = csv.writer(sys.stdout)
    writer.writerow(_COLUMNS)

    def write(item: PhotoImportItem) -> None:
        outcome = word(PhotoImportItem.Outcome, item.outcome)
        time = item.update_time.ToJsonString()
        writer.writerow(
            (item.source_path, outcome, item.photo, _reason(item), item.error.message, time)
        )

    return write


def _reason(item: PhotoImportItem) -> str:
    info = ErrorInfo()
    for detail in item.error.details:
        detail.Unpack(info)
    return str(info.reason)
