"""What leaves between two runs, wherever people put it: the memory is rid of it, and nothing else
names it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from colonnade.clustering.v1 import version_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.version_service_pb2_grpc import ClusterVersionServiceStub

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.vectors.index import VectorPoint
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.run import Mode
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from tests.integration.clustering.test_steps import THREE, assert_exact, worker
from tests.integration.clustering.test_versions import history
from tests.support.clustering.desk import Desk
from tests.support.clustering.faults import Hooked
from tests.support.clustering.photos import COLLECTION, deleted, subject
from tests.support.clustering.runs import cluster
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import change, rows

__all__ = ["history", "worker"]

Check = Callable[[], Awaitable[None]]


@pytest.fixture
async def three(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    """The clusters of three subjects."""
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    return [*(await studio.list()).values()]


@pytest.fixture
def step(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
) -> Check:
    """Another run that goes on from what is there, and has it right."""

    async def check() -> None:
        await desk.arrive(subject(3, 1, seed=77))
        run = await cluster(worker, desk.scope)
        assert not run.stats.refit and not run.stats.noop
        await assert_exact(store, blobs, index, database, desk.scope)

    return check


async def test_what_was_moved_and_then_deleted_leaves_the_cluster_where_the_memory_has_it(
    desk: Desk, studio: Studio, three: list[Cluster], step: Check
) -> None:
    one, two, _ = three
    moved, removed, *_ = await studio.members(one)
    await studio.add(two, moved)
    await studio.remove(one, removed)
    for item in (moved, removed):
        await desk.deliver(deleted(item))
    await step()


async def test_what_was_moved_back_in_time_and_then_deleted_leaves_the_one_of_the_last_run(
    desk: Desk,
    studio: Studio,
    three: list[Cluster],
    step: Check,
    history: ClusterVersionServiceStub,
) -> None:
    one, two, _ = three
    item = next(iter(await studio.members(one)))
    await studio.add(two, item)
    await step()
    first = f"{studio.scope}/clusterVersions/1"
    await history.RestoreClusterVersion(api.RestoreClusterVersionRequest(name=first))
    await desk.deliver(deleted(item))
    await step()


async def test_a_copy_that_people_moved_forgets_its_deleted_original(
    desk: Desk,
    worker: Worker,
    studio: Studio,
    three: list[Cluster],
    database: Database,
    step: Check,
) -> None:
    (copy,) = await desk.arrive([THREE[0]])
    await cluster(worker, desk.scope)
    (row,) = await rows(database, "SELECT item, duplicate_of FROM members WHERE duplicate_of <> ''")
    assert row.item == copy
    await studio.add(await studio.create("Mine"), copy)
    # Of the original, no row is left to find its copies by.
    await change(database, "DELETE FROM members WHERE item = :item", item=row.duplicate_of)
    await change(database, "DELETE FROM members WHERE item = :item AND until > 0", item=copy)
    await desk.deliver(deleted(row.duplicate_of))
    assert await rows(database, "SELECT FROM members WHERE duplicate_of <> ''") == []
    (waiting,) = await rows(database, "SELECT item FROM item_vectors WHERE NOT grouped")
    assert waiting.item == copy


async def test_what_lacks_its_vector_at_a_refit_comes_back_with_it(
    desk: Desk,
    worker: Worker,
    studio: Studio,
    three: list[Cluster],
    index: QdrantIndex,
    database: Database,
    store: PostgresStore,
    blobs: ObjectBlobs,
) -> None:
    home = three[0]
    item = next(iter(await studio.members(home)))
    (row,) = await rows(database, "SELECT point_id FROM items WHERE name = :item", item=item)
    (point,) = await index.retrieve(COLLECTION.name, [str(row.point_id)])
    await index.delete(COLLECTION.name, [point.id])
    run = await cluster(worker, desk.scope, Mode.REFIT)
    assert (run.stats.missing, run.stats.items) == (1, len(THREE) - 1)
    assert item not in await studio.members(home)
    assert (await cluster(worker, desk.scope)).stats.missing == 1, "it is known to wait"
    vector = VectorPoint(point.id, point.vector, {"scope": desk.scope})
    await index.upsert(COLLECTION.name, [vector])
    run = await cluster(worker, desk.scope)
    assert (run.stats.refit, run.stats.missing) == (False, 0)
    assert item in await studio.members(home)
    await assert_exact(store, blobs, index, database, desk.scope)


async def test_a_cluster_that_loses_its_hero_to_another_one_gets_a_new_one(
    desk: Desk,
    worker: Worker,
    studio: Studio,
    three: list[Cluster],
    index: QdrantIndex,
    database: Database,
) -> None:
    one, two, _ = three
    hero, other = one.hero.item, two.hero.item
    found = await rows(
        database,
        "SELECT name, point_id FROM items WHERE name IN (:hero, :other)",
        hero=hero,
        other=other,
    )
    points = {row.name: str(row.point_id) for row in found}
    (near,) = await index.retrieve(COLLECTION.name, [points[other]])
    # As one that was a copy of what is gone, or a text that was changed: it is there, and waits.
    changed = VectorPoint(points[hero], near.vector, {"scope": desk.scope})
    await index.upsert(COLLECTION.name, [changed])
    await change(database, "UPDATE item_vectors SET grouped = false WHERE item = :item", item=hero)
    assert not (await cluster(worker, desk.scope)).stats.refit
    assert hero in await studio.members(two)
    (shown,) = [each for each in (await studio.list()).values() if each.name == one.name]
    assert shown.hero.item in await studio.members(one)


async def test_what_is_deleted_while_a_step_takes_it_in_is_no_member(
    desk: Desk, worker: Worker, three: list[Cluster], database: Database
) -> None:
    new, kept = await desk.arrive(subject(0, 2, within=0.8, seed=7))

    async def meanwhile() -> None:
        await desk.deliver(deleted(new))

    hooked: Any = Hooked(worker.snapshots, "save", meanwhile)
    await cluster(replace(worker, snapshots=hooked), desk.scope)
    found = await rows(database, "SELECT item FROM members WHERE since > 1")
    assert [row.item for row in found] == [kept]


async def test_what_is_deleted_while_the_first_run_works_is_in_nothing(
    desk: Desk,
    worker: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
) -> None:
    photos = await desk.arrive(THREE)

    async def meanwhile() -> None:
        for photo in photos[:5]:
            await desk.deliver(deleted(photo))

    hooked: Any = Hooked(worker.snapshots, "save", meanwhile)
    run = await cluster(replace(worker, snapshots=hooked), desk.scope)
    assert (run.version, run.stats.items, run.stats.clustered) == (1, 25, 25)
    await assert_exact(store, blobs, index, database, desk.scope)
