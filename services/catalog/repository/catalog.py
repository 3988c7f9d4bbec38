"""The catalog's database: reads that stand alone, and transactions."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.uow import Transaction, no_trace
from services.catalog.events import OutboxPhotoEvents
from services.catalog.repository.others import GapReportRepository, UnusedBlobRepository
from services.catalog.repository.personas import PersonaRepository
from services.catalog.repository.photos import PhotoRepository
from services.catalog.repository.pillars import PillarRepository
from services.catalog.tables import SUPPORT


class CatalogReading:
    """See ``ports.Reading``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.personas = PersonaRepository(connection)
        self.pillars = PillarRepository(connection)
        self.photos = PhotoRepository(connection)
        self.reports = GapReportRepository(connection)


class CatalogTransaction(Transaction):
    """See ``ports.Changing``."""

    def bind(self, connection: AsyncConnection) -> None:
        """Builds the repositories of this transaction."""
        self.personas = PersonaRepository(connection)
        self.pillars = PillarRepository(connection)
        self.photos = PhotoRepository(connection)
        self.reports = GapReportRepository(connection)
        self.blobs = UnusedBlobRepository(connection)
        self.photo_events = OutboxPhotoEvents(self.events)


class CatalogDatabase:
    """See ``ports.Catalog``. ``trace`` tells the traceparent of the call being served."""

    def __init__(
        self, database: Database, clock: Clock, trace: Callable[[], str] = no_trace
    ) -> None:
        self._database = database
        self._clock = clock
        self._trace = trace

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[CatalogReading]:
        """See Catalog."""
        async with self._database.reading() as connection:
            yield CatalogReading(connection)

    def changing(self) -> CatalogTransaction:
        """See Catalog."""
        return CatalogTransaction(self._database, SUPPORT, self._clock, trace=self._trace)
