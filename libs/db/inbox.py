"""Handling an event once, however often it arrives."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection


def inbox_table(metadata: MetaData) -> Table:
    """The table ``inbox``: which consumer has handled which event."""
    return Table(
        "inbox",
        metadata,
        Column("event_id", Text, primary_key=True),
        Column("consumer", Text, primary_key=True),
        Column(
            "create_time",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.now(),
            index=True,
        ),
    )


class Inbox:
    """The events that this transaction takes in."""

    def __init__(self, connection: AsyncConnection, table: Table) -> None:
        self._connection = connection
        self._table = table

    async def first_time(self, event_id: str, consumer: str) -> bool:
        """Whether ``consumer`` has not handled this event before; from now on it has.

        Part of the transaction: if it rolls back, the event is new again. A concurrent twin waits
        for the first to end.
        """
        statement = (
            insert(self._table)
            .values(event_id=event_id, consumer=consumer)
            .on_conflict_do_nothing()
            .returning(self._table.c.event_id)
        )
        return (await self._connection.execute(statement)).first() is not None
