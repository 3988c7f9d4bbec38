"""Statements of one row, made once for each choice of columns; see ``libs.db.constants``."""

from functools import cache
from typing import Any

import sqlalchemy as sa

ROW = "row_id"


@cache
def update_of(table: sa.Table, columns: tuple[str, ...]) -> sa.Update:
    """Sets these columns, from parameters of their names, where the id is the parameter ``ROW``."""
    return table.update().where(table.c.id == sa.bindparam(ROW)).values(_parameters(columns))


@cache
def insert_of(table: sa.Table, columns: tuple[str, ...]) -> sa.Insert:
    """Adds a row of these columns, from parameters of their names."""
    return table.insert().values(_parameters(columns))


def _parameters(columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: sa.bindparam(name) for name in columns}
