"""Events that leave with the transaction that caused them, or not at all."""

from collections.abc import Callable
from functools import cache

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Insert,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.events.stream import Event
from libs.ids import uuid7


def outbox_table(metadata: MetaData) -> Table:
    """The table ``outbox``: events on their way to the stream, in the order they were written."""
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("event_id", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("ordering_key", Text, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("trace", Text, nullable=False),
        Column("create_time", DateTime(timezone=True), nullable=False),
    )


def outbox_channel(table: Table) -> str:
    """The NOTIFY channel on which the outbox of this schema says that there is something new."""
    return f"{table.schema}_outbox" if table.schema else "outbox"


class Outbox:
    """What a transaction will tell the world once it is committed."""

    def __init__(
        self, connection: AsyncConnection, table: Table, clock: Clock, trace: Callable[[], str]
    ) -> None:
        self._connection = connection
        self._table = table
        self._clock = clock
        self._trace = trace
        self._waiting: list[Event] = []

    def append(
        self, type: str, subject: str, payload: bytes = b"", *, ordering_key: str | None = None
    ) -> str:
        """Remembers one event and answers its id; nothing is sent before the commit.

        ``type`` is like ``catalog.photo.created``, ``subject`` the resource name. Events of one
        ``ordering_key`` (default: the subject) arrive in the order of their commits, provided that
        their transactions hold a lock on a row in common, as writers of one resource do.
        """
        event = Event(
            id=uuid7(),
            type=type,
            subject=subject,
            ordering_key=subject if ordering_key is None else ordering_key,
            payload=payload,
            time=self._clock.now(),
            trace=self._trace(),
        )
        self._waiting.append(event)
        return event.id

    async def flush(self) -> None:
        """Writes what was appended, in one statement. The commit does this by itself.

        As late as possible: row ids are drawn here, and the later, the nearer they are to the
        order of commits.
        """
        rows = [_row(event) for event in self._waiting]
        if len(rows) == 1:
            await self._connection.execute(_insertion(self._table), rows[0])
        elif rows:
            await self._connection.execute(self._table.insert(), rows)
        self._waiting.clear()


@cache
def _insertion(table: Table) -> Insert:
    columns = (column.name for column in table.c if not column.primary_key)
    return table.insert().values({name: bindparam(name) for name in columns})


def _row(event: Event) -> dict[str, object]:
    return {
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "ordering_key": event.ordering_key,
        "payload": event.payload,
        "trace": event.trace,
        "create_time": event.time,
    }
