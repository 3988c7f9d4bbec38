"""Runs that nobody asks for: when they are due, how many, and when none is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.db.engine import Database
from libs.errors import InvalidArgument
from services.clustering.domain.run import Run, RunState, Trigger
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from services.clustering.usecases.runs import QUEUE, RUN_TASK
from services.clustering.usecases.schedule import AT_ONCE, start_due_runs
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.faults import Away
from tests.support.clustering.photos import created, deleted, photo_in, subject
from tests.support.clustering.runs import ask, cluster, look
from tests.support.clustering.tables import change, rows

EVERY = timedelta(minutes=15)


class Beat:
    """Ticks at moments that the test chooses."""

    def __init__(self, store: PostgresStore, queue: MemoryQueue, clock: FakeClock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    async def tick(self, minutes: float = 15, *, every: timedelta = EVERY) -> list[Run]:
        """The runs that are due so many minutes after the last tick."""
        self._clock.advance(minutes * 60)
        return await start_due_runs(self._store, self._queue, self._clock, every)


@pytest.fixture
def beat(store: PostgresStore, queue: MemoryQueue, clock: FakeClock) -> Beat:
    return Beat(store, queue, clock)


async def test_four_ticks_with_a_run_that_is_active_make_no_second_one(
    beat: Beat, desk: Desk, worker: Worker, queue: MemoryQueue, store: PostgresStore
) -> None:
    await desk.arrive(subject(0, 7))
    (run,) = await beat.tick()
    assert (run.scope, run.trigger, run.state) == (desk.scope, Trigger.SCHEDULE, RunState.QUEUED)
    assert queue.sent == [(RUN_TASK, run.id, QUEUE)]
    for _ in range(3):
        assert await beat.tick() == []
    await run_clustering_once(worker, run.id)
    assert (await look(store, run)).stats.items == 7
    assert await beat.tick() == [], "nothing waits any more"


async def test_ticks_that_were_missed_make_one_run(
    beat: Beat, desk: Desk, queue: MemoryQueue
) -> None:
    await desk.arrive(subject(0, 7))
    assert len(await beat.tick(5 * 60)) == 1
    assert await beat.tick(0) == []
    assert len(queue.sent) == 1


async def test_photos_that_keep_coming_in_make_one_run_in_that_time(
    beat: Beat, desk: Desk, worker: Worker
) -> None:
    made = 0
    for minute in range(0, 60, 3):
        photo = desk.photo(subject(0, 1, seed=minute)[0])
        await desk.deliver(created(photo, time=desk.now()))
        for run in await beat.tick(3):
            made += 1
            await run_clustering_once(worker, run.id)
    assert made == 4, "one in 15 minutes, though 20 photos came in"


async def test_nothing_new_makes_no_run(beat: Beat, desk: Desk, worker: Worker) -> None:
    photos = await desk.arrive([*subject(0, 7), *subject(1, 5)])
    await cluster(worker, desk.scope)
    assert await beat.tick(60) == []
    await desk.deliver(deleted(photos[0]))
    (run,) = await beat.tick()
    assert run.scope == desk.scope, "what was deleted has to leave the engine's memory"


async def test_a_run_that_failed_is_not_made_again_at_once(
    beat: Beat, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(subject(0, 7))
    (run,) = await beat.tick()
    broken = replace(worker, vectors=Away(InvalidArgument("the vectors are wrong")))
    await run_clustering_once(broken, run.id)
    assert await beat.tick(14) == []
    assert len(await beat.tick(1)) == 1


async def test_a_scope_that_somebody_just_asked_for_is_left_alone(
    beat: Beat, desk: Desk, store: PostgresStore
) -> None:
    await desk.arrive(subject(0, 7))
    await ask(store, desk.scope)
    assert await beat.tick() == []


async def test_switched_off_nothing_is_scheduled(beat: Beat, desk: Desk) -> None:
    await desk.arrive(subject(0, 7))
    assert await beat.tick(60, every=timedelta()) == []


async def test_only_so_many_are_active_at_a_time(
    beat: Beat, desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    scopes = {f"personas/p{number}" for number in range(AT_ONCE + 2)}
    for scope in scopes:
        photo = photo_in(scope)
        desk.embedder.give(photo, subject(0, 1)[0])
        await desk.deliver(created(photo))
    first = await beat.tick()
    assert len(first) == AT_ONCE
    assert await beat.tick(0) == []
    await run_clustering_once(worker, first[0].id)
    second = await beat.tick(0)
    assert len(second) == 1, "as many as there is room for"
    for run in (*first[1:], *second):
        await run_clustering_once(worker, run.id)
    last = await beat.tick(0)
    assert {run.scope for run in (*first, *second, *last)} == scopes


async def test_after_a_switch_of_the_vectors_each_clustered_scope_gets_a_run(
    beat: Beat, desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(subject(0, 7))
    await cluster(worker, desk.scope)
    await change(database, "UPDATE scopes SET collection = 'photos-of-another-model'")
    (run,) = await beat.tick(1, every=timedelta())
    assert (run.scope, run.trigger) == (desk.scope, Trigger.GENERATION)
    assert await beat.tick(1) == []
    await run_clustering_once(worker, run.id)
    assert len(await rows(database, "SELECT FROM scopes WHERE collection LIKE '%another%'")) == 0
    assert await beat.tick(60) == []


async def test_while_most_vectors_are_missing_the_old_clusters_stay(
    beat: Beat, desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(subject(0, 7))
    await cluster(worker, desk.scope)
    await change(database, "UPDATE scopes SET collection = 'photos-of-another-model'")
    await change(database, "UPDATE item_vectors SET state = 'pending', scene = ''")
    assert await beat.tick(every=timedelta()) == []
