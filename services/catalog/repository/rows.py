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
    """Values of one kind (dataclasses of plain values) as JSON in a column, and back."""

    def __init__(self, kind: type[T]) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def store(self, value: T) -> Any:
        """What goes into the column."""
        return self._adapter.dump_python(value, mode="json")

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
) -> Page[T]:
    """One page of ``rows``, by ``create_time`` and ``id`` of ``table``."""
    time, id = table.c.create_time, table.c.id
    order = (time.desc(), id.desc()) if listing.descending else (time.asc(), id.asc())
    size = listing.page.size
    if listing.page.after is not None:
        rows = rows.where(_beyond(table, listing.page, listing.descending))
    found = (await connection.execute(rows.order_by(*order).limit(size + 1))).all()
    last = found[size - 1] if len(found) > size else None
    next_key = None if last is None else (last.create_time.isoformat(), str(last.id))
    return Page([make(row) for row in found[:size]], next_key)


def _beyond(table: sa.Table, page: PageRequest, descending: bool) -> Column:
    assert page.after is not None
    time, id = page.after
    position = sa.tuple_(table.c.create_time, table.c.id)
    edge = sa.tuple_(
        sa.literal(datetime.fromisoformat(str(time)), table.c.create_time.type),
        sa.literal(str(id), table.c.id.type),
    )
    return position < edge if descending else position > edge


def compared(column: Column, condition: Condition, value: object = None) -> Column:
    """``column op value``; the value is that of the condition unless another is given."""
    against = condition.value if value is None else value
    operators: dict[str, Callable[[], Any]] = {
        "=": lambda: column == against,
        "!=": lambda: column != against,
        "<": lambda: column < against,
        "<=": lambda: column <= against,
        ">": lambda: column > against,
        ">=": lambda: column >= against,
    }
    return cast(Column, operators[condition.op]())


def matched(column: Column, condition: Condition, text: str) -> Column:
    """``column`` equals ``text``, or starts with it if it ends in ``*``; or not, for ``!=``."""
    if text.endswith("*"):
        starts = column.startswith(text.removesuffix("*"), autoescape=True)
        return starts if condition.op == "=" else sa.not_(starts)
    return compared(column, condition, text)


def all_of(conditions: Sequence[Condition], meaning: Callable[[Condition], Column]) -> list[Column]:
    """The conditions in SQL."""
    return [meaning(condition) for condition in conditions]
