"""How runs end: workers that die, are slow or meet; runs that are cancelled; engines away."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.errors import FailedPrecondition, InvalidArgument, Unavailable
from libs.ids import uuid7
from libs.lease import LeaseLost
from services.clustering.algorithms.params import Params
from services.clustering.domain.run import LONGEST_YIELD, Mode, Run, RunState, Stats
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.run_once import run_clustering_once, waiting_runs
from services.clustering.usecases.runs import cancel_run, run_name
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Away, Died, Fuse, Hook, Hooked, Mortal
from tests.support.clustering.photos import deleted, subject
from tests.support.clustering.runs import NO_KEY, ask, beats_of, cluster, look
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import expire, rows, told

TWO = [*subject(0, 6), *subject(1, 5)]


async def version(store: PostgresStore, scope: str) -> int:
    async with store.read() as tx:
        return (await tx.clusters.scope(scope)).version


async def cancel(store: PostgresStore, run: Run) -> Run:
    return await cancel_run(store, run_name(run.scope, run.id), NO_KEY)


def mortal(worker: Worker, fuse: Fuse) -> Worker:
    return replace(
        worker,
        owner="worker that dies",
        store=Mortal(worker.store, fuse),
        vectors=Mortal(worker.vectors, fuse),
        snapshots=Mortal(worker.snapshots, fuse),
    )


class Untouched:
    """What a run without anything to do has no business with."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


async def test_with_nothing_new_neither_vectors_nor_memory_are_read(
    desk: Desk, worker: Worker
) -> None:
    await desk.arrive(TWO)
    await cluster(worker, desk.scope)
    idle: Any = Untouched()
    done = await cluster(replace(worker, vectors=idle, snapshots=idle), desk.scope)
    assert (done.state, done.stats.noop, done.version) == (RunState.SUCCEEDED, True, 0)
    assert (done.stats.items, done.stats.clusters) == (len(TWO), 2)


