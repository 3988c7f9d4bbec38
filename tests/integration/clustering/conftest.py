"""The clustering service on real engines; each test has empty tables and a scope of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    ClusteringServiceStub,
    add_ClusteringServiceServicer_to_server,
)
from colonnade.clustering.v1.duplicate_service_pb2_grpc import (
    DuplicateServiceStub,
    add_DuplicateServiceServicer_to_server,
)

from libs.aio import BlockingPool
from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.db.engine import Database
from libs.db.migrate import upgrade
from libs.embedded.qdrant import QdrantAddress
from libs.rpc.paging import PageTokens
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobPictures, BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.deps import MIGRATIONS
from services.clustering.domain.verdict import Thresholds
from services.clustering.module import DUPLICATES, SERVICE
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.servicers.duplicates import DuplicateParts, DuplicateServicer
from services.clustering.usecases.attempt import Sharding, Worker
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.gallery import Gallery
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import empty
from tests.support.engines import Databases, patient
from tests.support.rpc import serve


@pytest.fixture(scope="module")
def clustering_url(databases: Databases) -> str:
    return databases.fresh(
        "clustering", lambda url: upgrade(url, "clustering", MIGRATIONS) and None
    )


@pytest.fixture
async def database(clustering_url: str) -> AsyncIterator[Database]:
    database = patient(clustering_url, pool_size=10, max_overflow=20)
    await empty(database)
    yield database
    await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(database: Database, clock: FakeClock) -> PostgresStore:
    return PostgresStore(database, clock)


@pytest.fixture
async def index(qdrant_address: QdrantAddress) -> AsyncIterator[QdrantIndex]:
    target, key = qdrant_address.target, qdrant_address.api_key
    async with QdrantIndex(target, api_key=key, timeout=60) as opened:
        yield opened


@pytest.fixture
def desk(store: PostgresStore, index: QdrantIndex, clock: FakeClock) -> Desk:
    return Desk(store, index, clock)


@pytest.fixture
def blobs(tmp_path: Path) -> ObjectBlobs:
    return open_blobs(f"file://{tmp_path / 'blobs'}")


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def stopping() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def stub(
    store: PostgresStore,
    index: QdrantIndex,
    queue: MemoryQueue,
    clock: FakeClock,
    stopping: asyncio.Event,
) -> AsyncIterator[ClusteringServiceStub]:
    """The service over gRPC."""
    servicer = ClusteringServicer(
        store,
        index,
        queue,
        clock,
        PageTokens(b"secret"),
        is_stopping=stopping.is_set,
        heartbeat=0.3,
    )
    register = add_ClusteringServiceServicer_to_server
    async with serve(servicer, SERVICE, register, ClusteringServiceStub) as stub:
        yield stub


@pytest.fixture
def studio(stub: ClusteringServiceStub, store: PostgresStore, desk: Desk) -> Studio:
    return Studio(stub, store, desk.scope)


@pytest.fixture
def pool() -> Iterator[BlockingPool]:
    pool = BlockingPool("tests", 2)
    yield pool
    pool.close()


@pytest.fixture
def worker(
    store: PostgresStore,
    index: QdrantIndex,
    blobs: ObjectBlobs,
    pool: BlockingPool,
    clock: FakeClock,
    queue: MemoryQueue,
) -> Worker:
    return Worker(
        store=store,
        vectors=IndexVectors(index),
        snapshots=BlobSnapshots(blobs),
        pool=pool,
        clock=clock,
        params=Params(),
        owner="worker one",
        max_attempts=3,
        sharding=Sharding(queue),
    )


@pytest.fixture
async def gallery(
    store: PostgresStore,
    index: QdrantIndex,
    clock: FakeClock,
    blobs: ObjectBlobs,
    pool: BlockingPool,
    desk: Desk,
) -> AsyncIterator[Gallery]:
    eyes = BlobPictures(blobs, pool).eyes
    servicer = DuplicateServicer(
        DuplicateParts(store, index, eyes, clock, PageTokens(b"secret"), Thresholds())
    )
    register = add_DuplicateServiceServicer_to_server
    async with serve(servicer, DUPLICATES, register, DuplicateServiceStub) as stub:
        yield Gallery(stub, desk, blobs, eyes)
