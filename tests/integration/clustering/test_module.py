"""The service and its jobs, opened as a process opens them, with the catalog's stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1 import generation_service_pb2 as generations
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub
from colonnade.clustering.v1.generation_pb2 import Generation
from colonnade.clustering.v1.generation_service_pb2_grpc import GenerationServiceStub
from colonnade.clustering.v1.search_service_pb2 import SearchItemsRequest
from colonnade.clustering.v1.search_service_pb2_grpc import SearchServiceStub
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from colonnade.type.v1.job_pb2 import JobState
from redis.asyncio import Redis

from libs.app import App, Module
from libs.blobs.objects import ObjectBlobs
from libs.clock import SystemClock
from libs.db.engine import Database
from libs.db.migrate import SchemaOutdated
from libs.errors import ColonnadeError, InvalidArgument
from libs.events.dead_letters import DeadLetters
from libs.events.names import stream_name
from libs.events.publisher import RedisPublisher
from libs.jobs.celery import make_app
from libs.rpc.auth import Authenticator
from libs.rpc.contracts import SERVICES
from libs.rpc.peers import Peers
from libs.rpc.server import RpcServer
from libs.secrets import Secrets
from libs.telemetry import Metrics
from libs.vectors.qdrant import QdrantIndex
from services.clustering.embedder import RpcEmbedder
from services.clustering.ports import Embedded
from services.clustering.repository.store import PostgresStore
from services.engines import Engines
from services.jobs import QUEUES, Jobs
from services.settings import Settings
from tests.support.clustering.desk import Desk
from tests.support.clustering.embedding_service import SERVICE as EMBEDDING
from tests.support.clustering.embedding_service import StandInEmbedding
from tests.support.clustering.photos import (
    COLLECTION,
    OTHER,
    Vector,
    axis,
    created,
    deleted,
    key_of,
    new_scope,
    photo_in,
    subject,
    tilted,
    updated,
)
from tests.support.clustering.runs import ask, look
from tests.support.clustering.tables import rows, told
from tests.support.wait import eventually

ENV = "test-clustering-module"
# What a service gives up after five or ten seconds may take a busy machine longer.
PATIENCE = 60.0
SERVED = Module("clustering", "services.clustering.module:open")
WORKING = (
    Module("clustering-jobs", "services.clustering.jobs:open"),
    Module("worker", "services.worker:open"),
)


@pytest.fixture
async def embedding(tmp_path: Path) -> AsyncIterator[StandInEmbedding]:
    service = StandInEmbedding(tmp_path / "embedding.sock")
    yield service
    await service.stop()


@pytest.fixture
async def peers(embedding: StandInEmbedding, tmp_path: Path) -> AsyncIterator[Peers]:
    addresses = {
        "catalog": f"unix:{tmp_path / 'catalog.sock'}",
        "embedding": embedding.address,
        "clustering": f"unix:{tmp_path / 'clustering.sock'}",
    }
    services = {
        "catalog": SERVICES["catalog"],
        "embedding": (EMBEDDING,),
        "clustering": SERVICES["clustering"],
    }
    peers = Peers(addresses, services, {})
    yield peers
    await peers.close()


@pytest.fixture
async def app(
    clustering_url: str,
    redis: Redis,
    redis_url: str,
    index: QdrantIndex,
    blobs: ObjectBlobs,
    peers: Peers,
    tmp_path: Path,
) -> AsyncIterator[App[Settings]]:
    metrics = Metrics()
    rpc = RpcServer(Authenticator(), metrics.rpc)
    # A tick that nobody takes before the next one is dropped, so they must not be too near.
    settings = Settings.model_validate(
        {"env": ENV, "clustering": {"sweep_seconds": 2.0}, "database": {"timeout": PATIENCE}}
    )
    jobs = Jobs(make_app(redis_url, QUEUES))
    app = App(settings, tmp_path, SystemClock(), rpc, metrics)
    engines = Engines({"clustering": clustering_url})
    for part in (engines, redis, index, blobs, peers, jobs, Secrets(b"secret")):
        app.share(part)
    yield app
    await asyncio.to_thread(jobs.queue.close)


@asynccontextmanager
async def running(app: App[Settings], *modules: Module) -> AsyncIterator[ClusteringServiceStub]:
    socket = f"unix:{app.data / 'clustering.sock'}"
    run = asyncio.create_task(app.run(modules, [socket], grace=1.0))
    ready = asyncio.create_task(app.ready.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait([run, ready], return_when=asyncio.FIRST_COMPLETED)
        yield app.need(Peers).stub(ClusteringServiceStub, "clustering")
    finally:
        ready.cancel()
        app.stopping.set()
        await run


class Catalog:
    """Tells of photos on the catalog's stream."""

    def __init__(self, redis: Redis, embedding: StandInEmbedding) -> None:
        self.scope = new_scope()
        self._publisher = RedisPublisher(redis, stream_name(ENV, "catalog"))
        self._embedding = embedding

    def photo(self, result: Vector | ColonnadeError) -> str:
        name = photo_in(self.scope)
        self._embedding.results[key_of(name)] = result
        return name

    async def tell(self, make: Callable[..., Any], *photos: str, **told: Any) -> None:
        await self._publisher.publish([make(photo, **told) for photo in photos])


