"""One service's connections to Postgres."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from sqlalchemy import event, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from libs.db.constants import Constants
from libs.db.errors import database_errors
from libs.db.reader import DirectReader, ReadConnection, is_usable

# What the embedded PostgreSQL has (max_connections 100, three of them reserved) must do for every
# service in one process. A Database takes up to pool_size + 2 for transactions and 3 + 4 for reads,
# that is 13 for a pool_size of 4. Six of them (service and jobs of catalog, clustering, scheduler)
# take 78, the relays of three outboxes 3, the probes of relay and worker 6: 87 of 97.
_READERS = 2
_MORE_READERS = 1
_DIRECT_READERS = 4


class Database:
    """Two pools of connections: for statements that stand alone, and for transactions.

    ``url`` is ``postgresql+psycopg://user:password@host:port/name``. Nothing connects before the
    first use. ``statement_timeout`` and ``pool_timeout`` are in seconds; the latter is for each
    wait, for a free connection and for the server to take a new one. The sizes are those of the
    pool for transactions, to which come up to seven connections for reads.
    """

    def __init__(
        self,
        url: str,
        *,
        application_name: str,
        pool_size: int = 4,
        max_overflow: int = 2,
        pool_timeout: float = 5.0,
        statement_timeout: float = 5.0,
    ) -> None:
        self.url = url
        options = f"-c statement_timeout={int(statement_timeout * 1000)} -c timezone=UTC"
        connect_args: dict[str, Any] = {
            "application_name": application_name,
            "connect_timeout": round(pool_timeout),
            "options": options,
        }
        make = partial(
            create_async_engine,
            url,
            pool_timeout=pool_timeout,
            pool_use_lifo=True,
            connect_args=connect_args,
        )
        self.engine: AsyncEngine = make(pool_size=pool_size, max_overflow=max_overflow)
        # A pool of its own: switching a connection to autocommit and back for each read costs
        # as much as a third of the read itself.
        self._reader: AsyncEngine = make(
            pool_size=_READERS,
            max_overflow=_MORE_READERS,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
        )
        self.constants = Constants(self.engine.sync_engine.dispatch.before_cursor_execute)
        self._direct = DirectReader(self.constants, url, connect_args, _DIRECT_READERS)
        for engine in (self.engine, self._reader):
            event.listen(engine.sync_engine, "checkout", _refuse_dead_connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for statements that stand alone: no BEGIN, no ROLLBACK, one trip each.

        For reads, for a write that is one statement, and for ``execute`` alone (see
        ``ReadConnection``): with parameters, a constant statement takes less than half the time.
        Two statements may see two states of the data; where they must agree, use
        ``transaction()``. Raises Unavailable and Conflict as ``database_errors`` says.
        """
        connection = ReadConnection(self._reader, self._direct)
        with database_errors():
            try:
                yield cast(AsyncConnection, connection)
            finally:
                await connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on an exception."""
        with database_errors():
            async with self.engine.begin() as connection:
                yield connection

    async def ping(self) -> None:
        """Returns if the database answers; raises Unavailable if not."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()
        await self._reader.dispose()
        await self._direct.close()


def _refuse_dead_connection(connection: Any, _record: Any, _proxy: Any) -> None:
    """Makes the pool replace a connection that the server has closed meanwhile."""
    if not is_usable(connection.driver_connection):
        raise InvalidatePoolError("the server closed an idle connection")
