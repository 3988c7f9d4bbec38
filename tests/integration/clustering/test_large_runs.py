"""Refits of large scopes, from the shards to the version: what people decided stands."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.vectors.qdrant import QdrantIndex
from services.clustering.algorithms.memory import Memory
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.item import ItemKey
from services.clustering.domain.run import Mode, Run, RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.curating import update_cluster
from services.clustering.usecases.membership import forget_item
from services.clustering.usecases.runs import cancel_run, run_name
from tests.integration.clustering.test_shards import (
    COPIES,
    ITEMS,
    LARGE,
    Scope,
    in_memory,
    large,
    left_behind,
    scope,
)
from tests.integration.clustering.test_steps import assert_exact
from tests.support.clock import FakeClock
from tests.support.clustering.bulk import name_of
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.faults import Hook, Hooked
from tests.support.clustering.runs import NO_KEY, ask, beats_of, cluster
from tests.support.clustering.tables import change, rows, told

__all__ = ["large", "scope"]


async def regroup(worker: Worker, scope: str) -> Run:
    return await cluster(worker, scope, Mode.REFIT)


async def shown(store: PostgresStore, scope: str) -> dict[str, Cluster]:
    """The clusters of the newest version that have members, by id."""
    async with store.read() as tx:
        state = await tx.clusters.scope(scope)
        sets = await tx.clusters.member_sets(scope, state.version)
        found = await tx.clusters.by_keys(scope, [*sets])
    return {cluster.id: cluster for cluster in found.values()}


async def members_of(database: Database, scope: str) -> dict[str, str]:
    """The cluster of each item that is in one."""
    found = await rows(
        database,
        "SELECT item, cluster_id FROM members WHERE scope = :scope AND until IS NULL",
        scope=scope,
    )
    return {row.item: str(row.cluster_id) for row in found}


def groups(places: Mapping[str, str]) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for item, id in places.items():
        found.setdefault(id, set()).add(item)
    return {frozenset(items) for items in found.values()}


def expected(scope: Scope) -> set[frozenset[str]]:
    return {frozenset(name_of(scope.name, point) for point in those) for those in in_memory(scope)}


async def test_a_large_run_makes_the_version_that_a_small_one_would(
    scope: Scope, large: Worker, store: PostgresStore, database: Database, blobs: ObjectBlobs
) -> None:
    run = await regroup(large, scope.name)
    assert (run.state, run.version, run.phase) == (RunState.SUCCEEDED, 1, "done")
    places = await members_of(database, scope.name)
    assert groups(places) == expected(scope)
    clusters = await shown(store, scope.name)
    assert clusters.keys() == set(places.values())
    for id, shown_as in clusters.items():
        count = sum(place == id for place in places.values())
        assert (shown_as.member_count, shown_as.version) == (count, 1)
        assert shown_as.hero is not None and places[shown_as.hero.item] == id
        assert shown_as.title and 0 < shown_as.cohesion < 1
    assert len({cluster.title.casefold() for cluster in clusters.values()}) == len(clusters)
    stats = run.stats
    assert (stats.items, stats.duplicates, stats.refit) == (ITEMS, len(COPIES), True)
    assert (stats.clustered, stats.unclustered) == (len(places), ITEMS - len(places))
    assert (stats.clusters, stats.born, stats.missing) == (len(clusters), len(clusters), 0)
    (message,) = await told(database, "clusters.updated")
    assert (message.scope, message.version) == (scope.name, 1)
    waiting = await rows(database, "SELECT FROM item_vectors WHERE NOT grouped")
    assert waiting == []
    shards, placements, kept = await left_behind(database, blobs)
    assert (shards, placements, kept) == (0, 0, 1), "the memory of the version alone"
    assert await rows(database, "SELECT FROM staged_members") == []


async def test_the_memory_is_that_of_the_version(
    scope: Scope, large: Worker, store: PostgresStore, blobs: ObjectBlobs
) -> None:
    await regroup(large, scope.name)
    async with store.read() as tx:
        state = await tx.clusters.scope(scope.name)
    assert (state.memory_version, state.version) == (1, 1)
    memory = Memory.from_bytes(await blobs.get(state.state_key))
    clusters = await shown(store, scope.name)
    assert set(memory.keys.tolist()) == {cluster.key for cluster in clusters.values()}
    assert (memory.next_key, memory.history.fitted) == (state.next_key, ITEMS - len(COPIES))
    assert memory.components.counts.sum() + memory.history.fitted_outside == memory.history.fitted


async def test_a_second_large_run_keeps_everything(
    scope: Scope, large: Worker, store: PostgresStore, database: Database
) -> None:
    await regroup(large, scope.name)
    before, places = await shown(store, scope.name), await members_of(database, scope.name)
    run = await regroup(large, scope.name)
    assert (run.version, run.stats.born, run.stats.retired, run.stats.updated) == (2, 0, 0, 0)
    assert await members_of(database, scope.name) == places
    after = await shown(store, scope.name)
    assert {id: (c.title, c.key, c.hero) for id, c in after.items()} == {
        id: (c.title, c.key, c.hero) for id, c in before.items()
    }
    old = await rows(database, "SELECT FROM members WHERE until IS NOT NULL")
    assert old == [], "nobody moved"


async def test_items_that_left_and_groups_that_ended_are_told(
    scope: Scope, large: Worker, store: PostgresStore, database: Database, index: QdrantIndex
) -> None:
    await regroup(large, scope.name)
    clusters = await shown(store, scope.name)
    places = await members_of(database, scope.name)
    ended = min(clusters.values(), key=lambda cluster: (cluster.member_count, cluster.id))
    gone = [item for item, id in places.items() if id == ended.id]
    points = [item.rsplit("/", 1)[1] for item in gone]
    await change(
        database,
        "UPDATE item_vectors SET state = 'pending' WHERE item = ANY(:items)",
        items=gone,
    )
    await index.delete(LARGE.name, points)
    run = await regroup(large, scope.name)
    assert run.stats.items == ITEMS - len(gone)
    after = await members_of(database, scope.name)
    assert not set(gone) & after.keys()
    (row,) = await rows(database, "SELECT state FROM clusters WHERE id = :id", id=ended.id)
    assert row.state == "retired"
    (version,) = await rows(database, "SELECT diff FROM versions WHERE version = 2")
    assert ended.id in {*version.diff["retired"], *version.diff["merged"]}


async def test_what_people_decided_stands(
    scope: Scope,
    large: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
) -> None:
    await regroup(large, scope.name)
    clusters = [*(await shown(store, scope.name)).values()]
    places = await members_of(database, scope.name)
    first, second, third, fourth = sorted(clusters, key=lambda c: -c.member_count)[:4]
    moved, refused, hero = (
        next(
            item
            for item, id in places.items()
            if id == each.id and each.hero is not None and each.hero.item != item
        )
        for each in (first, second, third)
    )
    for statement, values in (
        (
            "UPDATE members SET cluster_id = :id, locked = true WHERE item = :item",
            {"id": second.id, "item": moved},
        ),
        (
            "INSERT INTO refusals (cluster_id, item, kind) VALUES (:id, :item, 'member')",
            {"id": second.id, "item": refused},
        ),
        ("UPDATE clusters SET pinned_hero = :item WHERE id = :id", {"id": third.id, "item": hero}),
        (
            "UPDATE clusters SET title = 'Ours', title_pinned = true WHERE id = :id",
            {"id": third.id},
        ),
        (
            "UPDATE clusters SET state = 'retired', merged_into = :into, merge_pinned = true "
            "WHERE id = :id",
            {"id": fourth.id, "into": first.id},
        ),
    ):
        await change(database, statement, **values)
    await regroup(large, scope.name)
    after = await members_of(database, scope.name)
    assert after[moved] == second.id and refused not in after
    found = await shown(store, scope.name)
    assert found[third.id].title == "Ours"
    chosen = found[third.id].hero
    assert chosen is not None and (chosen.item, chosen.pinned) == (hero, True)
    assert fourth.id not in set(after.values())
    were_there = {item for item, id in places.items() if id == fourth.id}
    assert {after[item] for item in were_there} == {first.id}
    await assert_exact(store, blobs, index, database, scope.name, LARGE.name)


async def test_what_is_deleted_while_a_large_run_works_is_in_nothing(
    scope: Scope,
    large: Worker,
    store: PostgresStore,
    blobs: ObjectBlobs,
    index: QdrantIndex,
    database: Database,
    clock: FakeClock,
) -> None:
    await regroup(large, scope.name)
    places = await members_of(database, scope.name)
    heroes = {c.hero.item for c in (await shown(store, scope.name)).values() if c.hero}
    # One that counts for its copies too, and one that no run has seen and whose vector is lost.
    original = name_of(scope.name, scope.points[0])
    unseen = next(item for item in places if item not in heroes | {original})
    await change(
        database, "UPDATE item_vectors SET grouped = false WHERE item = :item", item=unseen
    )
    gone = {*heroes, original, unseen}

    async def meanwhile() -> None:
        for item in sorted(gone):
            key = ItemKey(item, scope.name, item.rpartition("/")[2])
            await forget_item(store, index, clock, key)

    after: Any = AfterDescribing(large.snapshots, meanwhile)
    run = await regroup(replace(large, snapshots=after), scope.name)
    assert (run.state, run.version) == (RunState.SUCCEEDED, 2)
    left = await members_of(database, scope.name)
    assert left.keys() == places.keys() - gone
    found = await shown(store, scope.name)
    assert all(c.hero and left[c.hero.item] == id for id, c in found.items())
    async with store.read() as tx:
        assert await tx.departures.waiting(scope.name) == []
        state = await tx.clusters.scope(scope.name)
    memory = Memory.from_bytes(await blobs.get(state.state_key))
    counts = dict(zip(memory.keys.tolist(), memory.components.counts.tolist(), strict=True))
    counted = await rows(
        database,
        "SELECT c.key, count(*) AS items FROM members m JOIN clusters c ON c.id = m.cluster_id "
        "WHERE m.until IS NULL AND m.duplicate_of = '' GROUP BY c.key",
    )
    assert counts == {row.key: row.items for row in counted}


async def test_a_run_that_is_broken_off_after_its_commit_keeps_its_memory(
    scope: Scope, large: Worker, database: Database, blobs: ObjectBlobs
) -> None:
    class Answerless:
        """A store whose commits are done, and never answered once the version is there."""

        def __getattr__(self, name: str) -> Any:
            return getattr(large.store, name)

        @asynccontextmanager
        async def begin(self) -> AsyncIterator[Any]:
            async with large.store.begin() as tx:
                yield tx
            if await rows(database, "SELECT FROM versions"):
                raise asyncio.CancelledError

    answerless: Any = Answerless()
    with pytest.raises(asyncio.CancelledError):
        await regroup(replace(large, store=answerless), scope.name)
    (version,) = await rows(database, "SELECT state_key FROM versions")
    assert await blobs.get(version.state_key)


async def test_a_heartbeat_while_a_large_run_tidies_up_does_no_harm(
    scope: Scope,
    large: Worker,
    database: Database,
    blobs: ObjectBlobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beats = beats_of(monkeypatch)

    async def beat() -> None:
        assert await rows(database, "SELECT FROM runs WHERE state = 'succeeded'")
        await beats[0]()

    hooked: Any = Hooked(large.snapshots, "forget_all", beat)
    run = await regroup(replace(large, snapshots=hooked), scope.name)
    assert run.state is RunState.SUCCEEDED
    assert await left_behind(database, blobs) == (0, 0, 1)


async def test_changes_while_a_large_run_works_are_kept(
    scope: Scope, large: Worker, store: PostgresStore, database: Database, clock: FakeClock
) -> None:
    await regroup(large, scope.name)
    places = await members_of(database, scope.name)
    gone, id = next(iter(places.items()))

    async def meanwhile() -> None:
        await change(database, "DELETE FROM members WHERE item = :item", item=gone)
        await change(database, "UPDATE items SET state = 'deleted' WHERE name = :item", item=gone)
        name = f"{scope.name}/clusters/{id}"
        await update_cluster(
            store, clock, name, "Ours", lambda each: replace(each, title="Ours"), "", NO_KEY
        )

    after: Any = AfterDescribing(large.snapshots, meanwhile)
    watched = replace(large, snapshots=after)
    run = await regroup(watched, scope.name)
    assert (run.state, run.version) == (RunState.SUCCEEDED, 3), "the second one is the edit"
    assert gone not in await members_of(database, scope.name)
    assert (await shown(store, scope.name))[id].title == "Ours"


class AfterDescribing:
    """Snapshots; before the memory of the version is first stored, something happens."""

    def __init__(self, snapshots: Any, hook: Hook) -> None:
        self._snapshots = snapshots
        self._hook: Hook | None = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshots, name)

    async def save(self, key: str, data: bytes) -> None:
        if "/shards/" not in key and self._hook is not None:
            hook, self._hook = self._hook, None
            await hook()
        await self._snapshots.save(key, data)


async def test_cancelling_at_the_very_end_writes_nothing(
    scope: Scope, large: Worker, store: PostgresStore, database: Database, blobs: ObjectBlobs
) -> None:
    asked = await ask(store, scope.name, Mode.REFIT)

    async def meanwhile() -> None:
        await cancel_run(store, run_name(scope.name, asked.id), NO_KEY)

    after: Any = AfterDescribing(large.snapshots, meanwhile)
    watched = replace(large, snapshots=after)
    run = await cluster(watched, scope.name, Mode.REFIT)
    assert (run.state, run.version) == (RunState.CANCELLED, 0)
    assert await members_of(database, scope.name) == {}
    assert await left_behind(database, blobs) == (0, 0, 0)
    assert await rows(database, "SELECT FROM staged_members") == []
    assert await told(database, "clusters.updated") == []


async def test_only_what_does_not_fit_goes_in_shards(
    scope: Scope, large: Worker, database: Database, queue: MemoryQueue
) -> None:
    roomy = replace(large, sharding=replace(large.sharding, direct_limit=ITEMS))
    await cluster(roomy, scope.name)
    assert queue.sent == []
    assert (await cluster(large, scope.name)).stats.noop
    assert queue.sent == [], "there is a memory to go on with"
    places = groups(await members_of(database, scope.name))
    run = await regroup(large, scope.name)
    assert queue.sent
    assert (run.stats.born, run.stats.retired) == (0, 0)
    assert groups(await members_of(database, scope.name)) == places
