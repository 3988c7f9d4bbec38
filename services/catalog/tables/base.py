"""The schema of the catalog, and what its tables have in common."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from libs.db.support import SupportTables

SCHEMA = "catalog"
METADATA = sa.MetaData(schema=SCHEMA)
SUPPORT = SupportTables.of(METADATA)

MOMENT = sa.DateTime(timezone=True)
ID = sa.Uuid(as_uuid=False)


def text(name: str) -> sa.Column[str]:
    """A text that is empty unless something is said."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def times() -> tuple[sa.Column[Any], ...]:
    """When a row came to be and last changed, and how often it did."""
    return (
        sa.Column("create_time", MOMENT, nullable=False),
        sa.Column("update_time", MOMENT, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )


def one_of(column: str, values: Iterable[str]) -> str:
    """A check that ``column`` holds one of ``values``."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({allowed})"
