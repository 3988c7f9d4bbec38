"""The scheduler's database as the use cases see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.uow import Transaction
from services.scheduler.events import OutboxPostEvents
from services.scheduler.repository.attempts import AttemptRepository
from services.scheduler.repository.channels import ChannelRepository
from services.scheduler.repository.copies import CopyRepository
from services.scheduler.repository.decisions import DecisionRepository
from services.scheduler.repository.failures import FailureRepository
from services.scheduler.repository.history import HistoryRepository
from services.scheduler.repository.late import LateRepository
from services.scheduler.repository.posts import PostRepository
from services.scheduler.repository.prechecks import PrecheckRepository
from services.scheduler.repository.publications import PublicationRepository
from services.scheduler.repository.remote_checks import RemoteCheckRepository
from services.scheduler.repository.results import ResultRepository
from services.scheduler.repository.rights import RightsRepository
from services.scheduler.tables import SUPPORT


class SchedulerReading:
    """See ``ports.Reading``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.channels = ChannelRepository(connection)
        self.posts = PostRepository(connection)
        self.publications = PublicationRepository(connection)
        self.attempts = AttemptRepository(connection)
        self.rights = RightsRepository(connection)
        self.copies = CopyRepository(connection)
        self.decisions = DecisionRepository(connection)
        self.remote_checks = RemoteCheckRepository(connection)
        self.late = LateRepository(connection)
        self.prechecks = PrecheckRepository(connection)
        self.failures = FailureRepository(connection)
        self.results = ResultRepository(connection)


class SchedulerTransaction(Transaction):
    """See ``ports.Changing``."""

    channels: ChannelRepository
    posts: PostRepository
    publications: PublicationRepository
    attempts: AttemptRepository
    rights: RightsRepository
    copies: CopyRepository
    decisions: DecisionRepository
    remote_checks: RemoteCheckRepository
    late: LateRepository
    prechecks: PrecheckRepository
    failures: FailureRepository
    results: ResultRepository
    history: HistoryRepository
    post_events: OutboxPostEvents

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """See Changing."""
        async with self.connection.begin_nested():
            yield

    def bind(self, connection: AsyncConnection) -> None:
        """Builds what works on the connection of this transaction."""
        self.channels = ChannelRepository(connection)
        self.posts = PostRepository(connection)
        self.publications = PublicationRepository(connection)
        self.attempts = AttemptRepository(connection)
        self.rights = RightsRepository(connection)
        self.copies = CopyRepository(connection)
        self.decisions = DecisionRepository(connection)
        self.remote_checks = RemoteCheckRepository(connection)
        self.late = LateRepository(connection)
        self.prechecks = PrecheckRepository(connection)
        self.failures = FailureRepository(connection)
        self.results = ResultRepository(connection)
        self.history = HistoryRepository(connection, self._clock)
        self.post_events = OutboxPostEvents(self.events)


class SqlStore:
    """See ``ports.Store``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SchedulerReading]:
        """For reads."""
        async with self._database.reading() as connection:
            yield SchedulerReading(connection)

    def changing(self) -> SchedulerTransaction:
        """For changes."""
        return SchedulerTransaction(self._database, SUPPORT, self._clock)
