"""Runs that follow what is new: what they read and write, and what the memory knows afterwards."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.vectors.qdrant import QdrantIndex
from services.clustering.algorithms.memory import Memory
from services.clustering.algorithms.params import Params
from services.clustering.domain.run import Mode
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from tests.integration.clustering.test_run_once import recount
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Hooked
from tests.support.clustering.photos import COLLECTION, deleted, subject, tilted
from tests.support.clustering.runs import cluster
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import rows

THREE = [*subject(0, 10), *subject(1, 10), *subject(2, 10)]


@pytest.fixture
def worker(worker: Worker) -> Worker:
    """One that goes on from what is there for long."""
    return replace(worker, params=Params(first_fit=5, growth_when_small=3.0))


async def memory_of(store: PostgresStore, blobs: ObjectBlobs, scope: str) -> Memory:
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
    return Memory.from_bytes(await blobs.get(state.state_key))


async def assert_exact(
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
    scope: str,
    collection: str = COLLECTION.name,
) -> None:
    """The memory's groups are the sums of the distinct members that the newest version shows."""
    memory = await memory_of(store, blobs, scope)
    members = await rows(
        database,
        """
        SELECT c.key, i.point_id FROM members m JOIN clusters c ON c.id = m.cluster_id
        JOIN items i ON i.name = m.item
        WHERE m.scope = :scope AND m.until IS NULL AND m.duplicate_of = '' AND c.origin = 'found'
        """,
        scope=scope,
    )
    points = await index.retrieve(collection, [str(row.point_id) for row in members])
    vectors = {point.id: point.vector / np.linalg.norm(point.vector) for point in points}
    sums: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for row in members:
        sums[row.key] = sums.get(row.key, 0) + vectors[str(row.point_id)]
        counts[row.key] = counts.get(row.key, 0) + 1
    known = dict(zip(memory.keys.tolist(), memory.components.counts.tolist(), strict=True))
    assert known == {key: count for key, count in counts.items() if count > 1}
    for number, key in enumerate(memory.keys.tolist()):
        assert memory.sums[number] == pytest.approx(sums[key], abs=5e-3)


async def test_a_step_reads_and_writes_what_is_new(
    desk: Desk, worker: Worker, store: PostgresStore, database: Database
) -> None:
    await desk.arrive(THREE)
    assert (await cluster(worker, desk.scope)).stats.refit
    near = [*subject(0, 2, within=0.8, seed=7), *subject(1, 1, within=0.8, seed=7)]
    new = await desk.arrive(near)
    asked: list[str] = []

    class Spy:
        async def of_points(self, collection: str, ids: Any) -> Any:
            asked.extend(ids)
            return await worker.vectors.of_points(collection, ids)

        def of_scope(self, collection: str, scope: str) -> Any:
            raise AssertionError("a step does not read the whole scope")

    spied: Any = Spy()
    run = await cluster(replace(worker, vectors=spied), desk.scope)
    assert (run.stats.refit, run.stats.updated, run.stats.born) == (False, 2, 0)
    assert len(asked) == 3
    written = await rows(database, "SELECT item, since, until FROM members WHERE since = 2")
    assert {row.item for row in written} == {*new}
    heads = await rows(database, "SELECT FROM cluster_versions WHERE since = 2")
    assert len(heads) == 2, "the third cluster is as it was"
    count = await recount(database, desk.scope)
    assert {name: getattr(run.stats, name) for name in count} == count


async def test_the_memory_is_the_sum_of_what_the_version_shows(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
    studio: Studio,
) -> None:
    photos = await desk.arrive([*THREE, THREE[0]])
    await cluster(worker, desk.scope)
    await assert_exact(store, blobs, index, database, desk.scope)
    home = {item: name for name, items in (await studio.content()).items() for item in items}
    shown = {each.name: each for each in (await studio.list()).values()}
    await studio.add(shown[home[photos[10]]], photos[1], photos[2])
    await desk.deliver(deleted(photos[20]))
    await desk.arrive([*subject(0, 2, seed=3), *subject(7, 6)])
    run = await cluster(worker, desk.scope)
    assert (run.stats.refit, run.stats.born) == (False, 1)
    await assert_exact(store, blobs, index, database, desk.scope)
    count = await recount(database, desk.scope)
    assert {name: getattr(run.stats, name) for name in count} == count
    content = await studio.content()
    assert {photos[1], photos[2]} <= {*content[home[photos[10]]]}
    refit = await cluster(worker, desk.scope, Mode.REFIT)
    assert refit.stats.refit
    await assert_exact(store, blobs, index, database, desk.scope)
    assert {photos[1], photos[2]} <= {*(await studio.content())[home[photos[10]]]}


