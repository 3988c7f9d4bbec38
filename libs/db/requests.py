"""Doing a request once, however often it is sent."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import AlreadyExists


def request_log_table(metadata: MetaData) -> Table:
    """The table ``request_log``: request ids that were served, and with what result."""
    return Table(
        "request_log",
        metadata,
        Column("request_id", Text, primary_key=True),
        Column("method", Text, nullable=False),
        Column("fingerprint", Text, nullable=False),
        Column("result", Text, nullable=False, server_default=""),
        Column(
            "create_time",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.now(),
            index=True,
        ),
    )


class RequestLog:
    """The requests that this transaction takes part in."""

    def __init__(self, connection: AsyncConnection, table: Table) -> None:
        self._connection = connection
        self._table = table

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        """None if the caller is the first and must do the work, else the recorded result.

        A concurrent twin waits here until the first has committed (then it gets the result) or
        rolled back (then it is the first). An empty ``request_id`` asks for no protection.
        Raises AlreadyExists (REQUEST_ID_REUSED) if the id was used for something else.
        """
        if not request_id or await self._insert(request_id, method, fingerprint):
            return None
        log = self._table.c
        found = await self._connection.execute(
            select(log.method, log.fingerprint, log.result).where(log.request_id == request_id)
        )
        row = found.one()
        if (row.method, row.fingerprint) != (method, fingerprint):
            raise _reused(request_id, row.method)
        return str(row.result)

    async def record(self, request_id: str, result: str) -> None:
        """Keeps the result (a resource name) for whoever sends the same request again."""
        if request_id:
            await self._connection.execute(
                update(self._table)
                .where(self._table.c.request_id == request_id)
                .values(result=result)
            )

    async def _insert(self, request_id: str, method: str, fingerprint: str) -> bool:
        values = {"request_id": request_id, "method": method, "fingerprint": fingerprint}
        statement = insert(self._table).values(values).on_conflict_do_nothing()
        added = await self._connection.execute(statement.returning(self._table.c.request_id))
        return added.first() is not None


def _reused(request_id: str, method: str) -> AlreadyExists:
    return AlreadyExists(
        "request",
        request_id,
        f"request_id {request_id} was used for another {method} request; send a new one",
        reason="REQUEST_ID_REUSED",
        metadata={"request_id": request_id, "method": method},
    )