async def test_two_workers_on_one_run_do_it_once(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(TWO)
    other = replace(worker, owner="worker two")
    for _ in range(5):
        run = await ask(worker.store, desk.scope, Mode.REFIT)
        answers = await asyncio.gather(
            *(run_clustering_once(w, run.id) for w in (worker, other, worker))
        )
        (done,) = [answer for answer in answers if answer is not None]
        assert (done.state, done.attempt) == (RunState.SUCCEEDED, 1)
    assert len(await told(database, "clusters.updated")) == 5


async def test_a_slow_worker_writes_nothing_once_another_has_the_run(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    database: Database,
    blobs: ObjectBlobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beats_of(monkeypatch)  # none comes between the end of its lease and the other worker
    await desk.arrive(TWO)
    run = await ask(store, desk.scope)

    async def meanwhile() -> None:
        await expire(database)
        done = await run_clustering_once(worker, run.id)
        assert done is not None and done.version == 1

    slow = replace(worker, snapshots=Hooked(worker.snapshots, "save", meanwhile), owner="slow")
    with pytest.raises(LeaseLost):
        await run_clustering_once(slow, run.id)
    after = await look(store, run)
    assert (after.state, after.version, after.attempt) == (RunState.SUCCEEDED, 1, 2)
    assert len(await told(database, "clusters.updated")) == 1
    # What is remembered is the other one's, untouched.
    assert (await cluster(worker, desk.scope)).stats.noop
    assert len([key async for key in blobs.list("clustering")]) == 1


async def test_a_slow_worker_writes_nothing_once_its_run_is_given_up(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beats_of(monkeypatch)  # none comes between the end of its lease and the sweep
    await desk.arrive(TWO)
    run = await ask(store, desk.scope)
    only_once = replace(worker, max_attempts=1)

    async def meanwhile() -> None:
        await expire(database)
        assert await waiting_runs(only_once) == []
        assert (await cluster(worker, desk.scope)).version == 1

    slow = replace(only_once, snapshots=Hooked(worker.snapshots, "save", meanwhile))
    with pytest.raises(LeaseLost):
        await run_clustering_once(slow, run.id)
    assert (await look(store, run)).state is RunState.FAILED
    assert await version(store, desk.scope) == 1


async def test_a_run_whose_workers_keep_dying_fails_and_says_so(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    await desk.arrive(TWO)
    run = await ask(store, desk.scope)
    for attempt in range(1, worker.max_attempts + 1):
        assert await waiting_runs(worker) == [run.id]
        with pytest.raises(Died):
            await run_clustering_once(mortal(worker, Fuse(8)), run.id)
        assert (await look(store, run)).attempt == attempt
        assert await waiting_runs(worker) == [], "its worker may still live"
        await expire(database)
    # A message that comes late does not give it one more try.
    assert await run_clustering_once(worker, run.id) is None
    assert await waiting_runs(worker) == []
    failed = await look(store, run)
    assert (failed.state, failed.error_reason) == (RunState.FAILED, "WORKER_LOST")
    assert "3 times" in failed.error_message and failed.end_time is not None
    assert (await cluster(worker, desk.scope)).state is RunState.SUCCEEDED


async def test_while_the_vectors_are_away_the_run_waits(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    await desk.arrive(TWO)
    run = await ask(store, desk.scope)
    away = replace(worker, vectors=Away(Unavailable("the index is away")))
    put_back = await run_clustering_once(away, run.id)
    assert put_back is not None and put_back.state is RunState.QUEUED
    stored = await look(store, run)
    assert (stored.state, stored.error_reason) == (RunState.QUEUED, "UNAVAILABLE")
    assert await waiting_runs(worker) == [], "it is not tried again at once"
    assert await run_clustering_once(worker, run.id) is None
    await expire(database)
    assert await waiting_runs(worker) == [run.id]
    done = await run_clustering_once(worker, run.id)
    assert done is not None
    assert (done.state, done.attempt, done.error_reason) == (RunState.SUCCEEDED, 2, "")


async def test_after_the_last_attempt_a_run_fails_with_what_was_away(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(TWO)
    away = replace(worker, vectors=Away(Unavailable("the index is away")))
    run = await ask(worker.store, desk.scope)
    for _ in range(worker.max_attempts):
        done = await run_clustering_once(away, run.id)
        await expire(database)
    assert done is not None and done.state is RunState.FAILED
    assert (done.error_reason, done.error_message) == ("UNAVAILABLE", "the index is away")


class Crowded:
    """Snapshots; somebody changes the scope each time before the memory of a version is stored."""

    def __init__(self, snapshots: Any, edit: Hook) -> None:
        self._snapshots = snapshots
        self._edit = edit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshots, name)

    async def save(self, key: str, data: bytes) -> None:
        await self._edit()
        await self._snapshots.save(key, data)


@dataclass(frozen=True)
class After:
    """The wall clock, so much later: it is the database that tells when a run began."""

    passed: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed


@pytest.fixture
def crowded(worker: Worker, studio: Studio) -> Worker:
    """A worker that is slower than the people at work in its scope."""

    async def edit() -> None:
        await studio.create(f"Cluster {uuid7()}")

    snapshots: Any = Crowded(worker.snapshots, edit)
    return replace(worker, snapshots=snapshots, clock=After(LONGEST_YIELD / 2))


async def test_people_who_are_faster_than_a_run_use_up_none_of_its_attempts(
    desk: Desk, worker: Worker, crowded: Worker, store: PostgresStore, database: Database
) -> None:
    await desk.arrive(TWO)
    run = await ask(store, desk.scope)
    for _ in range(worker.max_attempts + 1):
        waiting = await run_clustering_once(crowded, run.id)
        assert waiting is not None and waiting == await look(store, run)
        assert (waiting.state, waiting.attempt) == (RunState.QUEUED, 0)
        assert "counts as no attempt" in waiting.error_message
        assert await waiting_runs(worker) == [], "it is not tried again at once"
        await expire(database)
    done = await run_clustering_once(worker, run.id)
    assert done is not None
    assert (done.state, done.attempt, done.error_message) == (RunState.SUCCEEDED, 1, "")


async def test_a_run_makes_way_for_people_for_an_hour_at_most(
    desk: Desk, worker: Worker, crowded: Worker, database: Database
) -> None:
    await desk.arrive(TWO)
    waiting = await cluster(crowded, desk.scope)
    assert waiting.state is RunState.QUEUED
    await expire(database)
    done = await run_clustering_once(replace(crowded, clock=After(LONGEST_YIELD)), waiting.id)
    assert done is not None
    assert (done.state, done.error_reason) == (RunState.FAILED, "CONFLICT")
    assert "for 60 minutes" in done.error_message and "ask for another run" in done.error_message
    assert (await cluster(worker, desk.scope)).state is RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("error", "reason"),
    [(InvalidArgument("wrong", reason="WRONG"), "WRONG"), (ValueError("secret"), "INTERNAL")],
)
async def test_a_run_that_cannot_succeed_fails_at_once(
    desk: Desk, worker: Worker, store: PostgresStore, error: Exception, reason: str
) -> None:
    await desk.arrive(TWO)
    done = await cluster(replace(worker, vectors=Away(error)), desk.scope)
    assert (done.state, done.error_reason, done.attempt) == (RunState.FAILED, reason, 1)
    assert "secret" not in done.error_message
    assert await version(store, desk.scope) == 0


async def test_cancelling_a_queued_run_ends_it(
    desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    run = await ask(store, desk.scope)
    cancelled = await cancel(store, run)
    assert cancelled.state is RunState.CANCELLED and cancelled.end_time is not None
    assert await run_clustering_once(worker, run.id) is None
    assert (await ask(store, desk.scope)).id != run.id


@pytest.mark.parametrize(
    ("part", "method", "reached"),
    [("vectors", "of_points", "fit"), ("snapshots", "save", "store")],
)
async def test_cancelling_a_running_run_drops_what_it_found(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    database: Database,
    blobs: ObjectBlobs,
    part: str,
    method: str,
    reached: str,
) -> None:
    worker = replace(worker, params=Params(first_fit=5, growth_when_small=3.0))
    await desk.arrive(TWO)
    await cluster(worker, desk.scope)
    await desk.arrive(subject(2, 5))
    run = await ask(store, desk.scope)

    async def meanwhile() -> None:
        asked = await cancel(store, run)
        assert asked.state is RunState.CANCELLING and asked.end_time is None
        assert (await ask(store, desk.scope)).id == run.id, "it is still active"

    hooked: Any = Hooked(getattr(worker, part), method, meanwhile)
    done = await run_clustering_once(replace(worker, **{part: hooked}), run.id)
    assert done is not None
    assert (done.state, done.version, done.stats) == (RunState.CANCELLED, 0, Stats())
    assert done.phase == reached, "it goes no further than to the next phase"
    assert await version(store, desk.scope) == 1
    assert len(await told(database, "clusters.updated")) == 1
    assert len([key async for key in blobs.list("clustering")]) == 1
    assert (await cluster(worker, desk.scope)).version == 2


async def test_a_run_to_be_cancelled_whose_worker_died_is_cancelled_by_the_next(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    await desk.arrive(TWO)
    run = await ask(store, desk.scope)
    with pytest.raises(Died):
        await run_clustering_once(mortal(worker, Fuse(8)), run.id)
    assert (await cancel(store, run)).state is RunState.CANCELLING
    await expire(database)
    done = await run_clustering_once(worker, run.id)
    assert done is not None and done.state is RunState.CANCELLED


async def test_a_run_to_be_cancelled_that_was_tried_too_often_is_cancelled_not_failed(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    run = await ask(store, desk.scope)
    only_once = replace(worker, max_attempts=1)
    with pytest.raises(Died):
        await run_clustering_once(mortal(only_once, Fuse(8)), run.id)
    await cancel(store, run)
    await expire(database)
    await waiting_runs(only_once)
    assert (await look(store, run)).state is RunState.CANCELLED


async def test_cancelling_and_taking_up_at_once_lose_nothing(
    desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    await desk.arrive(TWO)
    for _ in range(10):
        run = await ask(store, desk.scope, Mode.REFIT)
        before = await version(store, desk.scope)
        outcome, done = await asyncio.gather(
            cancel(store, run), run_clustering_once(worker, run.id), return_exceptions=True
        )
        after = await look(store, run)
        if isinstance(outcome, FailedPrecondition):
            assert after.state is RunState.SUCCEEDED
        else:
            assert after.state is RunState.CANCELLED
            assert await version(store, desk.scope) == before
        assert done is None or done == after


async def test_asking_at_once_makes_one_run(desk: Desk, store: PostgresStore) -> None:
    asked = await asyncio.gather(*(ask(store, desk.scope) for _ in range(8)))
    assert len({run.id for run in asked}) == 1


async def test_asking_while_runs_end_never_fails(desk: Desk, store: PostgresStore) -> None:
    async def ask_and_cancel() -> None:
        for _ in range(10):
            await cancel(store, await ask(store, desk.scope))

    await asyncio.gather(*(ask_and_cancel() for _ in range(4)))


async def test_a_photo_deleted_while_a_run_works_is_in_no_cluster(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    photos = await desk.arrive(TWO)
    first = await cluster(worker, desk.scope)
    heroes = await rows(database, "SELECT hero_item FROM cluster_versions")
    hero = heroes[0].hero_item

    async def meanwhile() -> None:
        await desk.deliver(deleted(hero))

    hooked = replace(worker, snapshots=Hooked(worker.snapshots, "save", meanwhile))
    run = await cluster(hooked, desk.scope, Mode.REFIT)
    assert (run.stats.items, run.stats.clustered) == (len(photos) - 1, len(photos) - 1)
    assert run.stats.items == first.stats.items - 1
    assert await rows(database, "SELECT FROM members WHERE item = :item", item=hero) == []
    counted = await rows(
        database,
        """
        SELECT member_count, hero_item, hero_score, cohesion,
               (SELECT count(*) FROM members m WHERE m.cluster_id = v.cluster_id
                AND m.since <= v.since AND coalesce(m.until > v.since, true)) AS members,
               (SELECT avg(similarity) FROM members m WHERE m.cluster_id = v.cluster_id
                AND m.since <= v.since AND coalesce(m.until > v.since, true)) AS mean
        FROM cluster_versions v
        """,
    )
    assert len(counted) == 3, "only what changed has a row in the second version"
    for row in counted:
        assert row.member_count == row.members
        assert row.hero_item not in ("", hero) and row.hero_score > 0
        assert row.cohesion == pytest.approx(row.mean)
    # It left the engine's memory with that version.
    again = await cluster(worker, desk.scope)
    assert (again.stats.noop, again.stats.items) == (True, len(photos) - 1)


async def test_copies_of_a_deleted_photo_are_copies_no_more(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive([*TWO, TWO[0]])
    await cluster(worker, desk.scope)
    (copy,) = await rows(database, "SELECT * FROM members WHERE duplicate_of <> ''")
    await desk.deliver(deleted(copy.duplicate_of))
    (left,) = await rows(database, "SELECT * FROM members WHERE item = :item", item=copy.item)
    assert left.duplicate_of == ""


async def test_a_heartbeat_shows_how_far_the_run_has_come(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    run = await ask(store, desk.scope)
    async with store.begin() as tx:
        taken = await tx.ledger.take(run.id, "worker", 3)
        await tx.commit()
    assert taken is not None
    attempt = Attempt(store, *taken)
    await attempt.enter("fetch", 50)
    attempt.advance(20)
    await attempt.beat()
    seen = await look(store, run)
    assert (seen.state, seen.phase, seen.done, seen.total) == (RunState.RUNNING, "fetch", 20, 50)
    await expire(database)
    await attempt.beat()
    assert await waiting_runs(worker) == [], "a beat renews the lease"


async def test_a_heartbeat_that_comes_when_the_run_was_given_back_does_no_harm(
    desk: Desk, worker: Worker, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = beats_of(monkeypatch)
    await desk.arrive(TWO)
    assert (await cluster(worker, desk.scope)).version == 1
    assert (await cluster(worker, desk.scope)).stats.noop
    away = replace(worker, vectors=Away(Unavailable("the index is away")))
    assert (await cluster(away, desk.scope, Mode.REFIT)).state is RunState.QUEUED
    for beat in beats:
        await beat()
    assert len(beats) == 3


async def test_a_heartbeat_tells_that_another_worker_has_the_run(
    desk: Desk, worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = beats_of(monkeypatch)
    await desk.arrive(TWO)

    async def meanwhile() -> None:
        await expire(database)
        (run_id,) = await waiting_runs(worker)
        assert await run_clustering_once(worker, run_id)
        with pytest.raises(LeaseLost):
            await beats[0]()

    slow = replace(worker, snapshots=Hooked(worker.snapshots, "save", meanwhile), owner="slow")
    with pytest.raises(LeaseLost):
        await cluster(slow, desk.scope)
