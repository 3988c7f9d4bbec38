"""Lists as one parameter each, however long they are.

An IN list has a parameter a value, and PostgreSQL takes 65,535 at most; an array is one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    TableValuedAlias,
    Text,
    any_,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert


def among(column_: Column[Any], values: Iterable[object]) -> ColumnElement[bool]:
    """Whether a column holds one of these values."""
    return column_ == any_(literal(list(values), ARRAY(column_.type)))


def rows_of(name: str, like: Iterable[Column[Any]], rows: Iterable[tuple[Any, ...]]) -> Any:
    """Rows as a table ``name``; its columns have the names and types of the columns ``like``."""
    columns = list(like)
    lists = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        literal(list(values), ARRAY(like_.type))
        for like_, values in zip(columns, lists, strict=True)
    ]
    table: TableValuedAlias = func.unnest(*arrays).table_valued(
        *(column(like_.name, like_.type) for like_ in columns), name=name
    )
    return table.render_derived()


def inserted(
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    made: Mapping[str, Callable[[ColumnElement[Any]], ColumnElement[Any]]],
) -> Insert:
    """An insert of rows with the same columns; ``made`` says what is made of those that are handed
    in as texts."""
    names = list(rows[0])
    like = [Column(name, Text) if name in made else table.c[name] for name in names]
    given = rows_of("given", like, (tuple(row.values()) for row in rows))
    values = [made[name](given.c[name]) if name in made else given.c[name] for name in names]
    return insert(table).from_select(names, select(*values))


def list_in(json: ColumnElement[Any]) -> ColumnElement[Any]:
    """The texts of a JSON list."""
    # A table of its own, so that it is that of this row alone.
    texts = func.jsonb_array_elements_text(cast(json, JSONB)).column_valued("text")
    return func.array(select(texts).scalar_subquery())