@pytest.fixture
def catalog(redis: Redis, embedding: StandInEmbedding) -> Catalog:
    return Catalog(redis, embedding)


def embedded(database: Database, count: int) -> Callable[[], Any]:
    async def so_many() -> bool:
        return len(await told(database, "photo.embedded")) >= count

    return so_many


async def test_photos_of_the_catalog_become_clusters(
    app: App[Settings], catalog: Catalog, embedding: StandInEmbedding, database: Database
) -> None:
    await embedding.start()
    photos = [catalog.photo(vector) for vector in [*subject(0, 12), *subject(1, 12)]]
    bad = catalog.photo(InvalidArgument("this is no picture", reason="BAD_IMAGE"))
    await catalog.tell(created, *photos, bad)
    async with running(app, SERVED, *WORKING) as stub:
        assert app.ready.is_set()
        await eventually(embedded(database, 24), within=PATIENCE)
        wanted = api.CreateClusteringRunRequest(parent=catalog.scope)
        run = await stub.CreateClusteringRun(wanted, timeout=PATIENCE)
        watch = api.WatchClusteringRunRequest(name=run.name)
        seen = [answer.clustering_run async for answer in stub.WatchClusteringRun(watch)]
        assert seen[-1].state == JobState.JOB_STATE_SUCCEEDED
        assert (seen[-1].stats.clusters, seen[-1].stats.items) == (2, 24)
        assert seen[-1].stats.missing == 1, "the bad one is still tried"
        await catalog.tell(updated, photos[0], tags=["new"])
        await catalog.tell(deleted, photos[1])

        async def heard() -> bool:
            query = "SELECT FROM items WHERE state = 'deleted' OR words = '{tag:new}'"
            return len(await rows(database, query)) == 2

        await eventually(heard, within=PATIENCE)


async def test_a_generation_is_filled_and_told_of_in_the_background(
    app: App[Settings], catalog: Catalog, embedding: StandInEmbedding, database: Database
) -> None:
    await embedding.start()
    photos = [catalog.photo(tilted(0, 0.9 - n / 100, 1)) for n in range(20)]
    await catalog.tell(created, *photos)
    async with running(app, SERVED, *WORKING):
        await eventually(embedded(database, 20), within=PATIENCE)
        stub = app.need(Peers).stub(GenerationServiceStub, "clustering")
        wanted = Generation(model=OTHER.model)
        request = generations.CreateGenerationRequest(generation=wanted)
        made = await stub.CreateGeneration(request, timeout=PATIENCE)
        watch = generations.WatchGenerationRequest(name=made.name)
        seen = [answer.generation async for answer in stub.WatchGeneration(watch)]
        assert (seen[-1].state, seen[-1].counts.done) == (Generation.STATE_READY, 20)
        assert seen[-1].comparison.neighbour_overlap == pytest.approx(1.0)
        activate = generations.ActivateGenerationRequest(name=made.name)
        await stub.ActivateGeneration(activate, timeout=PATIENCE)
        await eventually(embedded(database, 40), within=PATIENCE)
        search = app.need(Peers).stub(SearchServiceStub, "clustering")
        query = SearchItemsRequest(parent=catalog.scope, item=photos[0])
        assert (await search.SearchItems(query, timeout=PATIENCE)).model == OTHER.model
        every = generations.ListGenerationsRequest()
        answer = await stub.ListGenerations(every, timeout=PATIENCE)
        (old,) = [g.name for g in answer.generations if g.state == Generation.STATE_RETIRED]
        delete = generations.DeleteGenerationRequest(name=old)
        await stub.DeleteGeneration(delete, timeout=PATIENCE)
        describe = app.need(Jobs).app.tasks["clustering.describe"]

        async def dropped() -> bool:
            await asyncio.to_thread(describe)  # does nothing while beat has it do so
            return len(await rows(database, "SELECT FROM collections")) == 1

        await eventually(dropped, within=PATIENCE)
    messages = (await told(database, "photo.embedded"))[20:]
    assert {message.model for message in messages} == {OTHER.model}


