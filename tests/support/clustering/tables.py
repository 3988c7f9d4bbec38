"""Looking straight into the tables of the clustering service."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from colonnade.events.v1 import event_pb2
from google.protobuf.message import Message
from sqlalchemy import Engine, Row, event, select, text

from libs.db.engine import Database
from services.clustering.tables import metadata, support

_PAYLOADS: dict[str, type[Message]] = {
    "photo.embedded": event_pb2.PhotoEmbedded,
    "photo.embedding_failed": event_pb2.PhotoEmbeddingFailed,
    "photo.copies_found": event_pb2.PhotoCopiesFound,
    "clusters.updated": event_pb2.ClustersUpdated,
}


async def empty(database: Database) -> None:
    """Empties every table; far quicker than a fresh database."""
    tables = ", ".join(table.fullname for table in metadata.sorted_tables)
    async with database.transaction() as connection:
        await connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))


async def rows(database: Database, query: str, **values: Any) -> Sequence[Row[Any]]:
    """The answer of a query that does not name the schema."""
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL search_path = clustering"))
        return (await connection.execute(text(query), values)).all()


async def change(database: Database, statement: str, **values: Any) -> None:
    """Changes the tables behind the service's back."""
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL search_path = clustering"))
        await connection.execute(text(statement), values)


async def expire(database: Database) -> None:
    """As if a minute had passed since the last sign of life of every worker."""
    await change(
        database,
        """
        UPDATE runs SET lease_expire_time = now() - interval '1 second'
        WHERE lease_expire_time IS NOT NULL AND state IN ('queued', 'running', 'cancelling')
        """,
    )


async def hold(database: Database) -> None:
    """As if every worker gave a sign of life until tomorrow, however long a test takes."""
    await change(
        database,
        """
        UPDATE runs SET lease_expire_time = now() + interval '1 day'
        WHERE lease_owner IS NOT NULL
        """,
    )


async def told(database: Database, type: str) -> list[Any]:
    """The messages of all events of a type, in the order they were told."""
    outbox = support.outbox
    async with database.reading() as connection:
        found = await connection.execute(
            select(outbox).where(outbox.c.type == type).order_by(outbox.c.id)
        )
        return [_PAYLOADS[type].FromString(row.payload) for row in found]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collects the SQL that runs in the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
