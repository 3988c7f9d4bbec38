"""Large fits in shards: the same groups as in memory, whoever works, dies or loses what."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from libs.blobs.objects import ObjectBlobs
from libs.cancellation import cancel_and_wait
from libs.db.engine import Database
from libs.errors import Unavailable
from libs.vectors.qdrant import QdrantIndex
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.params import Params
from services.clustering.domain.item import Collection
from services.clustering.domain.run import Mode
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Attempt, Cancelled, Sharding, Worker
from services.clustering.usecases.runs import cancel_run, run_name
from services.clustering.usecases.shard_work import (
    help_with_shards,
    waiting_shards,
    work_on_shard,
)
from services.clustering.usecases.shards import (
    LargeFit,
    fit_in_shards,
    forget_left_shards,
    forget_shards,
)
from tests.support.clustering.bulk import fill_index, fill_tables, points_like
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.faults import Died, Fuse, Hook, Hooked, Mortal
from tests.support.clustering.photos import COLLECTION, new_scope
from tests.support.clustering.runs import NO_KEY, ask
from tests.support.clustering.tables import change, rows
from tests.unit.clustering.algorithms.samples import Matrix, library

ITEMS = 300
DIMENSION = 128
PARAMS = Params(direct_max=100, sample=10_000, micro_clusters=120, pool_max=20)
LARGE = replace(COLLECTION, name="photos-large-r1-f1", dimension=DIMENSION)
COPIES = {1: 0, 2: 1, 3: 0, 140: 90}
"""By the number of a point the number of the one that it is a near-duplicate of."""


@dataclass(frozen=True)
class Scope:
    """A filled scope, and what is in it."""

    name: str
    points: list[str]
    vectors: Matrix
    collection: Collection


@pytest.fixture
async def scope(database: Database, index: QdrantIndex) -> Scope:
    name, points = new_scope(), points_like(ITEMS, seed=1)
    vectors = library(ITEMS, dimensions=DIMENSION, seed=3).vectors[:ITEMS].copy()
    for copy, leader in COPIES.items():
        vectors[copy] = vectors[leader]
    pairs = [(points[copy], points[leader], 0.99) for copy, leader in COPIES.items()]
    near = [(points[10], points[11], LARGE.duplicate_threshold - 0.01)]
    await asyncio.to_thread(fill_tables, database.url, LARGE, name, points, [*pairs, *near])
    await fill_index(index, LARGE, name, points, vectors)
    return Scope(name, points, vectors, LARGE)


@pytest.fixture
def large(worker: Worker, queue: MemoryQueue) -> Worker:
    """A worker for which a hundred items are many."""
    sharding = Sharding(queue, direct_limit=100, size=60, poll_seconds=0.01)
    return replace(worker, params=PARAMS, sharding=sharding)


async def begin(worker: Worker, scope: str) -> Attempt:
    """A run of the scope in the hands of this worker."""
    run = await ask(worker.store, scope, Mode.REFIT)
    return await take(worker, run.id)


async def take(worker: Worker, run_id: str) -> Attempt:
    async with worker.store.begin() as tx:
        taken = await tx.ledger.take(run_id, worker.owner, worker.max_attempts)
        await tx.commit()
    assert taken is not None
    return Attempt(worker.store, *taken)


async def labels_of(database: Database, attempt: Attempt) -> dict[str, int]:
    """The group of each point."""
    found = await rows(
        database, "SELECT point_id, label FROM placements WHERE run_id = :id", id=attempt.run.id
    )
    return {str(row.point_id): row.label for row in found}


def partition(labels: Mapping[str, int]) -> set[frozenset[str]]:
    """The groups without their numbers."""
    groups: dict[int, set[str]] = {}
    for point, label in labels.items():
        if label >= 0:
            groups.setdefault(label, set()).add(point)
    return {frozenset(members) for members in groups.values()}


def in_memory(scope: Scope) -> set[frozenset[str]]:
    found = Engine(PARAMS).fit(scope.points, scope.vectors)
    return {frozenset(group.members) for group in found.groups}


async def expire(database: Database) -> None:
    for table in ("runs", "shards"):
        await change(
            database, f"UPDATE {table} SET lease_expire_time = now() - interval '1 second'"
        )


async def left_behind(database: Database, blobs: ObjectBlobs) -> tuple[int, int, int]:
    """How many shards, placements and blobs there are."""
    shards = await rows(database, "SELECT FROM shards")
    placements = await rows(database, "SELECT FROM placements")
    return len(shards), len(placements), len([key async for key in blobs.list("clustering")])


async def test_shards_find_what_the_fit_in_memory_finds(
    scope: Scope, large: Worker, database: Database, queue: MemoryQueue
) -> None:
    attempt = await begin(large, scope.name)
    found = await fit_in_shards(large, attempt, LARGE)
    labels = await labels_of(database, attempt)
    assert labels.keys() == set(scope.points)
    assert partition(labels) == in_memory(scope)
    assert len(partition(labels)) > 5
    check(found, scope, labels)
    assert len(await rows(database, "SELECT FROM shards")) == 5
    assert {sent[:2] for sent in queue.sent} == {("clustering.shard", attempt.run.id)}
    assert (attempt.run.phase, attempt.run.done, attempt.run.total) == ("store", 296, 296)


def check(found: LargeFit, scope: Scope, labels: Mapping[str, int]) -> None:
    """The sums are those of the vectors, copies left out."""
    assert (found.items, found.duplicates, found.missing) == (ITEMS, len(COPIES), 0)
    assert found.outside == sum(label < 0 for label in labels.values())
    single = [at for at in range(ITEMS) if at not in COPIES]
    for group in range(len(found.members)):
        members = [at for at in single if labels[scope.points[at]] == group]
        every = [at for at in range(ITEMS) if labels[scope.points[at]] == group]
        assert (found.members[group], found.components.counts[group]) == (len(every), len(members))
        units = scope.vectors[members]
        assert found.sums[group] == pytest.approx(units.sum(axis=0), abs=1e-2)
        rows = found.epoch.transform(units)
        assert found.components.sums[group] == pytest.approx(rows.sum(axis=0), abs=1e-2)
    assert len(found.pool_ids) == len(found.pool) == min(20, found.outside)
    assert all(labels[point] < 0 for point in found.pool_ids)


async def test_where_each_item_is_and_what_it_is_a_copy_of(
    scope: Scope, large: Worker, database: Database
) -> None:
    attempt = await begin(large, scope.name)
    found = await fit_in_shards(large, attempt, LARGE)
    placed = {
        str(row.point_id): row
        for row in await rows(
            database, "SELECT point_id, copy_of, label, similarity FROM placements"
        )
    }
    leaders = {1: 0, 2: 0, 3: 0, 140: 90}
    for at, point in enumerate(scope.points):
        leader = leaders.get(at)
        expected = None if leader is None else scope.points[leader]
        assert (placed[point].copy_of and str(placed[point].copy_of)) == expected
        label = placed[point].label
        if label >= 0:
            cosine = float(scope.vectors[at] @ found.centroids[label])
            assert placed[point].similarity == pytest.approx(cosine, abs=2e-3)


async def test_the_number_of_shards_changes_nothing(
    scope: Scope, large: Worker, database: Database
) -> None:
    partitions, sums = [], []
    for size in (ITEMS, 43):
        one = replace(large, sharding=replace(large.sharding, size=size))
        attempt = await begin(one, scope.name)
        found = await fit_in_shards(one, attempt, LARGE)
        partitions.append(await labels_of(database, attempt))
        sums.append(found.components.sums)
        await forget_shards(one, scope.name, attempt.run.id)
        await change(database, "UPDATE runs SET state = 'succeeded' WHERE state = 'running'")
    assert partitions[0] == partitions[1]
    np.testing.assert_allclose(sums[0], sums[1], atol=1e-5)


async def test_a_small_sample_finds_the_rest_by_looking_again(
    scope: Scope, large: Worker, database: Database
) -> None:
    few = replace(large, params=replace(PARAMS, sample=120))
    attempt = await begin(few, scope.name)
    await fit_in_shards(few, attempt, LARGE)
    shards = await rows(database, "SELECT recipes FROM shards")
    assert all(len(row.recipes) > 1 for row in shards)
    again = partition(await labels_of(database, attempt))
    assert len(again) >= 0.7 * len(in_memory(scope))


async def test_other_workers_help_and_the_run_waits_for_them(
    scope: Scope, large: Worker, database: Database
) -> None:
    attempt = await begin(large, scope.name)
    other = replace(large, owner="worker two")

    async def help() -> None:
        while True:
            await help_with_shards(other, attempt.run.id)
            await asyncio.sleep(0.001)

    helper = asyncio.create_task(help())
    try:
        await fit_in_shards(large, attempt, LARGE)
    finally:
        await cancel_and_wait([helper])
    assert partition(await labels_of(database, attempt)) == in_memory(scope)


async def test_a_worker_that_dies_anywhere_in_a_shard_leaves_it_to_the_next(
    scope: Scope, large: Worker, database: Database, store: PostgresStore
) -> None:
    attempt = await begin(large, scope.name)
    deaths = []

    async def meanwhile() -> None:
        # While the shards wait, others take them, and die with them sooner or later.
        assert await waiting_shards(store) == [attempt.run.id]
        for steps in range(4):
            with pytest.raises(Died):
                await work_on_shard(mortal(large, Fuse(steps)), attempt.run.id)
            deaths.append(steps)
            held = await rows(database, "SELECT FROM shards WHERE lease_owner IS NOT NULL")
            assert len(held) <= 1
            await change(
                database,
                "UPDATE shards SET attempt = 0, lease_expire_time = now() - interval '1 second'",
            )

    each = replace(large, sharding=replace(large.sharding, queue=Each(large.sharding, meanwhile)))
    await fit_in_shards(each, attempt, LARGE)
    assert len(deaths) >= 8, "in every phase"
    assert partition(await labels_of(database, attempt)) == in_memory(scope)


def mortal(worker: Worker, fuse: Fuse) -> Worker:
    return replace(
        worker,
        owner="worker that dies",
        store=Mortal(worker.store, fuse),
        vectors=Mortal(worker.vectors, fuse),
        snapshots=Mortal(worker.snapshots, fuse),
    )


class Each:
    """A queue that does something before the first announcement of each phase."""

    def __init__(self, sharding: Sharding, hook: Hook, phases: int = 2) -> None:
        self._queue = sharding.queue
        self._hook = hook
        self._left = phases
        self._shards = -(-(ITEMS - len(COPIES)) // sharding.size)
        self._sent = 0

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        self._sent += 1
        if self._sent % self._shards == 1 and self._left:
            self._left -= 1
            await self._hook()
        return await self._queue.enqueue(task, job_id, queue)


async def test_a_worker_that_was_too_slow_with_a_shard_changes_nothing(
    scope: Scope, large: Worker, database: Database
) -> None:
    attempt = await begin(large, scope.name)

    async def taken_away() -> None:
        await change(database, "UPDATE shards SET lease_expire_time = now() - interval '1 second'")
        assert await work_on_shard(large, attempt.run.id)

    async def meanwhile() -> None:
        slow = Hooked(large.snapshots, "save", taken_away)
        assert await work_on_shard(replace(large, owner="slow", snapshots=slow), attempt.run.id)

    each = replace(large, sharding=replace(large.sharding, queue=Each(large.sharding, meanwhile)))
    await fit_in_shards(each, attempt, LARGE)
    assert partition(await labels_of(database, attempt)) == in_memory(scope)


async def test_a_result_that_is_lost_is_made_again(
    scope: Scope, large: Worker, database: Database, blobs: ObjectBlobs
) -> None:
    attempt = await begin(large, scope.name)
    lost: list[str] = []

    async def lose_parts() -> None:
        async for key in blobs.list("clustering"):
            if "/part-" in key and not lost:
                lost.append(key)
                await blobs.delete(key)
            elif "/part-" in key:
                await blobs.put(key, b"nonsense")

    # Before they are read for the next phase, and before each is measured.
    for hooked in (
        replace(large, snapshots=Hooked(large.snapshots, "load", lose_parts)),
        replace(large, sharding=replace(large.sharding, queue=Each(large.sharding, lose_parts, 9))),
    ):
        await fit_in_shards(hooked, attempt, LARGE)
        assert partition(await labels_of(database, attempt)) == in_memory(scope)
    assert lost


async def test_a_lost_answer_of_the_last_phase_is_made_again(
    scope: Scope, large: Worker, database: Database, blobs: ObjectBlobs, store: PostgresStore
) -> None:
    attempt = await begin(large, scope.name)

    async def lose_measured() -> None:
        keys = [key async for key in blobs.list("clustering") if "/measured-" in key]
        await blobs.delete(keys[0])

    last = Hooked(large.snapshots, "load", lose_measured)
    watched = replace(large, snapshots=AfterMeasuring(large.snapshots, last, large.sharding))
    await fit_in_shards(watched, attempt, LARGE)
    assert partition(await labels_of(database, attempt)) == in_memory(scope)


class AfterMeasuring:
    """Snapshots of which the first answer of the last phase is lost when it is asked for."""

    def __init__(self, plain: Any, hooked: Any, sharding: Sharding) -> None:
        self._plain = plain
        self._hooked = hooked
        self._left = -(-(ITEMS - len(COPIES)) // sharding.size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    async def save(self, key: str, data: bytes) -> None:
        await self._plain.save(key, data)
        self._left -= "/measured-" in key

    async def load(self, key: str) -> bytes | None:
        source = self._plain if self._left else self._hooked
        found: bytes | None = await source.load(key)
        return found


async def test_cancelling_stops_the_run_and_leaves_nothing(
    scope: Scope, large: Worker, database: Database, store: PostgresStore, blobs: ObjectBlobs
) -> None:
    for phase in (1, 2):
        attempt = await begin(large, scope.name)
        asked = 0

        async def meanwhile(phase: int = phase, attempt: Attempt = attempt) -> None:
            nonlocal asked
            asked += 1
            if asked == phase:
                await cancel_run(store, run_name(scope.name, attempt.run.id), NO_KEY)

        each = Each(large.sharding, meanwhile)
        with pytest.raises(Cancelled):
            await fit_in_shards(
                replace(large, sharding=replace(large.sharding, queue=each)), attempt, LARGE
            )
        assert await left_behind(database, blobs) == (0, 0, 0)
        assert not await work_on_shard(large, attempt.run.id)
        await attempt.cancel()


async def test_a_shard_that_keeps_failing_fails_the_run_and_leaves_nothing(
    scope: Scope, large: Worker, database: Database, blobs: ObjectBlobs
) -> None:
    attempt = await begin(large, scope.name)
    away: Any = Unready(large.vectors)
    with pytest.raises(Unavailable, match="3 times"):
        await fit_in_shards(replace(large, vectors=away), attempt, LARGE)
    assert await left_behind(database, blobs) == (0, 0, 0)


class Unready:
    """Vectors that answer for single points only."""

    def __init__(self, vectors: Any) -> None:
        self._vectors = vectors

    async def of_points(self, collection: str, ids: Any) -> Any:
        return await self._vectors.of_points(collection, ids)

    async def in_range(self, *where: str) -> Any:
        raise Unavailable("the index is away")
        yield


async def test_a_run_whose_worker_dies_is_done_by_the_next(
    scope: Scope, large: Worker, database: Database, blobs: ObjectBlobs
) -> None:
    expected = in_memory(scope)
    first = await begin(large, scope.name)
    for steps in (3, 25, 60):
        with pytest.raises(Died):
            await fit_in_shards(mortal(large, Fuse(steps)), first, LARGE)
        await change(database, "UPDATE runs SET attempt = 0")
        await expire(database)
        attempt = await take(large, first.run.id)
        await fit_in_shards(large, attempt, LARGE)
        assert partition(await labels_of(database, attempt)) == expected
        await expire(database)
        first = await take(large, first.run.id)
    await forget_shards(large, scope.name, first.run.id)
    assert await left_behind(database, blobs) == (0, 0, 0)


async def test_what_a_dead_run_left_is_removed_once_it_has_ended(
    scope: Scope, large: Worker, database: Database, blobs: ObjectBlobs
) -> None:
    attempt = await begin(large, scope.name)
    with pytest.raises(Died):
        await fit_in_shards(mortal(large, Fuse(60)), attempt, LARGE)
    await forget_left_shards(large)
    before = await left_behind(database, blobs)
    assert all(before), "it may still be taken up"
    await change(database, "UPDATE runs SET state = 'failed'")
    await forget_left_shards(large)
    assert await left_behind(database, blobs) == (0, 0, 0)


async def test_points_without_an_item_and_items_without_a_vector_are_passed_over(
    scope: Scope, large: Worker, database: Database, index: QdrantIndex
) -> None:
    gone, lost = scope.points[200], scope.points[210]
    await change(database, "UPDATE items SET state = 'deleted' WHERE point_id = :id", id=gone)
    await index.delete(LARGE.name, [lost])
    attempt = await begin(large, scope.name)
    found = await fit_in_shards(large, attempt, LARGE)
    assert (await labels_of(database, attempt)).keys() == set(scope.points) - {gone, lost}
    assert (found.items, found.missing) == (ITEMS - 2, 1)


async def test_the_most_central_members_of_each_group(
    scope: Scope, large: Worker, store: PostgresStore, database: Database
) -> None:
    attempt = await begin(large, scope.name)
    found = await fit_in_shards(large, attempt, LARGE)
    async with store.begin() as tx:
        central = await tx.placements.central(attempt.run.id, 3)
        some = await tx.placements.of_items(attempt.run.id, [each.item for each in central[:4]])
    placed = await rows(
        database, "SELECT label, similarity FROM placements WHERE label >= 0 AND copy_of IS NULL"
    )
    for group in range(len(found.members)):
        nearest = sorted((row.similarity for row in placed if row.label == group), reverse=True)
        assert [each.similarity for each in central if each.group == group] == nearest[:3]
    assert {*some} == {*central[:4]}
