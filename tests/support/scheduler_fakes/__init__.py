"""The scheduler's outside in memory, for tests of its use cases."""

from tests.support.scheduler_fakes.blobs import MemoryBlobs
from tests.support.scheduler_fakes.catalog import OnePhotoCatalog
from tests.support.scheduler_fakes.made import a_channel, a_post, a_publication
from tests.support.scheduler_fakes.publisher import FakePublisher, Killed, OnePublisher
from tests.support.scheduler_fakes.queue import RecordingQueue
from tests.support.scheduler_fakes.store import FakeStore, FakeTransaction
from tests.support.scheduler_fakes.vault import PlainVault

__all__ = [
    "FakePublisher",
    "FakeStore",
    "FakeTransaction",
    "Killed",
    "MemoryBlobs",
    "OnePhotoCatalog",
    "OnePublisher",
    "PlainVault",
    "RecordingQueue",
    "a_channel",
    "a_post",
    "a_publication",
]
