"""Pages of clusters are remembered under keys that name what they show."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_digest_pb2 import ClusterDigest
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    ClusteringServiceStub,
    add_ClusteringServiceServicer_to_server,
)
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio import Redis

from libs.aio import BlockingPool
from libs.blobs.objects import ObjectBlobs
from libs.embedded.redis import RedisServer
from libs.events.connection import open_redis
from libs.rpc.paging import PageTokens
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import IndexVectors
from services.clustering.domain.digest import Subject, Text
from services.clustering.domain.item import Modality
from services.clustering.module import SERVICE
from services.clustering.page_cache import PageCache
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.summarising import Clerk, summarise_cluster, summarise_due
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import deleted, subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.rpc import serve
from tests.support.wait import eventually

TTL = 600.0
# A busy machine must not look like a broken Redis.
PATIENCE = 30.0


@pytest.fixture
def results() -> Counter:
    return Counter("pages", "by result", ["result"], registry=CollectorRegistry())


def count(results: Counter, result: str) -> int:
    return int(results.labels(result)._value.get())


def missed(results: Counter, times: int) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return count(results, "miss") == times

    return is_so


@pytest.fixture
async def studio(
    store: PostgresStore,
    index: QdrantIndex,
    queue: MemoryQueue,
    clock: FakeClock,
    desk: Desk,
    redis: Redis,
    results: Counter,
) -> AsyncIterator[Studio]:
    """The service with a cache."""
    servicer = ClusteringServicer(
        store,
        index,
        queue,
        clock,
        PageTokens(b"secret"),
        is_stopping=lambda: False,
        pages=PageCache(redis, "pages:", TTL, results, patience=PATIENCE),
    )
    register = add_ClusteringServiceServicer_to_server
    async with serve(servicer, SERVICE, register, ClusteringServiceStub) as stub:
        yield Studio(stub, store, desk.scope)


@pytest.fixture
async def found(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    await desk.arrive([*subject(0, 9), *subject(1, 8)])
    await run(worker, desk.scope)
    return [*(await studio.list()).values()]


async def listed(studio: Studio, **fields: object) -> api.ListClustersResponse:
    request = api.ListClustersRequest(parent=studio.scope, **fields)  # type: ignore[arg-type]
    return await studio.stub.ListClusters(request)


async def test_the_same_page_is_made_once(
    studio: Studio, found: list[Cluster], results: Counter
) -> None:
    hits = count(results, "hit")
    first, second = await listed(studio), await listed(studio)
    assert first == second
    assert first.etag
    assert count(results, "hit") == hits + 1
    assert (await listed(studio, page_size=1)).etag != first.etag


async def test_whatever_changes_is_seen_at_once(
    studio: Studio, found: list[Cluster], desk: Desk, worker: Worker
) -> None:
    etags = [(await listed(studio)).etag]
    await studio.update(found[0], "title", title="Mornings")
    renamed = await listed(studio)
    assert "Mornings" in [cluster.title for cluster in renamed.clusters]
    etags.append(renamed.etag)
    hero = renamed.clusters[0].hero.item
    await desk.deliver(deleted(hero))
    without = await listed(studio)
    assert without.clusters[0].hero.item != hero
    assert without.clusters[0].member_count == renamed.clusters[0].member_count - 1
    etags.append(without.etag)
    await desk.arrive(subject(3, 6))
    await run(worker, desk.scope)
    grown = await listed(studio)
    assert len(grown.clusters) == 3
    etags.append(grown.etag)
    assert len(set(etags)) == len(etags)


class Writer:
    """Writes the same about everything; about the first it writes when ``gate`` is open."""

    name, sees = "writer", False

    def __init__(self) -> None:
        self.asked, self.gate = 0, asyncio.Event()

    async def write(self, subject: Subject, pictures: Sequence[bytes]) -> Text:
        self.asked += 1
        if self.asked == 1:
            await self.gate.wait()
        return Text(f"Text {self.asked}", "Written.")

    async def was_asked(self) -> bool:
        return self.asked > 0


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def clerk(
    store: PostgresStore,
    index: QdrantIndex,
    blobs: ObjectBlobs,
    pool: BlockingPool,
    clock: FakeClock,
    writer: Writer,
) -> Clerk:
    writers = dict.fromkeys(Modality, writer)
    return Clerk(store, IndexVectors(index), writers, blobs.get, pool, clock, "clerk", 2)


async def notice(store: PostgresStore, clock: FakeClock) -> list[str]:
    async with store.begin() as tx:
        await tx.summaries.notice(clock.now())
        due = await tx.summaries.due(clock.now(), 10)
        await tx.commit()
    return due


async def states(studio: Studio) -> list[int]:
    return [cluster.digest.state for cluster in (await listed(studio)).clusters]


async def test_what_a_slow_one_wrote_is_seen(
    studio: Studio,
    found: list[Cluster],
    clerk: Clerk,
    writer: Writer,
    store: PostgresStore,
    clock: FakeClock,
) -> None:
    slow, quick = await notice(store, clock)
    writing = asyncio.create_task(summarise_cluster(clerk, slow))
    await eventually(writer.was_asked)
    clock.advance(1)
    await summarise_cluster(clerk, quick)
    assert {*await states(studio)} == {ClusterDigest.STATE_OK, ClusterDigest.STATE_PENDING}
    writer.gate.set()
    await writing
    assert {*await states(studio)} == {ClusterDigest.STATE_OK}


async def test_what_waits_to_be_written_about_and_no_longer_does_is_seen(
    studio: Studio,
    found: list[Cluster],
    clerk: Clerk,
    writer: Writer,
    store: PostgresStore,
    clock: FakeClock,
) -> None:
    writer.gate.set()
    await summarise_due(clerk)
    await studio.update(found[0], "prompt_hint", prompt_hint="x")
    assert {*await states(studio)} == {ClusterDigest.STATE_OK}
    await notice(store, clock)
    assert ClusterDigest.STATE_PENDING in await states(studio)
    clock.advance(1)
    await summarise_due(clerk)
    assert {*await states(studio)} == {ClusterDigest.STATE_OK}
    assert writer.asked == 2


async def test_forgetting_what_was_written_last_brings_no_page_back(
    studio: Studio, found: list[Cluster], clerk: Clerk, writer: Writer, clock: FakeClock
) -> None:
    writer.gate.set()
    await summarise_due(clerk)
    etags = [(await listed(studio)).etag]
    clock.advance(1)
    made = await studio.create("Empty")
    etags.append((await listed(studio)).etag)
    await summarise_due(clerk)
    etags.append((await listed(studio)).etag)
    assert len(set(etags)) == len(etags)
    assert not (await studio.get(made)).HasField("digest")


async def test_an_old_version_keeps_its_pages(studio: Studio, found: list[Cluster]) -> None:
    first = await listed(studio, version=1)
    await studio.update(found[0], "title", title="Mornings")
    assert (await listed(studio, version=1)).clusters == first.clusters


async def test_pages_of_a_pillar_are_read_anew(studio: Studio, found: list[Cluster]) -> None:
    made = await studio.create("Best")
    pillar = f"{studio.scope}/pillars/light"
    assert not (await listed(studio, filter=f'pillar = "{pillar}"')).clusters
    await studio.stub.AssignClusterToPillar(
        api.AssignClusterToPillarRequest(name=made.name, pillar=pillar)
    )
    [shown] = (await listed(studio, filter=f'pillar = "{pillar}"')).clusters
    assert shown.name == made.name


async def test_of_many_at_once_one_makes_the_page(redis: Redis, results: Counter) -> None:
    cache, made, gate = (
        PageCache(redis, "pages:", TTL, results, patience=PATIENCE),
        [],
        asyncio.Event(),
    )

    async def make() -> bytes:
        made.append(1)
        await gate.wait()
        return b"a page"

    asked = [asyncio.create_task(cache.answer("key", make)) for _ in range(20)]
    await eventually(missed(results, 20))
    gate.set()
    assert set(await asyncio.gather(*asked)) == {b"a page"}
    assert made == [1]


async def test_whoever_fails_fails_alone(redis: Redis, results: Counter) -> None:
    cache, gate = PageCache(redis, "pages:", TTL, results, patience=PATIENCE), asyncio.Event()

    async def fail() -> bytes:
        await gate.wait()
        raise ValueError("mine")

    async def make() -> bytes:
        return b"a page"

    failing = asyncio.create_task(cache.answer("key", fail))
    await eventually(missed(results, 1))
    waiting = asyncio.create_task(cache.answer("key", make))
    await eventually(missed(results, 2))
    gate.set()
    with pytest.raises(ValueError, match="mine"):
        await failing
    assert await waiting == b"a page"


async def test_without_redis_pages_are_read(own_redis: RedisServer, results: Counter) -> None:
    client = open_redis(own_redis.url)
    cache = PageCache(client, "pages:", TTL, results, owned=True, patience=PATIENCE)

    async def make() -> bytes:
        return b"a page"

    assert await cache.answer("key", make) == b"a page"
    own_redis.stop()
    assert await cache.answer("key", make) == b"a page"
    assert count(results, "error") == 1
    await cache.close()


async def test_what_is_remembered_ends(redis: Redis, results: Counter) -> None:
    async def make() -> bytes:
        return b"a page"

    await PageCache(redis, "pages:", TTL, results, patience=PATIENCE).answer("key", make)
    # Less what has passed since.
    assert 0.5 * TTL <= await redis.ttl("pages:key") <= 1.1 * TTL
    await PageCache(redis, "never:", 0, results, patience=PATIENCE).answer("key", make)
    assert not await redis.exists("never:key")
