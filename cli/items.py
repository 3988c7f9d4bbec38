"""``colonnade items``."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Item
from google.rpc import code_pb2
from rich.markup import escape

from cli.connection import Suite
from cli.item_imports import ItemReport, import_lines
from cli.legacy_imports import import_dump
from cli.names import project_name
from cli.output import (
    JsonOption,
    dimmed,
    err,
    indented,
    last_part,
    line,
    out,
    print_json,
    table,
    when,
    word,
)
from cli.photos import condition
from cli.run import FAILED, with_suite

app = typer.Typer(help="Texts of any source, to be grouped.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="Its name, projects/…/items/…")]
_STDIN = Path("-")
_SHOWN_ERRORS = 20


class StateOption(StrEnum):
    """Where items stand."""

    PENDING = "pending"
    CLUSTERED = "clustered"
    UNCLUSTERED = "unclustered"
    QUARANTINED = "quarantined"
    CLOSED = "closed"


@app.command()
def add(
    project: str,
    title: Annotated[str, typer.Argument(help="What it is called.")],
    body: Annotated[str, typer.Option(help="What it says.")] = "",
    source: Annotated[str, typer.Option(help="Where it comes from.")] = "manual",
    external_id: Annotated[str, typer.Option(help="Its id there, so that it is kept once.")] = "",
    url: Annotated[str, typer.Option(help="Where it is to be read.")] = "",
    json: JsonOption = False,
) -> None:
    """Takes one item in, or brings it up to date."""
    item = Item(source=source, external_id=external_id, title=title, body=body, url=url)
    request = api.CreateItemRequest(parent=project_name(project), item=item)
    done = with_suite(lambda suite: suite.items.CreateItem(request))
    if json:
        return print_json(done)
    line(f"[bold]{word(api.ItemOutcome, done.outcome)}[/bold]")
    dimmed(done.item.name)
    return None


@app.command("import")
def import_(
    project: str,
    file: Annotated[Path, typer.Argument(help="Items as JSON, one a line; - reads them here.")],
    source: Annotated[str, typer.Option(help="Where those come from that do not say.")] = "manual",
    legacy: Annotated[
        bool, typer.Option("--legacy", help="The file is a dump of the older library's Redis.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Takes in any number of items, each with a result of its own; exit code 1 if one is refused.

    Safe to repeat: what has an external id is kept once.
    """
    parent = project_name(project)
    if legacy:
        found = with_suite(lambda suite: import_dump(suite, parent, file, quiet=json))
        print_json(found.as_dict()) if json else found.show()
        raise typer.Exit(FAILED if found.items.refused else 0)
    with sys.stdin.buffer if file == _STDIN else file.open("rb") as lines:
        report = with_suite(lambda suite: import_lines(suite, parent, lines, source, quiet=json))
    print_json(report.as_dict()) if json else show_report(report)
    raise typer.Exit(FAILED if report.refused else 0)


def show_report(report: ItemReport) -> None:
    """How many items came in, and what was wrong with the others."""
    line(
        f"{report.created} new, {report.updated} updated, {report.duplicates} known, "
        f"{len(report.refused)} refused"
    )
    for place, why in report.refused[:_SHOWN_ERRORS]:
        err.print(f"  [red]{escape(place)}[/red]: {escape(why)}")
    if len(report.refused) > _SHOWN_ERRORS:
        err.print(f"  and {len(report.refused) - _SHOWN_ERRORS} more; --json lists all")


@app.command("list")
def list_items(
    project: str,
    state: Annotated[StateOption | None, typer.Option(help="Only those that stand so.")] = None,
    source: Annotated[str, typer.Option(help="Only of this source.")] = "",
    cluster: Annotated[str, typer.Option(help="Only of this cluster, by name or id.")] = "",
    filter: Annotated[str, typer.Option(help='More, such as repository = "acme/lumen".')] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists items, newest first."""
    parent = project_name(project)
    name = cluster if not cluster or "/" in cluster else f"{parent}/clusters/{cluster}"
    parts = (
        condition("state", [state.upper()] if state else []),
        condition("source", [source] if source else []),
        condition("cluster", [name] if name else []),
        filter,
    )
    wanted = " AND ".join(part for part in parts if part)
    found = with_suite(lambda suite: some_items(suite, parent, wanted, limit))
    if json:
        return print_json(found)
    table(
        f"Items of {parent}",
        ("item", "source", "state", "title"),
        [
            (last_part(i.name), i.source, word(Item.State, i.state), i.title or i.body[:60])
            for i in found
        ],
        whole="item",
    )
    return None


async def some_items(suite: Suite, parent: str, filter: str, limit: int) -> list[Item]:
    """Up to ``limit`` items of a project, page by page."""
    found: list[Item] = []
    token = ""
    while len(found) < limit:
        size = min(200, limit - len(found))
        page = await suite.items.ListItems(
            api.ListItemsRequest(parent=parent, page_size=size, page_token=token, filter=filter)
        )
        found.extend(page.items)
        token = page.next_page_token
        if not token:
            break
    return found


@app.command()
def show(item: NameArgument, json: JsonOption = False) -> None:
    """Shows an item."""
    found = with_suite(lambda suite: suite.items.GetItem(api.GetItemRequest(name=item)))
    print_json(found) if json else _show(found)


@app.command()
def close(item: NameArgument, json: JsonOption = False) -> None:
    """Closes an item: it waits for nothing and leaves its cluster."""
    request = api.CloseItemRequest(name=item)
    done = with_suite(lambda suite: suite.items.CloseItem(request)).item
    print_json(done) if json else line(f"closed [bold]{escape(done.title)}[/bold]")


@app.command()
def reopen(item: NameArgument, json: JsonOption = False) -> None:
    """Opens a closed item again; it waits to be grouped."""
    request = api.ReopenItemRequest(name=item)
    done = with_suite(lambda suite: suite.items.ReopenItem(request)).item
    print_json(done) if json else line(f"reopened [bold]{escape(done.title)}[/bold]")


@app.command()
def delete(item: NameArgument) -> None:
    """Deletes an item and its text, for good."""
    with_suite(lambda suite: suite.items.DeleteItem(api.DeleteItemRequest(name=item)))
    line("deleted")
    dimmed(item)


@app.command()
def retry(
    project: str,
    items: Annotated[list[str] | None, typer.Argument(help="Their names; none for all.")] = None,
    json: JsonOption = False,
) -> None:
    """Has quarantined items wait to be embedded again."""
    request = api.RetryItemsRequest(parent=project_name(project), names=items or ())
    done = with_suite(lambda suite: suite.items.RetryItems(request))
    print_json(done) if json else line(f"{done.count} items wait again")


def _show(item: Item) -> None:
    line(f"[bold]{escape(item.title or '(no title)')}[/bold]")
    dimmed(item.name)
    rows = [
        ("state", word(Item.State, item.state)),
        ("cluster", item.cluster),
        ("source", " ".join(part for part in (item.source, item.external_id) if part)),
        ("repository", item.repository),
        ("url", item.url),
        ("written", when(item.source_time) if item.HasField("source_time") else ""),
        ("came in", when(item.create_time)),
        *item.metadata.items(),
    ]
    if item.error.code != code_pb2.OK:
        rows.append(("error", item.error.message))
    for name, value in rows:
        if value:
            line(f"  {escape(name):<12} {escape(value)}")
    if item.body:
        out.print()
        indented(item.body)
    if item.truncated:
        line("  [dim]the rest of it was too long and is not kept[/dim]")
