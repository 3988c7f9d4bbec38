"""The module and the jobs of the catalog, opened as a process opens them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from colonnade.catalog.v1 import planning_service_pb2 as planning_pb
from colonnade.events.v1 import event_pb2
from colonnade.type.v1.job_pb2 import JobState
from redis.asyncio import Redis

from libs.app import App, Module
from libs.blobs.objects import ObjectBlobs
from libs.clock import SystemClock
from libs.db.migrate import SchemaOutdated
from libs.events.names import stream_name
from libs.events.publisher import RedisPublisher
from libs.events.stream import Event
from libs.jobs.celery import make_app
from libs.rpc.auth import Authenticator
from libs.rpc.server import RpcServer
from libs.secrets import Secrets
from libs.telemetry import Metrics
from services.catalog import jobs
from services.catalog.domain.names import Key
from services.catalog.domain.photo import Usage
from services.engines import Engines
from services.jobs import QUEUES, Jobs
from services.settings import Settings
from tests.integration.catalog.library import Library
from tests.support.llm.stand_in import language_model
from tests.support.wait import eventually

ENV = "test-catalog-module"
CATALOG = Module("catalog", "services.catalog.module:open")
WORKING = (
    Module("catalog-jobs", "services.catalog.jobs:open"),
    Module("worker", "services.worker:open"),
)
MakeApp = Callable[..., App[Settings]]


@pytest.fixture
async def make_process(
    redis: Redis, redis_url: str, blobs: ObjectBlobs, tmp_path: Path
) -> AsyncIterator[MakeApp]:
    jobs = Jobs(make_app(redis_url, QUEUES))

    def make(url: str, **settings: Any) -> App[Settings]:
        metrics = Metrics()
        rpc = RpcServer(Authenticator(), metrics.rpc)
        given = Settings.model_validate({"env": ENV, **settings})
        app = App(given, tmp_path, SystemClock(), rpc, metrics)
        for part in (Engines({"catalog": url}), redis, blobs, Secrets(b"secret"), jobs):
            app.share(part)
        return app

    yield make
    await asyncio.to_thread(jobs.queue.close)


@asynccontextmanager
async def running(app: App[Settings], *modules: Module) -> AsyncIterator[None]:
    run = asyncio.create_task(app.run([CATALOG, *modules], [], grace=1.0))
    ready = asyncio.create_task(app.ready.wait())
    try:
        async with asyncio.timeout(300):
            await asyncio.wait([run, ready], return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        ready.cancel()
        app.stopping.set()
        await run


async def test_the_module_gets_ready_and_hears_what_others_tell(
    make_process: MakeApp, catalog_url: str, redis: Redis, lib: Library
) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar)

    async def tell(service: str, kind: str, payload: bytes) -> None:
        event = Event(kind, kind, "subject", "key", payload, datetime.now(UTC))
        await RedisPublisher(redis, stream_name(ENV, service)).publish([event])

    async def heard() -> bool:
        now = await lib.cases.photos.get(Key(photo.persona, photo.id))
        return now.usage is Usage.SCHEDULED and now.embedding.model == "net"

    scheduled = event_pb2.PostChanged(post="p", photo=photo.name, state="SCHEDULED", version=1)
    embedded = event_pb2.PhotoEmbedded(photo=photo.name, model="net", revision="2")
    await tell("scheduler", "post.changed", scheduled.SerializeToString())
    app = make_process(catalog_url)
    async with running(app):
        assert app.ready.is_set()
        assert [s.full_name for s in app.rpc.services] == [
            "colonnade.catalog.v1.CatalogService",
            "colonnade.catalog.v1.PlanningService",
            "colonnade.catalog.v1.ImportService",
            "colonnade.catalog.v1.RunService",
            "colonnade.catalog.v1.MigrationService",
        ]
        await tell("clustering", "photo.embedded", embedded.SerializeToString())
        await eventually(heard)


async def test_a_schema_that_is_not_migrated_is_refused(
    make_process: MakeApp, database_url: str
) -> None:
    with pytest.raises(SchemaOutdated, match="target=migrate"):
        async with running(make_process(database_url)):
            pass


async def test_jobs_sweep_every_day_and_prune(
    make_process: MakeApp, catalog_url: str, lib: Library
) -> None:
    app = make_process(catalog_url)
    registered = app.need(Jobs)
    key = "originals/aa/bb/aabb.jpg"
    await lib.blobs.put(key, b"nobody's")
    async with jobs.open(app):
        assert registered.periodic["catalog.sweep_blobs"].every == 24 * 3600
        assert {periodic.queue for periodic in registered.periodic.values()} == {"catalog"}
        for name in registered.periodic:
            await asyncio.to_thread(registered.app.tasks[name])
    assert [row.key for row in await lib.rows("SELECT key FROM catalog.unused_blobs")] == [key]


async def test_a_suggestion_batch_is_written_by_the_worker_with_the_model_of_the_settings(
    make_process: MakeApp, catalog_url: str, lib: Library
) -> None:
    """The batch was announced to nobody, so the sweep has to find it."""
    persona = await lib.persona()
    await lib.pillar(persona, weight=50)
    batch = await lib.planning.CreateSuggestionBatch(
        planning_pb.CreateSuggestionBatchRequest(parent=persona)
    )
    name = planning_pb.WatchSuggestionBatchRequest(name=batch.name)
    async with language_model() as model:
        llm = {"base_url": model.url, "model": "stand-in"}
        app = make_process(catalog_url, llm=llm, catalog={"suggest_sweep_every": 0.5})
        async with running(app, *WORKING), asyncio.timeout(300):
            seen = [answer async for answer in lib.planning.WatchSuggestionBatch(name)]
    assert seen[-1].suggestion_batch.state == JobState.JOB_STATE_SUCCEEDED
    assert [answer.suggestion.source for answer in seen if answer.HasField("suggestion")] == [
        "stand-in"
    ] * 5
