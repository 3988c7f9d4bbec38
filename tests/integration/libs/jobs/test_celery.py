import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.worker import state as worker_state
from redis.asyncio import Redis

from libs.embedded.redis import RedisServer
from libs.errors import Unavailable
from libs.jobs.celery import CeleryQueue, async_task, make_app
from libs.jobs.queue import JobQueue
from libs.jobs.worker import InProcessBeat, InProcessWorker, Periodic
from tests.support.wait import eventually

QUEUES = ("catalog", "clustering")
# In seconds; far above what anything takes, as the machine may be busy.
PATIENCE = 90.0


@pytest.fixture
def app(redis: Redis, redis_url: str) -> Iterator[Celery]:
    app = make_app(redis_url, QUEUES)
    yield app
    app.close()


@pytest.fixture
async def queue(app: Celery) -> AsyncIterator[CeleryQueue]:
    queue = CeleryQueue(app, timeout=PATIENCE)
    yield queue
    await asyncio.to_thread(queue.close)


class Work:
    """A task that remembers what ran, and where; it ends while its gate is open."""

    def __init__(self, takes: float = 0.0) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.started: list[str] = []
        self.finished: list[str] = []
        self.threads: set[int] = set()
        self._takes = takes

    async def run(self, job_id: str) -> None:
        self.started.append(job_id)
        self.threads.add(threading.get_ident())
        await asyncio.sleep(self._takes)
        await self.gate.wait()
        self.finished.append(job_id)

    async def has_started(self) -> bool:
        return bool(self.started)

    async def has_finished(self) -> bool:
        return bool(self.finished)


async def stop(worker: InProcessWorker, timeout: float = PATIENCE) -> bool:
    """Off the loop, on which the tasks still have to finish."""
    return await asyncio.to_thread(worker.stop, timeout)


async def test_enqueued_work_runs_on_the_loop_that_was_given(app: Celery, queue: JobQueue) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.work", work.run, lambda: loop)
    worker = InProcessWorker(app, QUEUES, concurrency=2)
    await asyncio.to_thread(worker.start)
    for number in range(20):
        assert await queue.enqueue("catalog.work", f"job {number}", QUEUES[number % 2])

    async def all_done() -> bool:
        return len(work.finished) == 20

    await eventually(all_done)
    assert sorted(work.finished) == sorted(f"job {n}" for n in range(20))
    assert work.threads == {threading.get_ident()}
    assert await stop(worker)


async def test_a_worker_leaves_the_queues_of_others(
    app: Celery, queue: JobQueue, redis: Redis
) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.work", work.run, lambda: loop)
    worker = InProcessWorker(app, ("catalog",), concurrency=1)
    await queue.enqueue("catalog.work", "of another", "clustering")
    await queue.enqueue("catalog.work", "of its own", "catalog")
    await asyncio.to_thread(worker.start)
    await eventually(lambda: is_done(work, 1))
    assert await stop(worker)
    assert work.finished == ["of its own"]
    assert await redis.llen("clustering") == 1


async def is_done(work: Work, count: int) -> bool:
    """Whether that many tasks are finished."""
    return len(work.finished) == count


async def test_stopping_finishes_the_running_task_and_acknowledges_it(
    app: Celery, queue: JobQueue, redis: Redis
) -> None:
    async def asked_to_stop() -> bool:
        return worker_state.should_stop is not None

    work, loop = Work(), asyncio.get_running_loop()
    work.gate.clear()
    async_task(app, "catalog.work", work.run, lambda: loop)
    worker = InProcessWorker(app, QUEUES, concurrency=1)
    await asyncio.to_thread(worker.start)
    await queue.enqueue("catalog.work", "running", "catalog")
    await eventually(work.has_started)
    for number in range(5):
        await queue.enqueue("catalog.work", f"waiting {number}", "catalog")
    stopping = asyncio.create_task(stop(worker))
    await eventually(asked_to_stop)
    work.gate.set()
    assert await stopping
    # One more may have been on its way to the worker just then.
    assert work.finished in (["running"], ["running", "waiting 0"])
    # These are acknowledged, the others are there for the next worker.
    left = await redis.hlen("unacked") + await redis.llen("catalog")
    assert left == 1 + 5 - len(work.finished)


