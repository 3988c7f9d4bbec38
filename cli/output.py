"""What the command prints: tables and lines for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

# A pipe has no width of its own; tables should not be squeezed into 80 columns for it.
_PIPE_WIDTH = 140
_INDENT = 4
out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPE_WIDTH)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(value: Message | dict[str, Any] | Sequence[Message | dict[str, Any]]) -> None:
    """One JSON document on standard output."""
    if isinstance(value, Message):
        document: Any = as_dict(value)
    elif isinstance(value, dict):
        document = value
    else:
        document = [item if isinstance(item, dict) else as_dict(item) for item in value]
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def as_dict(message: Message) -> dict[str, Any]:
    """A message as JSON data, with every scalar field."""
    data: dict[str, Any] = MessageToDict(message, always_print_fields_with_no_presence=True)
    return data


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: str = ""
) -> None:
    """A table; a column whose name starts with ``#`` is a number.

    The column ``whole`` has what people copy: it is not broken into lines.
    """
    grid = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        justify = "right" if column.startswith("#") else "left"
        grid.add_column(
            column.lstrip("#"),
            justify=justify,  # type: ignore[arg-type]
            overflow="fold",
            no_wrap=column == whole,
        )
    for row in rows:
        grid.add_row(*(escape(str(cell)) for cell in row))
    out.print(grid)


def line(text: str) -> None:
    """A line of ours, with rich markup; what people wrote goes in with ``escape``."""
    out.print(text)


def entry(title: str, told: str, name: str) -> None:
    """One of a list, in two lines, so that its name stays in one piece at 80 columns."""
    line(f"[bold]{escape(title)}[/bold] ({escape(told)})")
    dimmed(name)


def indented(text: str) -> None:
    """What belongs to the line above it."""
    out.print(Padding(escape(text), (0, 0, 0, _INDENT)))


def dimmed(text: str) -> None:
    """A name that belongs to the line above it."""
    out.print(Padding(text, (0, 0, 0, _INDENT)), markup=False, style="dim")


def when(moment: Timestamp | None) -> str:
    """A time in the zone of this machine, or a dash."""
    if moment is None or not moment.seconds:
        return "-"
    return moment.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def timestamp(moment: datetime) -> Timestamp:
    """A protobuf timestamp of a time with a zone."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def word(enum: Any, value: int) -> str:
    """The name of an enum value for people: ``STATE_NEEDS_REVIEW`` gives ``needs review``."""
    name: str = enum.Name(value)
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix).lower().replace("_", " ")


def last_part(name: str) -> str:
    """The id at the end of a resource name."""
    return name.rpartition("/")[2]
