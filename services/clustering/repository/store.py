"""The unit of work of this service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.inbox import Inbox
from libs.db.outbox import Outbox
from libs.db.requests import RequestLog
from libs.db.uow import Transaction, no_trace
from services.clustering.events import OutboxAnnouncements
from services.clustering.repository.clusters import ClusterRepository
from services.clustering.repository.items import CollectionRepository, ItemRepository
from services.clustering.repository.runs import RunRepository
from services.clustering.tables import support


class ClusteringTransaction(Transaction):
    """See ports.Transaction."""

    def bind(self, connection: AsyncConnection) -> None:
        self.items = ItemRepository(connection)
        self.collections = CollectionRepository(connection)
        self.runs = RunRepository(connection)
        self.clusters = ClusterRepository(connection)
        self.announce = OutboxAnnouncements(self.events)


class PostgresStore:
    """See ports.Store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self) -> ClusteringTransaction:
        """A transaction; undone unless committed."""
        return ClusteringTransaction(self._database, support, self._clock)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ClusteringTransaction]:
        """A view on an autocommitting connection: one round trip a statement."""
        async with self._database.reading() as connection:
            view = self.begin()
            view.events = Outbox(connection, support.outbox, self._clock, no_trace)
            view.inbox = Inbox(connection, support.inbox)
            view.requests = RequestLog(connection, support.request_log)
            view.bind(connection)
            yield view
