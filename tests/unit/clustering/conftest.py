import pytest

from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryIndex
from tests.support.clustering.memory import MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def index() -> MemoryIndex:
    return MemoryIndex()


@pytest.fixture
def desk(store: MemoryStore, index: MemoryIndex, clock: FakeClock) -> Desk:
    return Desk(store, index, clock)
