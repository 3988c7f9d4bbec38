"""One unit of work: everything it does is committed together, or nothing is."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from libs.clock import Clock, SystemClock
from libs.db.constants import TransactionConnection
from libs.db.engine import Database
from libs.db.errors import LOST_RACE, database_errors, meaning
from libs.db.inbox import Inbox
from libs.db.outbox import Outbox
from libs.db.requests import RequestLog
from libs.db.support import SupportTables
from libs.errors import Conflict

T = TypeVar("T")


def no_trace() -> str:
    """The trace of code that runs outside any request."""
    return ""


class Transaction:
    """A database transaction with an outbox, an inbox and a request log.

    A service derives its unit of work from this and builds its repositories in ``bind``::

        class CatalogTransaction(Transaction):
            def bind(self, connection: AsyncConnection) -> None:
                self.photos = PhotoRepository(connection)

        async with CatalogTransaction(database, tables, clock) as tx:
            await tx.photos.add(photo)
            tx.events.append("catalog.photo.created", photo.name, payload)
            await tx.commit()

    Leaving the block without ``commit()`` undoes everything. Raises Conflict for a lost race and
    Unavailable for a lost database, from any statement in the block.
    """

    connection: AsyncConnection
    events: Outbox
    inbox: Inbox
    requests: RequestLog

    def __init__(
        self,
        database: Database,
        tables: SupportTables,
        clock: Clock | None = None,
        *,
        trace: Callable[[], str] = no_trace,
    ) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock or SystemClock()
        self._trace = trace
        self._transaction: AsyncTransaction

    def bind(self, connection: AsyncConnection) -> None:
        """Builds what works on the connection of this transaction. For derived classes.

        For ``execute`` alone; see ``TransactionConnection``.
        """

    async def __aenter__(self) -> Self:
        with database_errors():
            self.connection = await self._database.engine.connect()
            self._transaction = await self.connection.begin()
        quick = cast(
            AsyncConnection, TransactionConnection(self.connection, self._database.constants)
        )
        self.events = Outbox(quick, self._tables.outbox, self._clock, self._trace)
        self.inbox = Inbox(self.connection, self._tables.inbox)
        self.requests = RequestLog(self.connection, self._tables.request_log)
        self.bind(quick)
        return self

    async def commit(self) -> None:
        """Makes everything so far lasting, and lets the events go. Once, at the end."""
        with database_errors():
            await self.events.flush()
            await self._transaction.commit()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closing rolls back what was not committed, and does so even while being cancelled.
        with database_errors():
            await self.connection.__aexit__(kind, error, traceback)
        if meant := meaning(error):
            raise meant from error


async def retry_lost_races(work: Callable[[], Awaitable[T]], *, retries: int = 3) -> T:
    """Runs ``work`` (one whole transaction) again when it lost a race in the database.

    A deadlock or a serialization failure, that is; any other Conflict is for the caller to judge.
    After the last retry the Conflict is raised.
    """
    for _ in range(retries):
        try:
            return await work()
        except Conflict as error:
            if error.reason != LOST_RACE:
                raise
    return await work()
