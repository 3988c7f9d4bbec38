"""The unit of work of this service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.outbox import Outbox
from libs.db.uow import Transaction, no_trace
from services.clustering.events import OutboxAnnouncements
from services.clustering.repository.clusters import ClusterRepository
from services.clustering.repository.collections import CollectionRepository
from services.clustering.repository.comparisons import ComparisonRepository
from services.clustering.repository.departures import DepartureRepository
from services.clustering.repository.due import DueRepository
from services.clustering.repository.edits import EditRepository
from services.clustering.repository.generations import GenerationRepository
from services.clustering.repository.history import HistoryRepository
from services.clustering.repository.insights import InsightRepository
from services.clustering.repository.items import ItemRepository
from services.clustering.repository.leavers import LeaverRepository
from services.clustering.repository.ledger import LedgerRepository
from services.clustering.repository.namings import NamingRepository
from services.clustering.repository.pairs import PairRepository
from services.clustering.repository.people import PeopleRepository
from services.clustering.repository.pictures import PictureRepository
from services.clustering.repository.pillars import PillarRepository
from services.clustering.repository.queue import QueueRepository
from services.clustering.repository.reviews import ReviewRepository
from services.clustering.repository.runs import RunRepository
from services.clustering.repository.shards import PlacementRepository, ShardRepository
from services.clustering.repository.summaries import SummaryRepository
from services.clustering.repository.texts import TextRepository
from services.clustering.repository.versions import VersionRepository
from services.clustering.repository.waiting import WaitingRepository
from services.clustering.repository.words import WordRepository
from services.clustering.tables import support


class ClusteringTransaction(Transaction):
    """See ports.Transaction."""

    def bind(self, connection: AsyncConnection) -> None:
        self.items = ItemRepository(connection)
        self.texts = TextRepository(connection)
        self.leavers = LeaverRepository(connection)
        self.queue = QueueRepository(connection)
        self.waiting = WaitingRepository(connection)
        self.pairs = PairRepository(connection)
        self.collections = CollectionRepository(connection)
        self.generations = GenerationRepository(connection)
        self.words = WordRepository(connection)
        self.runs = RunRepository(connection)
        self.ledger = LedgerRepository(connection)
        self.due = DueRepository(connection)
        self.shards = ShardRepository(connection)
        self.placements = PlacementRepository(connection, lambda: self.connection)
        self.clusters = ClusterRepository(connection)
        self.versions = VersionRepository(connection)
        self.history = HistoryRepository(connection)
        self.people = PeopleRepository(connection)
        self.departures = DepartureRepository(connection)
        self.edits = EditRepository(connection)
        self.namings = NamingRepository(connection)
        self.summaries = SummaryRepository(connection)
        self.insights = InsightRepository(connection)
        self.pillars = PillarRepository(connection)
        self.pictures = PictureRepository(connection)
        self.comparisons = ComparisonRepository(connection)
        self.reviews = ReviewRepository(connection)
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
        """A view on an autocommitting connection, for the repositories' reads: one round trip a
        statement."""
        async with self._database.reading() as connection:
            view = self.begin()
            view.events = Outbox(connection, support.outbox, self._clock, no_trace)
            view.bind(connection)
            yield view
