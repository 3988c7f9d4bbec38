"""Lists as one parameter each, however long they are.

An IN list has a parameter a value, and PostgreSQL takes 65,535 at most; an array is one.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, ColumnElement, TableValuedAlias, any_, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY


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
