"""The tasks on a real Celery worker with a real beat."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from colonnade.scheduler.v1.post_pb2 import Post
from prometheus_client import CollectorRegistry
from redis import Redis

from libs.jobs.celery import make_app
from libs.jobs.worker import InProcessBeat, InProcessWorker
from services.jobs import QUEUES, Jobs
from services.scheduler.jobs import register
from tests.support.scheduler_world import World
from tests.support.wait import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest_asyncio.fixture(loop_scope="package")
async def working(world: World, redis_url: str, tmp_path: Path) -> AsyncIterator[Jobs]:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    jobs = Jobs(make_app(redis_url, QUEUES))
    settings = world.settings.model_copy(update={"tick_every": 0.2})
    out = replace(world.out, queue=jobs.queue)
    register(jobs, out, world.database, settings, CollectorRegistry())
    worker = InProcessWorker(jobs.app, QUEUES, concurrency=4)
    beat = InProcessBeat(jobs.app, jobs.periodic, tmp_path / "beat" / "schedule")
    await asyncio.to_thread(worker.start)
    beat.start()
    yield jobs
    await asyncio.to_thread(beat.stop)
    assert await asyncio.to_thread(worker.stop)
    await asyncio.to_thread(jobs.queue.close)


async def test_beat_and_worker_publish_what_is_due_without_anybody_asking(
    world: World, working: Jobs
) -> None:
    await world.connect()
    posts = [await world.schedule(after=30, caption=f"number {n}") for n in range(5)]

    async def all_out() -> bool:
        await world.advance(3)
        return all([(await world.get(post)).state == Post.STATE_POSTED for post in posts])

    await eventually(all_out, within=120, every=0.15)
    texts = Counter(remote["text"] for remote in await world.buffer.admin.posts())
    assert texts == Counter(f"number {n}" for n in range(5))


async def test_a_task_that_fails_as_expected_leaves_the_worker_alone(
    world: World, working: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    name = "personas/nora/posts/00000000-0000-0000-0000-00000000dead"
    assert await working.queue.enqueue("scheduler.prepare", name, "scheduler")

    async def is_told() -> bool:
        return f"scheduler.prepare {name}: there is no post" in caplog.text

    await eventually(is_told)
