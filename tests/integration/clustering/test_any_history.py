"""Whatever happens, in whatever order: each version shows for ever what was current with it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from libs.clock import Clock
from libs.errors import AlreadyExists, FailedPrecondition
from libs.ids import uuid7
from libs.rpc.paging import PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.history import Change, Diff, NewVersion, VersionKind
from services.clustering.ports import Store
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases import curating, edits, heroes, members, merging
from services.clustering.usecases.clusters import cluster_name
from services.clustering.usecases.editing import edit_name
from services.clustering.usecases.history import add_version
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import axis, deleted
from tests.support.clustering.tables import rows

KEY = RequestKey("", "", "")
STEPS = 30


async def seen(store: Store, scope: str, version: int) -> dict[str, Any]:
    """What a version shows: each cluster with its members, as many as it says."""
    shown = {}
    async with store.read() as tx:
        for cluster in (await tx.clusters.list(scope, version, PageRequest(100))).rows:
            inside = await tx.clusters.all_members(cluster.id, version)
            assert cluster.member_count == len(inside)
            shown[cluster.id] = (replace(cluster, version=0), [*inside])
    return shown


class Walk:
    """Random changes of one scope; ``was`` is what each version showed when it was the newest."""

    def __init__(self, store: Store, clock: Clock, scope: str, items: list[str], seed: int) -> None:
        self.store = store
        self.clock = clock
        self.scope = scope
        self.items = items
        self.chance = random.Random(seed)
        self.number = 0
        self.was: dict[int, Any] = {}
        self.steps: list[Callable[[], Awaitable[Any]]] = [
            self.create,
            self.add,
            self.add,
            self.remove,
            self.hold,
            self.rename,
            self.split,
            self.merge,
            self.pin,
            self.run,
            self.run,
            self.undo,
            self.undo,
            self.delete,
        ]

    async def go(self) -> None:
        for _ in range(STEPS):
            try:
                await self.chance.choice(self.steps)()
            except (AlreadyExists, FailedPrecondition):
                continue  # it cannot be done as things are
            state = await self.state()
            assert state.version <= max(self.was, default=0) + 1, "no gap"
            self.was[state.version] = await seen(self.store, self.scope, state.version)

    async def state(self) -> Any:
        async with self.store.read() as tx:
            return await tx.clusters.scope(self.scope)

    async def clusters(self) -> list[Cluster]:
        async with self.store.read() as tx:
            version = (await tx.clusters.scope(self.scope)).version
            return [*(await tx.clusters.list(self.scope, version, PageRequest(100))).rows]

    async def one(self) -> tuple[str, Cluster]:
        found = await self.clusters()
        if not found:
            raise FailedPrecondition("there is none yet")
        cluster = self.chance.choice(found)
        return cluster_name(self.scope, cluster.id), cluster

    async def inside(self, cluster: Cluster) -> list[str]:
        async with self.store.read() as tx:
            found = await tx.clusters.all_members(cluster.id, cluster.version)
        return self.some([member.item for member in found])

    def some(self, items: list[str]) -> list[str]:
        return self.chance.sample(items, min(len(items), self.chance.randint(1, 3)))

    def title(self) -> str:
        self.number += 1
        return f"Title {self.number}"

    async def create(self) -> None:
        wanted = Cluster("", self.scope, "", self.title(), self.clock.now(), self.clock.now())
        await curating.create_cluster(self.store, self.clock, self.scope, wanted, KEY)

    async def add(self) -> None:
        name, _ = await self.one()
        await members.add_members(self.store, self.clock, name, self.some(self.items), KEY)

    async def remove(self) -> None:
        name, cluster = await self.one()
        items = await self.inside(cluster)
        await members.remove_members(self.store, self.clock, name, items, KEY)

    async def hold(self) -> None:
        name, cluster = await self.one()
        items, lock = await self.inside(cluster), self.chance.random() < 0.5
        await members.lock_members(self.store, self.clock, name, items, KEY, lock=lock)

    async def rename(self) -> None:
        name, _ = await self.one()
        title = self.title()
        await curating.update_cluster(
            self.store, self.clock, name, title, lambda c: replace(c, title=title), "", KEY
        )

    async def split(self) -> None:
        name, cluster = await self.one()
        if items := await self.inside(cluster):
            await members.split_cluster(self.store, self.clock, name, items, self.title(), KEY)

    async def merge(self) -> None:
        target, _ = await self.one()
        source, _ = await self.one()
        if target != source:
            await merging.merge_clusters(self.store, self.clock, target, [source], KEY)

    async def pin(self) -> None:
        name, cluster = await self.one()
        for item in (await self.inside(cluster))[:1]:
            await heroes.set_hero(self.store, self.clock, name, item, KEY)

    async def delete(self) -> None:
        name, _ = await self.one()
        await curating.delete_cluster(self.store, self.clock, name, "", KEY)

    async def undo(self) -> None:
        async with self.store.read() as tx:
            found = (await tx.edits.list(self.scope, "", PageRequest(5))).rows
        standing = [edit for edit in found if edit.undo_time is None]
        if standing:
            name = edit_name(self.scope, self.chance.choice(standing).id)
            await edits.undo_edit(self.store, self.clock, name, KEY)

    async def run(self) -> None:
        """What a run does: moves what nobody holds, finds clusters and loses some."""
        async with self.store.begin() as tx:
            await tx.items.lock([self.scope])
            scene = await tx.people.scene(self.scope, [], self.items)
            free = [i for i in self.items if not (i in scene.places and scene.places[i].locked)]
            now, key = self.clock.now(), uuid7()
            found = Cluster(key, self.scope, key, self.title(), now, now, cohesion=0.5)
            there = [c for c in await self.clusters() if c.state is not ClusterState.RETIRED]
            homes = [found.id, *(c.id for c in there), None]
            changes = [
                Change(item, self.chance.choice(homes), self.chance.random())
                for item in self.some(free)
            ]
            lost = [c for c in there if not c.curated and not c.member_count]
            lost = [c for c in lost if all(change.cluster_id != c.id for change in changes)]
            new = NewVersion(
                state=replace(scene.state, version=scene.state.version + 1),
                kind=VersionKind.RUN,
                cause=f"{self.scope}/clusteringRuns/{uuid7()}",
                time=now,
                changes=changes,
                clusters=[found],
                retired=[cluster.id for cluster in lost],
                diff=Diff(born=(found.id,)),
            )
            await add_version(tx, new)
            await tx.commit()


@pytest.mark.parametrize("seed", range(3))
async def test_every_version_shows_what_was_current_with_it(
    desk: Desk, store: PostgresStore, clock: FakeClock, database: Any, seed: int
) -> None:
    items = await desk.arrive([axis(number) for number in range(12)])
    walk = Walk(store, clock, desk.scope, items, seed)
    await walk.go()
    assert len(walk.was) > STEPS / 4
    for version, shown in walk.was.items():
        assert await seen(store, desk.scope, version) == shown, version
    log = await rows(database, "SELECT version, clusters, clustered FROM versions ORDER BY version")
    assert [row.version for row in log] == [*range(1, max(walk.was) + 1)]
    for row in log:
        members_ = [entry[-1] for entry in walk.was[row.version].values()]
        assert (row.clusters, row.clustered) == (len(members_), sum(map(len, members_)))
    for gone in items[:3]:
        await desk.deliver(deleted(gone))
    for version, shown in walk.was.items():
        left = {
            id: [member.item for member in entry[-1] if member.item not in items[:3]]
            for id, entry in shown.items()
        }
        now = await seen(store, desk.scope, version)
        assert {id: [member.item for member in entry[-1]] for id, entry in now.items()} == left
