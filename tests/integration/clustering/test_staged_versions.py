"""Versions that are too large for one answer: staged in parts, compared with what there is."""

from dataclasses import replace

import pytest

from libs.db.engine import Database
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.history import Change, NewVersion, VersionKind
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.history import add_version
from services.clustering.usecases.members import add_members, remove_members
from tests.support.clock import NOON, FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import COLLECTION, axis, deleted
from tests.support.clustering.tables import rows

KEY = RequestKey("", "", "")


def a_cluster(scope: str, key: str) -> Cluster:
    return Cluster(uuid7(), scope, key, f"Title {key}", NOON, NOON, cohesion=0.5)


async def write(
    store: PostgresStore,
    scope: str,
    places: dict[str, str | None],
    clusters: list[Cluster],
    retired: list[str],
    changes: list[Change],
) -> None:
    """A version with these places, staged in two parts."""
    run = uuid7()
    staged = [Change(item, home, 0.5) for item, home in places.items()]
    async with store.begin() as tx:
        await tx.versions.stage(run, staged[::2])
        await tx.versions.stage(run, staged[1::2])
        await tx.commit()
    async with store.begin() as tx:
        await tx.items.lock([scope])
        state = await tx.clusters.scope(scope)
        new = NewVersion(
            replace(state, version=state.version + 1, collection=COLLECTION.name),
            VersionKind.RUN,
            f"{scope}/clusteringRuns/{run}",
            NOON,
            clusters=clusters,
            retired=retired,
            changes=changes,
            staged=run,
        )
        await add_version(tx, new)
        await tx.versions.unstage(run)
        await tx.commit()


async def places_of(store: PostgresStore, scope: str) -> dict[str, str]:
    async with store.read() as tx:
        names = [item.name for item in await tx.items.ready(scope, COLLECTION.name)]
        scene = await tx.people.scene(scope, [], names)
    return {item: place.cluster_id for item, place in scene.places.items()}


@pytest.fixture
async def photos(desk: Desk) -> list[str]:
    return await desk.arrive([axis(number) for number in range(8)])


async def test_what_is_staged_is_the_whole_membership(
    desk: Desk, store: PostgresStore, clock: FakeClock, photos: list[str], database: Database
) -> None:
    a, b, c = (a_cluster(desk.scope, key) for key in "abc")
    first = dict.fromkeys(photos[:4], a.id) | dict.fromkeys(photos[4:7], b.id)
    await write(store, desk.scope, {**first, photos[7]: None}, [a, b], [], [])
    assert await places_of(store, desk.scope) == first
    assert await rows(database, "SELECT FROM item_vectors WHERE NOT grouped") == []
    # People hold the first where it is, want the second elsewhere, and one is gone since.
    name = f"{desk.scope}/clusters/{a.id}"
    await add_members(store, clock, name, [photos[0]], KEY)
    await remove_members(store, clock, name, [photos[1]], KEY)
    second = dict.fromkeys(photos[:3], c.id) | dict.fromkeys(photos[2:6], a.id)
    second |= {photos[7]: a.id}
    await desk.deliver(deleted(photos[7]))
    moved = [Change(photos[3], c.id, 0.9)]
    await write(store, desk.scope, second, [replace(a, title="Other"), c], [b.id], moved)
    assert await places_of(store, desk.scope) == {
        photos[0]: a.id,
        photos[1]: c.id,
        photos[2]: a.id,
        photos[3]: c.id,
        photos[4]: a.id,
        photos[5]: a.id,
    }, "locked, refused, staged, changed on top, moved; the one that is not staged is in none"
    async with store.read() as tx:
        version = (await tx.clusters.scope(desk.scope)).version
        shown = await tx.people.by_ids(desk.scope, [a.id, b.id, c.id])
        counts = {id: len(await tx.clusters.all_members(id, version)) for id in shown}
    assert {id: cluster.member_count for id, cluster in shown.items() if id != b.id} == {
        id: count for id, count in counts.items() if id != b.id
    }
    assert (shown[a.id].title, shown[b.id].state) == ("Other", ClusterState.RETIRED)
    assert await rows(database, "SELECT FROM staged_members") == []


async def test_what_people_took_out_is_staged_in_vain(
    desk: Desk, store: PostgresStore, clock: FakeClock, photos: list[str]
) -> None:
    a = a_cluster(desk.scope, "a")
    everything: dict[str, str | None] = dict.fromkeys(photos, a.id)
    await write(store, desk.scope, everything, [a], [], [])
    await remove_members(store, clock, f"{desk.scope}/clusters/{a.id}", photos[:2], KEY)
    await write(store, desk.scope, everything, [a], [], [])
    assert {*await places_of(store, desk.scope)} == {*photos[2:]}


async def test_the_same_again_changes_no_row(
    desk: Desk, store: PostgresStore, photos: list[str], database: Database
) -> None:
    a = a_cluster(desk.scope, "a")
    for _ in range(2):
        await write(store, desk.scope, dict.fromkeys(photos, a.id), [a], [], [])
    for table in ("members", "cluster_versions"):
        found = await rows(database, f"SELECT DISTINCT since, until FROM {table}")
        assert [(row.since, row.until) for row in found] == [(1, None)]