async def test_a_worker_can_be_started_after_another_was_stopped(
    app: Celery, queue: JobQueue
) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.work", work.run, lambda: loop)
    for life in range(2):
        worker = InProcessWorker(app, QUEUES)
        await asyncio.to_thread(worker.start)
        await queue.enqueue("catalog.work", f"job {life}", "catalog")

        async def done(life: int = life) -> bool:
            return f"job {life}" in work.finished

        await eventually(done)
        assert await stop(worker)


async def test_stopping_is_bounded(app: Celery, queue: JobQueue) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    work = Work()

    async def run(job_id: str) -> None:
        await work.run(job_id)
        await release.wait()

    async_task(app, "catalog.work", run, lambda: loop)
    worker = InProcessWorker(app, QUEUES)
    await asyncio.to_thread(worker.start)
    await queue.enqueue("catalog.work", "stuck", "catalog")
    await eventually(work.has_started)
    assert not await stop(worker, 0.5)
    release.set()
    assert await stop(worker)


async def test_a_failing_task_is_logged_and_the_worker_goes_on(
    app: Celery, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    work, loop = Work(), asyncio.get_running_loop()

    async def fail(job_id: str) -> None:
        raise RuntimeError(f"{job_id} is cursed")

    async_task(app, "catalog.fail", fail, lambda: loop)
    async_task(app, "catalog.work", work.run, lambda: loop)
    worker = InProcessWorker(app, QUEUES, concurrency=1)
    await asyncio.to_thread(worker.start)
    await queue.enqueue("catalog.fail", "job 1", "catalog")
    await queue.enqueue("catalog.work", "job 2", "catalog")
    await eventually(work.has_finished)
    assert await stop(worker)
    assert "job 1 is cursed" in caplog.text


async def test_a_task_whose_database_is_away_says_so_in_one_line(
    app: Celery, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    work, loop = Work(), asyncio.get_running_loop()

    async def fail(job_id: str) -> None:
        raise Unavailable("the database is away")

    async_task(app, "catalog.fail", fail, lambda: loop)
    async_task(app, "catalog.work", work.run, lambda: loop)
    worker = InProcessWorker(app, QUEUES, concurrency=1)
    await asyncio.to_thread(worker.start)
    await queue.enqueue("catalog.fail", "job 1", "catalog")
    await queue.enqueue("catalog.work", "job 2", "catalog")
    await eventually(work.has_finished)
    assert await stop(worker)
    told = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    (line,) = [record for record in told if "catalog.fail" in record.getMessage()]
    assert line.getMessage() == "catalog.fail waits: the database is away"
    assert line.exc_info is None


async def test_a_task_that_takes_too_long_is_cancelled(
    app: Celery, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    work, loop = Work(takes=3600), asyncio.get_running_loop()
    cancelled = asyncio.Event()

    async def run(job_id: str) -> None:
        try:
            await work.run(job_id)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async_task(app, "catalog.work", run, lambda: loop, timeout=0.2)
    worker = InProcessWorker(app, QUEUES)
    await asyncio.to_thread(worker.start)
    await queue.enqueue("catalog.work", "job", "catalog")
    await asyncio.wait_for(cancelled.wait(), 60)
    assert await stop(worker)
    assert work.finished == []
    assert "TimeoutError" in caplog.text


async def test_a_broker_that_is_away_fails_nothing(own_redis: RedisServer) -> None:
    app = make_app(own_redis.url, QUEUES)
    failed: list[str] = []
    queue = CeleryQueue(app, timeout=PATIENCE, on_failure=failed.append)
    assert await queue.enqueue("catalog.work", "job 1", "catalog")
    own_redis.stop()
    assert not await queue.enqueue("catalog.work", "job 2", "catalog")
    assert failed == ["catalog"]
    own_redis.start()
    assert await queue.enqueue("catalog.work", "job 3", "catalog")
    await asyncio.to_thread(queue.close)


async def test_a_message_that_nobody_takes_in_time_is_dropped(app: Celery) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.work", work.run, lambda: loop)
    hasty, patient = (
        CeleryQueue(app, timeout=PATIENCE, expires=expires) for expires in (0.2, 600.0)
    )
    await hasty.enqueue("catalog.work", "too late", "catalog")
    await asyncio.sleep(0.5)
    await patient.enqueue("catalog.work", "in time", "catalog")
    worker = InProcessWorker(app, QUEUES, concurrency=1)
    await asyncio.to_thread(worker.start)
    await eventually(work.has_finished)
    assert await stop(worker)
    assert work.finished == ["in time"]
    for queue in (hasty, patient):
        await asyncio.to_thread(queue.close)


async def test_an_unknown_queue_is_a_mistake_that_shows(queue: CeleryQueue) -> None:
    assert not await queue.enqueue("catalog.work", "job", "typo")


# Celery announces a default of its next version whenever it loses its broker.
@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
async def test_the_worker_waits_for_a_broker_that_comes_back(own_redis: RedisServer) -> None:
    app = make_app(own_redis.url, QUEUES)
    queue = CeleryQueue(app, timeout=PATIENCE)
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.work", work.run, lambda: loop)
    worker = InProcessWorker(app, QUEUES)
    await asyncio.to_thread(worker.start)
    own_redis.stop()
    own_redis.start()

    assert await queue.enqueue("catalog.work", "job", "catalog")
    await eventually(work.has_finished, within=120)  # it tries again every few seconds
    assert worker.is_alive()
    assert await stop(worker)
    assert not worker.is_alive()
    await asyncio.to_thread(queue.close)


async def test_beat_sends_what_is_due_and_remembers(app: Celery, tmp_path: Path) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.sweep", work.run, lambda: loop)
    worker = InProcessWorker(app, QUEUES)
    await asyncio.to_thread(worker.start)
    schedule = {"sweep": Periodic("catalog.sweep", "catalog", 0.5, ("all",))}
    beat = InProcessBeat(app, schedule, tmp_path / "beat" / "schedule")
    beat.start()

    async def twice() -> bool:
        return len(work.finished) >= 2

    await eventually(twice)
    assert set(work.finished) == {"all"}
    assert await asyncio.to_thread(beat.stop, PATIENCE)
    assert list((tmp_path / "beat").iterdir())
    assert await stop(worker)


async def test_ticks_that_nobody_takes_are_dropped(
    app: Celery, tmp_path: Path, redis: Redis
) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    async_task(app, "catalog.sweep", work.run, lambda: loop)
    beat = InProcessBeat(
        app, {"sweep": Periodic("catalog.sweep", "catalog", 0.3, ("all",))}, tmp_path / "schedule"
    )
    beat.start()

    async def several() -> bool:
        return await redis.llen("catalog") >= 4

    await eventually(several)
    assert await asyncio.to_thread(beat.stop, PATIENCE)
    await asyncio.sleep(0.4)
    worker = InProcessWorker(app, QUEUES)
    await asyncio.to_thread(worker.start)

    async def empty() -> bool:
        return await redis.llen("catalog") == 0 and await redis.hlen("unacked") == 0

    await eventually(empty)
    assert await stop(worker)
    assert work.started == []


async def test_logging_of_the_process_is_left_alone(app: Celery, queue: JobQueue) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    worker = InProcessWorker(app, QUEUES)
    await asyncio.to_thread(worker.start)
    assert await stop(worker)
    assert (root.level, list(root.handlers)) == before


def test_messages_are_json_without_results() -> None:
    app = make_app("redis://127.0.0.1:1/0", QUEUES, visibility_timeout=100)
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_ignore_result
    assert app.conf.task_acks_late and app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.broker_transport_options["visibility_timeout"] == 100
