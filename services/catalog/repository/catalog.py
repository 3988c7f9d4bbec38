"""The catalog's database: reads that stand alone, and transactions."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.uow import Transaction, no_trace
from services.catalog.events import OutboxCampaignEvents, OutboxPhotoEvents
from services.catalog.repository.batches import (
    BatchLedgerRepository,
    SuggestionBatchRepository,
)
from services.catalog.repository.campaigns import CampaignRepository
from services.catalog.repository.candidates import CandidateRepository
from services.catalog.repository.filings import FilingRepository
from services.catalog.repository.others import GapReportRepository, UnusedBlobRepository
from services.catalog.repository.personas import PersonaRepository
from services.catalog.repository.photo_imports import PhotoImportRepository
from services.catalog.repository.photos import PhotoRepository
from services.catalog.repository.pillars import PillarRepository
from services.catalog.repository.runs import RunRepository
from services.catalog.repository.suggestions import SuggestionRepository
from services.catalog.repository.votes import VoteRepository
from services.catalog.tables import SUPPORT


class CatalogReading:
    """See ``ports.Reading``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.personas = PersonaRepository(connection)
        self.pillars = PillarRepository(connection)
        self.photos = PhotoRepository(connection)
        self.reports = GapReportRepository(connection)
        self.imports = PhotoImportRepository(connection)
        self.suggestions = SuggestionRepository(connection)
        self.suggestion_batches = SuggestionBatchRepository(connection)
        self.runs = RunRepository(connection)
        self.candidates = CandidateRepository(connection)
        self.votes = VoteRepository(connection)
        self.campaigns = CampaignRepository(connection)
        self.filings = FilingRepository(connection)


class CatalogTransaction(Transaction):
    """See ``ports.Changing``."""

    def bind(self, connection: AsyncConnection) -> None:
        """Builds the repositories of this transaction."""
        self.personas = PersonaRepository(connection)
        self.pillars = PillarRepository(connection)
        self.photos = PhotoRepository(connection)
        self.reports = GapReportRepository(connection)
        self.imports = PhotoImportRepository(connection)
        self.suggestions = SuggestionRepository(connection)
        self.suggestion_batches = SuggestionBatchRepository(connection)
        self.runs = RunRepository(connection)
        self.candidates = CandidateRepository(connection)
        self.votes = VoteRepository(connection)
        self.campaigns = CampaignRepository(connection)
        self.filings = FilingRepository(connection)
        self.batch_ledger = BatchLedgerRepository(connection)
        self.blobs = UnusedBlobRepository(connection)
        self.photo_events = OutboxPhotoEvents(self.events)
        self.campaign_events = OutboxCampaignEvents(self.events)


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

    async def keep_blobs(self, keys: Iterable[str]) -> None:
        """See Catalog."""
        async with self._database.reading() as connection:
            await UnusedBlobRepository(connection).keep(keys)
