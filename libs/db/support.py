"""The three tables that every service's schema has besides its own, and their upkeep."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from sqlalchemy import MetaData, Table, delete, func

from libs.db.engine import Database
from libs.db.inbox import inbox_table
from libs.db.outbox import outbox_table
from libs.db.requests import request_log_table


@dataclass(frozen=True, slots=True)
class SupportTables:
    """Outbox, inbox and request log of one schema."""

    outbox: Table
    inbox: Table
    request_log: Table

    @classmethod
    def of(cls, metadata: MetaData) -> Self:
        """Adds the three to a service's ``MetaData(schema=...)``."""
        return cls(outbox_table(metadata), inbox_table(metadata), request_log_table(metadata))


async def prune(
    database: Database,
    tables: SupportTables,
    *,
    requests_after: timedelta = timedelta(hours=24),
    inbox_after: timedelta = timedelta(days=7),
) -> int:
    """Forgets old request ids and handled events; answers how many rows went."""
    async with database.transaction() as connection:
        gone = 0
        for table, age in ((tables.request_log, requests_after), (tables.inbox, inbox_after)):
            old = table.c.create_time < func.now() - age
            gone += (await connection.execute(delete(table).where(old))).rowcount
        return gone