async def test_a_copy_is_where_its_original_is_and_takes_its_place_when_that_goes(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
) -> None:
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    copies = await desk.arrive([THREE[0], THREE[0]])
    run = await cluster(worker, desk.scope)
    assert (run.stats.refit, run.stats.duplicates, run.stats.clustered) == (False, 2, 32)
    placed = await rows(
        database, "SELECT item, duplicate_of FROM members WHERE since = 2 ORDER BY item"
    )
    assert {row.item: row.duplicate_of for row in placed} == dict.fromkeys(copies, photos[0])
    await assert_exact(store, blobs, index, database, desk.scope)
    await desk.deliver(deleted(photos[0]))
    run = await cluster(worker, desk.scope)
    assert (run.stats.refit, run.stats.items, run.stats.duplicates) == (False, 31, 1)
    await assert_exact(store, blobs, index, database, desk.scope)


async def test_what_waits_founds_a_cluster_with_its_copies(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    theme = subject(9, 6, within=0.7)
    early = await desk.arrive([theme[0], theme[0]])
    first = await cluster(worker, desk.scope)
    assert (first.stats.born, first.stats.unclustered) == (0, 2)
    late = await desk.arrive(theme[1:])
    second = await cluster(worker, desk.scope)
    assert (second.stats.refit, second.stats.born, second.stats.unclustered) == (False, 1, 0)
    found = await rows(
        database,
        """
        SELECT m.item, m.duplicate_of, c.title FROM members m JOIN clusters c ON c.id = m.cluster_id
        WHERE m.until IS NULL AND c.key = 'g4'
        """,
    )
    assert {row.item for row in found} == {*early, *late}
    assert {row.item: row.duplicate_of for row in found if row.duplicate_of} == {early[1]: early[0]}
    assert all(row.title for row in found)


async def test_a_change_by_people_while_a_step_works_is_kept(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
    studio: Studio,
) -> None:
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    home = {item: name for name, items in (await studio.content()).items() for item in items}
    target = {each.name: each for each in (await studio.list()).values()}[home[photos[10]]]
    await desk.arrive(subject(0, 2, seed=5))

    async def meanwhile() -> None:
        await studio.add(target, photos[0])

    hooked: Any = Hooked(worker.snapshots, "save", meanwhile)
    run = await cluster(replace(worker, snapshots=hooked), desk.scope)
    assert (run.version, run.stats.refit) == (3, False)
    assert photos[0] in (await studio.content())[home[photos[10]]]
    await assert_exact(store, blobs, index, database, desk.scope)


async def test_photos_that_wander_off_have_everything_grouped_anew(
    desk: Desk, worker: Worker
) -> None:
    await desk.arrive([v for number in range(4) for v in subject(number, 30, within=0.5)])
    await cluster(worker, desk.scope)
    rows = np.stack([v for number in range(4) for v in subject(number, 15, within=0.5, seed=8)])
    noise = np.random.default_rng(6).normal(size=rows.shape)
    wandered = rows + 0.5 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    wandered /= np.linalg.norm(wandered, axis=1, keepdims=True)
    await desk.arrive([*wandered.astype(np.float32)])
    run = await cluster(worker, desk.scope)
    assert run.stats.refit
    assert 0.0 <= run.stats.drift <= 1.0


async def test_a_copy_of_what_is_in_no_cluster_is_in_none(
    desk: Desk, worker: Worker, database: Database
) -> None:
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    await desk.arrive([tilted(20, 1.0, 21), tilted(20, 0.999, 21)])
    run = await cluster(worker, desk.scope)
    assert (run.stats.unclustered, run.stats.items) == (2, 32)
    count = await recount(database, desk.scope)
    assert {name: getattr(run.stats, name) for name in count} == count