async def test_while_the_embedding_service_is_away_nothing_is_lost(
    app: App[Settings],
    catalog: Catalog,
    embedding: StandInEmbedding,
    database: Database,
    redis: Redis,
) -> None:
    photos = [catalog.photo(axis(number)) for number in range(20)]
    async with running(app, SERVED):
        await catalog.tell(created, *photos)

        async def all_wait() -> bool:
            return len(await rows(database, "SELECT FROM items WHERE state = 'live'")) == 20

        await eventually(all_wait, within=PATIENCE)
        assert await told(database, "photo.embedded") == []
        await embedding.start()
        await eventually(embedded(database, 20), within=PATIENCE)
    messages = await told(database, "photo.embedded")
    assert sorted(message.photo for message in messages) == sorted(photos)
    assert await DeadLetters(redis, stream_name(ENV, "catalog")).count() == 0


async def test_a_run_that_no_message_announces_is_found(
    app: App[Settings], store: PostgresStore, database: Database
) -> None:
    run = await ask(store, new_scope())
    async with running(app, SERVED, *WORKING):

        async def ended() -> bool:
            return (await look(store, run)).ended

        await eventually(ended, within=PATIENCE)
        prune = app.need(Jobs).app.tasks["clustering.prune"]
        await asyncio.to_thread(prune)
    assert (await look(store, run)).attempt == 1


async def test_photos_whose_event_is_lost_are_embedded_all_the_same(
    app: App[Settings], desk: Desk, embedding: StandInEmbedding, database: Database
) -> None:
    photos = [desk.photo(axis(number)) for number in range(20)]
    embedding.results = {key_of(photo): axis(number) for number, photo in enumerate(photos)}
    await desk.note(*(created(photo) for photo in photos))
    async with running(app, *WORKING):
        embed = app.need(Jobs).app.tasks["clustering.embed_pending"]
        await asyncio.to_thread(embed)
        assert await told(database, "photo.embedded") == []
        await embedding.start()

        async def all_embedded() -> bool:
            await asyncio.to_thread(embed)
            return len(await told(database, "photo.embedded")) == 20

        await eventually(all_embedded, within=PATIENCE)


async def test_a_schema_that_is_not_migrated_is_refused(
    app: App[Settings], database_url: str
) -> None:
    app.share(Engines({"clustering": database_url}))
    with pytest.raises(SchemaOutdated, match="target=migrate"):
        async with running(app, SERVED):
            pass


async def test_the_embedder_speaks_the_contract(peers: Peers, embedding: StandInEmbedding) -> None:
    await embedding.start()
    embedding.results = {"good": axis(3), "bad": InvalidArgument("no picture", reason="BAD_IMAGE")}
    embedder = RpcEmbedder(peers.stub(EmbeddingServiceStub, "embedding"), duplicate_floor=0.0)
    good, bad = await embedder.embed(["good", "bad"], COLLECTION.model, "personas/nora")
    assert isinstance(good, Embedded) and good.vector.tolist() == axis(3).tolist()
    assert isinstance(bad, InvalidArgument) and bad.reason == "BAD_IMAGE"
    assert await embedder.describe("") == await embedder.describe(COLLECTION.model) == COLLECTION
    for _ in range(2):
        assert await embedder.embed_text(COLLECTION, "sunset", "personas/nora") is None, (
            "it reads pictures only"
        )
    assert embedding.asked_for_model == 3
