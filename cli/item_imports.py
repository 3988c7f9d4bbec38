"""Sends items in batches, and accounts for each of them."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Item
from google.protobuf.json_format import ParseDict, ParseError
from google.rpc import code_pb2
from rich.progress import Progress, TextColumn

from cli.connection import Suite
from cli.output import err

_BATCH = 500
# Below what the gateway and gRPC take, whatever the items hold.
_BATCH_BYTES = 4 * 1024 * 1024

# Which one of the batch it was says nothing to who sees the line.
_IN_BATCH = re.compile(r"^items\[\d+\]\.")
_FIELDS = frozenset(
    name for field in Item.DESCRIPTOR.fields for name in (field.name, field.json_name)
)

Placed = tuple[str, Item]
"""An item, and where it was read."""


@dataclass(slots=True)
class ItemReport:
    """What became of items: counts, the names by place, and what was wrong where."""

    created: int = 0
    updated: int = 0
    duplicates: int = 0
    names: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "created": self.created,
            "updated": self.updated,
            "duplicates": self.duplicates,
            "refused": [{"place": place, "why": why} for place, why in self.refused],
        }


async def import_lines(
    suite: Suite, parent: str, lines: Iterable[bytes], source: str, *, quiet: bool
) -> ItemReport:
    """Takes in items that are written as JSON, one a line; ``source`` is of those that lack one."""
    report = ItemReport()
    await send_items(suite, parent, _read(lines, source, report), report, quiet=quiet)
    report.refused.sort(key=lambda each: int(each[0].removeprefix("line ")))
    return report


async def send_items(
    suite: Suite, parent: str, items: Iterable[Placed], report: ItemReport, *, quiet: bool
) -> None:
    """Takes items in and notes in ``report`` what became of each."""
    columns = (TextColumn("{task.completed} items"),)
    with Progress(*columns, console=err, disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=None)
        for batch in _batches(items):
            answer = await suite.items.BatchCreateItems(
                api.BatchCreateItemsRequest(parent=parent, items=[item for _, item in batch])
            )
            for (place, _), result in zip(batch, answer.results, strict=True):
                _note(report, place, result)
            bar.advance(task, len(batch))


def _note(report: ItemReport, place: str, result: api.ItemResult) -> None:
    if result.status.code != code_pb2.OK:
        report.refused.append((place, _IN_BATCH.sub("", result.status.message)))
        return
    report.names[place] = result.item
    match result.outcome:
        case api.ITEM_OUTCOME_CREATED:
            report.created += 1
        case api.ITEM_OUTCOME_UPDATED:
            report.updated += 1
        case _:
            report.duplicates += 1


def _read(lines: Iterable[bytes], source: str, report: ItemReport) -> Iterator[Placed]:
    """The items of lines that hold one; the others are noted as refused."""
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        place = f"line {number}"
        try:
            item = _item(json.loads(text))
        except ValueError as error:
            report.refused.append((place, _reason(error)))
            continue
        item.source = item.source or source
        yield place, item


def _item(document: object) -> Item:
    """Raises ValueError."""
    if not isinstance(document, dict):
        raise ValueError("is no object in braces")
    for name in document:
        if name not in _FIELDS:
            raise ValueError(f"{name} is no field of an item")
    try:
        return ParseDict(document, Item())
    except ParseError as error:
        raise ValueError(str(error)) from None


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text: {error.reason}"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON at column {error.colno}: {error.msg}"
    return str(error)


def _batches(items: Iterable[Placed]) -> Iterator[list[Placed]]:
    batch: list[Placed] = []
    size = 0
    for place, item in items:
        bytes = item.ByteSize()
        if batch and (len(batch) == _BATCH or size + bytes > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((place, item))
        size += bytes
    if batch:
        yield batch
