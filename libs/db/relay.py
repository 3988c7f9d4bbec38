"""Carries events from the outbox to the stream, in order, at least once."""

import asyncio
import logging
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row
from sqlalchemy import Table
from sqlalchemy.engine import make_url

from libs.backoff import Backoff
from libs.cancellation import heed_cancellation
from libs.db.outbox import outbox_channel
from libs.errors import Unavailable
from libs.events.stream import Event, Publisher

log = logging.getLogger(__name__)

_READ: LiteralString = """
    SELECT id, event_id, type, subject, ordering_key, payload, trace, create_time
    FROM {outbox} ORDER BY id LIMIT %s
"""


class Relay:
    """Moves the events of one schema's outbox to ``publisher``.

    Run one in every process that likes: a transaction-level advisory lock lets one of them at a
    time take a batch, so events leave in the order of their row ids. New rows wake it by NOTIFY;
    every ``poll`` seconds it looks by itself. When the database or the stream is away, rows stay
    and it tries again after 0.5 s, doubling to 30 s.
    """

    def __init__(
        self,
        url: str,
        outbox: Table,
        publisher: Publisher,
        *,
        batch: int = 100,
        poll: float = 2.0,
        backoff: Backoff | None = None,
    ) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(False)
        self._channel = outbox_channel(outbox)
        self._outbox = sql.Identifier(*filter(None, (outbox.schema, outbox.name)))
        self._publisher = publisher
        self._batch = batch
        self._poll = poll
        self._backoff = backoff or Backoff()

    async def run(self) -> None:
        """Works until it is cancelled. A batch cut short by that is sent again later, in order."""
        while True:
            try:
                await self._session()
            except (psycopg.Error, OSError, Unavailable) as error:
                delay = self._backoff.next()
                log.warning("outbox relay %s: %s; again in %.1f s", self._channel, error, delay)
                await asyncio.sleep(delay)

    async def _session(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            row_factory=namedtuple_row,
            application_name=f"relay {self._channel}",
            connect_timeout=5,
            options="-c timezone=UTC",
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            while True:
                heed_cancellation()
                moved = await self._move(connection)
                self._backoff.reset()
                if moved < self._batch:
                    await self._news(connection)

    async def _news(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Returns when the outbox has something new, or after ``poll`` seconds."""
        async for _ in connection.notifies(timeout=self._poll, stop_after=1):
            pass

    async def _move(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """Sends one batch; answers its size, 0 if there is nothing or another relay is at it."""
        async with connection.transaction():
            if not await self._locked(connection):
                return 0
            read = sql.SQL(_READ).format(outbox=self._outbox)
            rows = await (await connection.execute(read, [self._batch])).fetchall()
            if rows:
                await self._publisher.publish([_event(row) for row in rows])
                remove = sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(self._outbox)
                await connection.execute(remove, [[row.id for row in rows]])
        return len(rows)

    async def _locked(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        locked = await connection.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS locked", [self._channel]
        )
        row = await locked.fetchone()
        return bool(row and row.locked)


def _event(row: Any) -> Event:
    return Event(
        id=row.event_id,
        type=row.type,
        subject=row.subject,
        ordering_key=row.ordering_key,
        payload=bytes(row.payload),
        time=row.create_time,
        trace=row.trace,
    )
