"""Clusters through time: every change is a version, and every version can be read again."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster
from google.rpc import code_pb2

from libs.db.engine import Database
from libs.errors import NotFound
from libs.rpc.filtering import Condition
from libs.rpc.paging import PageRequest
from services.clustering.domain.cluster import Order
from services.clustering.domain.history import Moved, Pruned
from services.clustering.domain.run import Mode
from services.clustering.ports import Store
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.clusters import get_cluster, list_clusters, list_members
from services.clustering.usecases.history import prune_history
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import COLLECTION, axis, deleted, subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import change, rows, statements, told

TWO = [*subject(0, 9), *subject(1, 7)]
EVERY = PageRequest(1000)
SHOWN = [Condition("state", "!=", "retired")]


async def seen(store: Store, scope: str, version: int | None = None) -> dict[str, Any]:
    """What a version shows: each cluster with its members."""
    number, found = await list_clusters(store, scope, EVERY, SHOWN, version=version)
    shown = {}
    for cluster in found.rows:
        name = f"{scope}/clusters/{cluster.id}"
        members = (await list_members(store, name, EVERY, number)).rows
        assert cluster.member_count == len(members)
        assert await get_cluster(store, name, number) == cluster
        shown[cluster.id] = (
            cluster.title,
            cluster.summary,
            cluster.state,
            cluster.pinned_hero,
            cluster.hero,
            cluster.cohesion,
            [*members],
        )
    return shown


@pytest.fixture
async def pair(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    """Two that a run found, the larger one first, and a curated one: the versions 1 and 2."""
    await desk.arrive(TWO)
    await run(worker, desk.scope)
    return [*(await studio.list()).values(), await studio.create("Best")]


async def made(database: Database) -> list[tuple[int, str, str]]:
    found = await rows(database, "SELECT version, kind, cause FROM versions ORDER BY version")
    return [(row.version, row.kind, row.cause) for row in found]


async def test_every_change_is_a_version_of_its_own_and_told(
    studio: Studio, pair: list[Cluster], database: Database, store: PostgresStore
) -> None:
    large, small, best = pair
    items = [*await studio.members(large)]
    stub = studio.stub
    changes: list[Callable[[], Awaitable[Any]]] = [
        lambda: studio.add(best, items[0], items[1]),
        lambda: studio.remove(large, items[2]),
        lambda: studio.lock(large, items[3]),
        lambda: studio.unlock(large, items[3]),
        lambda: studio.update(large, title="Mine", summary="of me"),
        lambda: studio.pin(large, items[4]),
        lambda: studio.veto(large, items[4]),
        lambda: studio.split(large, "Close", items[5:7]),
        lambda: studio.merge(large, small),
        lambda: stub.ArchiveCluster(api.ArchiveClusterRequest(name=large.name)),
        lambda: stub.UnarchiveCluster(api.UnarchiveClusterRequest(name=large.name)),
        lambda: studio.remove(best, items[0], items[1]),
        lambda: stub.DeleteCluster(api.DeleteClusterRequest(name=best.name)),
    ]
    was = {2: await seen(store, studio.scope)}
    for number, act in enumerate(changes, 3):
        await act()
        was[number] = await seen(store, studio.scope)
        assert was[number] != was[number - 1]
    assert {version: await seen(store, studio.scope, version) for version in was} == was
    log = await made(database)
    assert [version for version, _, _ in log] == [*range(1, 16)]
    assert [kind for _, kind, _ in log] == ["run", *["edit"] * 14]
    edits = [edit.name for edit in await studio.edits()][::-1]
    assert [cause for _, _, cause in log[2:14]] == edits
    assert (log[1][2], log[14][2]) == (best.name, best.name), "they cannot be undone"
    messages = await told(database, "clusters.updated")
    assert [(m.scope, m.version) for m in messages] == [(studio.scope, n) for n in range(1, 16)]
    with pytest.raises(NotFound):
        await studio.get(best)
    assert best.name.rpartition("/")[2] in was[14]


async def test_an_undo_is_a_version_with_the_content_of_before(
    studio: Studio, pair: list[Cluster], database: Database, store: PostgresStore
) -> None:
    large, small, _ = pair
    before = await seen(store, studio.scope)
    merged = (await studio.merge(large, small)).edit
    await studio.undo(merged)
    assert await seen(store, studio.scope) == before
    assert (await made(database))[3] == (4, "undo", merged.name)
    assert (await seen(store, studio.scope, 3)).keys() < before.keys()


async def test_what_changes_nothing_makes_no_version(studio: Studio, pair: list[Cluster]) -> None:
    large, _, best = pair
    item = next(iter(await studio.members(large)))
    await studio.remove(best, item)
    await studio.unlock(large, item)
    await studio.pin(large, "")
    await studio.veto(large, item, allow=True)
    await studio.update(large, title=large.title)
    assert (await studio.get(large)).version == 2


async def test_the_etag_changes_with_the_cluster_alone(studio: Studio, pair: list[Cluster]) -> None:
    large, small, best = pair
    items = [*await studio.members(large)]
    await studio.veto(large, items[5])
    after = {c.name: c.etag for c in (await studio.list()).values()}
    assert after[large.name] != large.etag
    assert (after[small.name], after[best.name]) == (small.etag, best.etag)
    answer = await studio.add(best, items[5])
    assert answer.cluster == await studio.get(best)
    assert (await studio.get(large)).etag not in (large.etag, after[large.name])
    assert (await studio.get(small)).etag == small.etag


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.REFIT])
async def test_a_locked_member_stays_until_it_is_unlocked(
    studio: Studio, pair: list[Cluster], desk: Desk, worker: Worker, mode: Mode
) -> None:
    large, small, _ = pair
    item, other = [*await studio.members(large)][:2]
    await studio.add(small, item)
    gone = (await studio.unlock(small, item, other)).results
    assert [result.status.code for result in gone] == [code_pb2.OK, code_pb2.NOT_FOUND]
    assert not (await studio.members(small))[item].locked, "it stays where it is"
    answer = await studio.lock(small, item)
    assert answer.edit.item_count == 1
    assert not (await studio.lock(small, item)).HasField("edit"), "it is locked already"
    await desk.arrive(subject(0, 2, seed=5))
    await run(worker, desk.scope, mode)
    assert item in await studio.members(small)
    await studio.unlock(small, item)
    await run(worker, desk.scope, Mode.REFIT)
    assert item in await studio.members(large)


async def test_locking_is_undone(studio: Studio, pair: list[Cluster]) -> None:
    large, *_ = pair
    items = [*await studio.members(large)][:3]
    edit = (await studio.lock(large, *items)).edit
    assert [item for item, m in (await studio.members(large)).items() if m.locked] == items
    await studio.undo(edit)
    assert not any(member.locked for member in (await studio.members(large)).values())


async def test_deleted_items_are_in_no_version(
    studio: Studio, pair: list[Cluster], desk: Desk, database: Database, store: PostgresStore
) -> None:
    large, small, best = pair
    hero = large.hero.item
    await studio.add(best, hero)
    await studio.add(small, hero)
    before = {version: await seen(store, studio.scope, version) for version in (1, 2, 3, 4)}
    await desk.deliver(deleted(hero))
    for version, shown in before.items():
        now = await seen(store, studio.scope, version)
        assert now.keys() == shown.keys()
        for id, entry in now.items():
            left = [member.item for member in shown[id][-1] if member.item != hero]
            assert [member.item for member in entry[-1]] == left
            if left:
                assert entry[4].item in left and entry[4].score > 0
            else:
                assert entry[4] is None
    (scope,) = await rows(database, "SELECT version, erasures FROM scopes")
    assert (scope.version, scope.erasures) == (4, 1), "who keeps what a version showed finds out"


async def test_the_engine_is_told_what_left(
    studio: Studio, pair: list[Cluster], desk: Desk, worker: Worker, store: PostgresStore
) -> None:
    large, _, best = pair
    (stranger,) = await desk.arrive([axis(20)])
    item, copied = [*await studio.members(large)][:2]
    async with store.read() as tx:
        known = await tx.items.many([item, copied])
        vectors = await worker.vectors.of_points(COLLECTION.name, [known[item].point_id])
    await desk.index.delete(COLLECTION.name, [known[copied].point_id])
    for name in (item, copied, stranger):
        await desk.deliver(deleted(name))
    await desk.deliver(deleted(item))
    async with store.read() as tx:
        left = {departure.item: departure for departure in await tx.departures.waiting(desk.scope)}
    assert {*left} == {item, copied}, "no run has seen the third"
    assert left[item].cluster_id == large.name.rpartition("/")[2]
    assert (left[item].collection, left[item].weight) == (COLLECTION.name, 1)
    assert left[item].vector == pytest.approx(vectors[1][0], abs=1e-3)
    assert left[copied].vector is None
    await run(worker, desk.scope)
    async with store.read() as tx:
        assert await tx.departures.waiting(desk.scope) == []
    assert best.name in await studio.content()


async def test_a_run_settles_what_waited(
    desk: Desk, worker: Worker, database: Database, studio: Studio
) -> None:
    waiting = "SELECT item FROM item_vectors WHERE state = 'ready' AND NOT grouped"
    photos = await desk.arrive(TWO)
    assert {row.item for row in await rows(database, waiting)} == {*photos}
    await run(worker, desk.scope)
    assert await rows(database, waiting) == []
    (late,) = await desk.arrive([axis(20)])
    assert [row.item for row in await rows(database, waiting)] == [late]


async def test_what_moved_since_a_version(
    studio: Studio, pair: list[Cluster], store: PostgresStore, desk: Desk
) -> None:
    large, small, best = pair
    ids = [cluster.name.rpartition("/")[2] for cluster in pair]
    items = [*await studio.members(large)]
    (fresh,) = await desk.arrive([axis(20)])
    await studio.add(best, items[0], items[1], fresh)
    await studio.add(small, items[1])
    await studio.remove(large, items[2])
    await studio.add(best, items[3])
    await studio.add(large, items[3])
    await studio.lock(large, items[4])
    async with store.read() as tx:
        moved = await tx.versions.moved(studio.scope, 1)
    assert {*moved} == {
        Moved(items[0], ids[0], ids[2]),
        Moved(items[1], ids[0], ids[1]),
        Moved(items[2], ids[0], None),
    }, "nor what is where it was, nor what no run has seen"


async def test_lists_begin_with_what_changed_last_if_asked(
    studio: Studio, pair: list[Cluster], store: PostgresStore, clock: FakeClock
) -> None:
    for cluster in (pair[1], pair[0], pair[2]):
        clock.advance(1)
        await studio.update(cluster, summary="changed")
    request = api.ListClustersRequest(parent=studio.scope, order_by="update_time desc", page_size=2)
    first = await studio.stub.ListClusters(request)
    request.page_token = first.next_page_token
    second = await studio.stub.ListClusters(request)
    found = [cluster.name for cluster in (*first.clusters, *second.clusters)]
    assert found == [pair[2].name, pair[0].name, pair[1].name]
    _, page = await list_clusters(store, studio.scope, EVERY, version=1, order=Order.RECENT)
    assert len(page.rows) == 2


async def test_reading_an_old_version_costs_what_a_new_one_does(
    studio: Studio, pair: list[Cluster], store: PostgresStore
) -> None:
    large, _, best = pair
    items = [*await studio.members(large)]
    for item in items[:6]:
        await studio.add(best, item)
    reads: list[Callable[[int | None], Awaitable[Any]]] = [
        lambda version: get_cluster(store, large.name, version),
        lambda version: list_clusters(store, studio.scope, PageRequest(2), version=version),
        lambda version: list_members(store, large.name, PageRequest(3), version),
    ]
    for read, most in zip(reads, (1, 2, 2), strict=True):
        counts = []
        for version in (None, 8, 3, 1):
            with statements() as sent:
                await read(version)
            counts.append(len(sent))
        assert max(counts) == counts[0] == most, counts


async def test_versions_go_but_for_the_newest_and_pinned_ones(
    studio: Studio,
    pair: list[Cluster],
    store: PostgresStore,
    database: Database,
    clock: FakeClock,
    worker: Worker,
) -> None:
    large, _, best = pair
    items = [*await studio.members(large)]
    for item in items[:4]:
        clock.advance(timedelta(days=30))
        await studio.add(best, item)
    await change(database, "UPDATE versions SET pinned = true WHERE version = 2")
    # 1: its memory is the newest; 2: pinned; 3: 90 days old; 4: 60; 5: 30; 6: the newest.
    was = {version: await seen(store, studio.scope, version) for version in range(1, 7)}

    async def prune(days: int, **how: bool) -> Pruned:
        return await prune_history(
            store, worker.snapshots, clock, older=timedelta(days=days), **how
        )

    assert await prune(91) == Pruned()
    planned = await prune(0, dry_run=True)
    assert [version for version, *_ in await made(database)] == [*range(1, 7)]
    # An item that was added in 3, 4 or 5 and left in between is in no other version.
    assert (planned.versions, planned.members) == (3, 0)
    assert planned.clusters == 2 * 3, "of both that changed in 3, 4 and 5"
    clock.advance(1)
    assert await prune(0) == planned
    assert [version for version, *_ in await made(database)] == [1, 2, 6]
    for version in (1, 2, 6):
        assert await seen(store, studio.scope, version) == was[version]
    assert await prune(0) == Pruned()
    await change(database, "UPDATE versions SET pinned = false")
    again = await prune(0)
    assert [version for version, *_ in await made(database)] == [1, 6]
    assert again == Pruned(versions=1, members=0, clusters=1), "the curated one when it was empty"
    assert await seen(store, studio.scope, 1) == was[1]
    await run(worker, studio.scope, Mode.REFIT)
    clock.advance(1)
    closed = [
        len(await rows(database, f"SELECT FROM {table} WHERE until IS NOT NULL"))
        for table in ("members", "cluster_versions")
    ]
    last = await prune(0)
    assert (last.versions, [last.members, last.clusters]) == (2, closed)
    assert [version for version, *_ in await made(database)] == [7]
    for table in ("members", "cluster_versions"):
        assert await rows(database, f"SELECT FROM {table} WHERE until IS NOT NULL") == []


async def test_versions_go_without_the_newest_memory(
    desk: Desk, worker: Worker, store: PostgresStore, clock: FakeClock, studio: Studio
) -> None:
    await desk.arrive(TWO)
    for _ in range(2):
        await run(worker, desk.scope, Mode.REFIT)
        clock.advance(timedelta(days=1))
    await studio.create("Best")
    async with store.read() as tx:
        state = await tx.clusters.scope(desk.scope)
    gone = await prune_history(store, worker.snapshots, clock, older=timedelta())
    assert gone.versions == 1, "the memory is that of the second of three"
    assert await worker.snapshots.load(state.state_key) is not None
