"""What the repositories share: documents in columns, pages by key, conditions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.catalog.ports import Listing

T = TypeVar("T")
Column = sa.ColumnElement[Any]


class Document(Generic[T]):
    """Values of one kind (dataclasses of plain values) as JSON in a column, and back.

    ``terse``: what is as its default says is not stored.
    """

    def __init__(self, kind: type[T], *, terse: bool = False) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._terse = terse

    def store(self, value: T) -> Any:
        """What goes into the column."""
        return self._adapter.dump_python(value, mode="json", exclude_defaults=self._terse)

    def load(self, document: object) -> T:
        """What ``store`` was given."""
        return self._adapter.validate_python(document)

    def store_some(self, value: T | None) -> Any:
        """Like ``store``; None stays None."""
        return None if value is None else self.store(value)

    def load_some(self, document: object) -> T | None:
        """Like ``load``; None stays None."""
        return None if document is None else self.load(document)


async def read_page(
    connection: AsyncConnection,
    rows: sa.Select[Any],
    table: sa.Table,
    listing: Listing,
    make: Callable[[Any], T],
    leading: Column | None = None,
) -> Page[T]:
    """One page of ``rows``, by ``create_time`` and ``id`` of ``table``.

    Where there is a ``leading`` number, which may not be null, it comes first.
    """
    columns = _sorted_by(table, leading)
    found = (await connection.execute(page_of(rows, table, listing, leading))).all()
    size = listing.page.size
    next_key = None
    if len(found) > size:
        *first, time, id = list(found[size - 1])[-len(columns) :]
        next_key = (*first, time.isoformat(), str(id))
    return Page([make(row) for row in found[:size]], next_key)


def page_of(
    rows: sa.Select[Any], table: sa.Table, listing: Listing, leading: Column | None = None
) -> sa.Select[Any]:
    """What ``read_page`` reads: a row more than the page has, with what it is sorted by behind."""
    columns = _sorted_by(table, leading)
    if listing.page.after is not None:
        rows = rows.where(_beyond(columns, listing.page, listing.descending))
    order = [column.desc() if listing.descending else column.asc() for column in columns]
    position = [column.label(f"sorted_by_{n}") for n, column in enumerate(columns)]
    return rows.add_columns(*position).order_by(*order).limit(listing.page.size + 1)


def _sorted_by(table: sa.Table, leading: Column | None) -> list[Column]:
    first = [] if leading is None else [leading]
    return [*first, table.c.create_time, table.c.id]


def _beyond(columns: Sequence[Column], page: PageRequest, descending: bool) -> Column:
    assert page.after is not None
    *first, time, id = page.after
    values = (*first, datetime.fromisoformat(str(time)), str(id))
    pairs = zip(values, columns, strict=True)
    edge = sa.tuple_(*(sa.literal(value, column.type) for value, column in pairs))
    position = sa.tuple_(*columns)
    return position < edge if descending else position > edge


def compared(column: Column, condition: Condition) -> Column:
    """``column op value``."""
    against = condition.value
    operators: dict[str, Callable[[], Any]] = {
        "in": lambda: column.in_(condition.texts),
        "=": lambda: column == against,
        "!=": lambda: column != against,
        "<": lambda: column < against,
        "<=": lambda: column <= against,
        ">": lambda: column > against,
        ">=": lambda: column >= against,
    }
    return cast(Column, operators[condition.op]())


def matched(
    column: Column, condition: Condition, make: Callable[[str], str] = lambda text: text
) -> Column:
    """``column`` is one of the texts of the condition, or starts with one that ends in ``*``.

    Or not, for ``!=``. ``make`` brings a text into the form that the column has.
    """
    found = sa.or_(*(_alike(column, make(text)) for text in condition.texts))
    return sa.not_(found) if condition.op == "!=" else found


def _alike(column: Column, text: str) -> Column:
    if text.endswith("*"):
        return column.startswith(text.removesuffix("*"), autoescape=True)
    return column == text


def same(column: Column, condition: Condition) -> Column:
    """``column`` is the value, or none where that is empty; or is not, for ``!=``."""
    value = condition.value or None
    if condition.op == "!=":
        return column.is_distinct_from(value)
    return cast(Column, column == value)


def all_of(conditions: Sequence[Condition], meaning: Callable[[Condition], Column]) -> list[Column]:
    """The conditions in SQL."""
    return [meaning(condition) for condition in conditions]
