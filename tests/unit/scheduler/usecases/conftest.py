from dataclasses import dataclass, field

import pytest

from services.scheduler.domain.photo import Photo
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.confirm import Confirm
from services.scheduler.usecases.media import Media
from services.scheduler.usecases.media_address import MediaAddresses
from services.scheduler.usecases.outgoing import Accounts, Outgoing
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.publish import Publish
from services.scheduler.usecases.readiness import Readiness
from services.scheduler.usecases.reconcile import Reconcile
from services.scheduler.usecases.tick import Tick
from tests.support.clock import FakeClock
from tests.support.scheduler_fakes import (
    FakePublisher,
    FakeStore,
    MemoryBlobs,
    OnePhotoCatalog,
    OnePublisher,
    PlainVault,
    RecordingQueue,
)


@dataclass
class Desk:
    """The use cases of a worker over fakes."""

    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    queue: RecordingQueue = field(default_factory=RecordingQueue)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.blobs.kept["publications/a.jpg"] = b"a picture"
        photo = Photo("personas/nora/photos/1", "personas/nora/pillars/tea", "ab", 40, 30, "a cup")
        self.catalog = OnePhotoCatalog(photo)
        self.publishers, self.vault = OnePublisher(self.publisher), PlainVault()
        self.accounts = accounts = Accounts(self.publishers, self.vault)
        self.addresses = MediaAddresses("https://studio.example/", self.vault.signer("media"))
        outgoing = Outgoing(self.addresses)
        store, clock, pace = self.store, self.clock, self.pace
        self.media = Media(store, self.catalog, self.blobs)
        self.care = ChannelCare(store, accounts, clock, pace)
        self.readiness = Readiness(store, self.media, accounts, self.care, clock)
        self.publish = Publish(store, self.readiness, self.care, outgoing, clock, pace, "me")
        self.reconcile = Reconcile(store, accounts, self.care, outgoing, clock, pace)
        self.confirm = Confirm(store, accounts, self.care, clock)
        self.tick = Tick(store, self.queue, clock, pace)


@pytest.fixture
def desk() -> Desk:
    return Desk()
