"""Lists show everything once, whatever the sizes, and each page of one list the same version."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import pytest

from libs.ids import uuid7
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Member,
    ScopeState,
    VersionedCluster,
)
from services.clustering.domain.history import Change, NewVersion, VersionKind
from services.clustering.domain.run import Mode, Run, RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.clusters import (
    cluster_name,
    get_cluster,
    list_clusters,
    list_members,
)
from services.clustering.usecases.runs import list_runs
from tests.support.clock import NOON

T = TypeVar("T")
SCOPE = "personas/nora"
List = Callable[[PageRequest], Coroutine[Any, Any, Page[T]]]


async def pages(list_page: List[T], sizes: Sequence[int]) -> list[list[T]]:
    """All pages of a list, of these sizes in turn."""
    found: list[list[T]] = []
    after = None
    while True:
        size = sizes[len(found) % len(sizes)]
        page = await list_page(PageRequest(size, after))
        assert len(page.rows) <= size
        found.append([*page.rows])
        if page.next_key is None:
            return found
        assert len(page.rows) == size
        after = page.next_key


def a_cluster(key: str, size: int) -> VersionedCluster:
    names = [f"{key} item {number}" for number in range(size)]
    members = tuple(Member(name, 1 - place / 1e5, place) for place, name in enumerate(names, 1))
    cluster = Cluster(uuid7(), SCOPE, key, f"Title {key}", NOON, NOON, member_count=size)
    return VersionedCluster(cluster, members)


async def write(store: PostgresStore, version: int, found: Sequence[VersionedCluster]) -> None:
    """A version with these clusters, and nothing of the one before."""
    state = ScopeState(SCOPE, version, "key", 1, "collection")
    async with store.begin() as tx:
        there = (await tx.clusters.list(SCOPE, version - 1, PageRequest(100))).rows
        gone = {c.id: await tx.clusters.all_members(c.id, version - 1) for c in there}
        changes = {member.item: Change(member.item, None) for m in gone.values() for member in m}
        for entry in found:
            for member in entry.members:
                changes[member.item] = Change(member.item, entry.cluster.id, member.similarity)
        new = NewVersion(
            state,
            VersionKind.RUN,
            "a run",
            NOON,
            changes=[*changes.values()],
            clusters=[entry.cluster for entry in found],
            retired=sorted(gone.keys() - {entry.cluster.id for entry in found}),
        )
        await tx.versions.write(new)
        await tx.commit()


@pytest.mark.parametrize("seed", range(6))
async def test_every_cluster_is_listed_once_the_largest_first(
    store: PostgresStore, seed: int
) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 5, size=int(random.integers(0, 40)))
    await write(store, 1, [a_cluster(f"g{n}", int(size)) for n, size in enumerate(sizes)])

    async def list_page(page: PageRequest) -> Page[Cluster]:
        version, found = await list_clusters(store, SCOPE, page)
        assert version == 1
        return found

    steps = [int(step) for step in random.integers(1, 9, size=5)]
    found = [cluster for page in await pages(list_page, steps) for cluster in page]
    assert sorted(cluster.key for cluster in found) == sorted(f"g{n}" for n in range(len(sizes)))
    counts = [cluster.member_count for cluster in found]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("step", [1, 3, 7, 20, 21])
async def test_every_member_is_listed_once_in_its_place(store: PostgresStore, step: int) -> None:
    found = a_cluster("g1", 20)
    await write(store, 1, [found, a_cluster("g2", 5)])
    name = cluster_name(SCOPE, found.cluster.id)
    listed = await pages(lambda page: list_members(store, name, page), [step])
    assert tuple(member for page in listed for member in page) == found.members


async def test_pages_of_one_list_show_one_version(store: PostgresStore) -> None:
    first = [a_cluster(f"g{n}", 3 + n % 2) for n in range(7)]
    await write(store, 1, first)
    seen: list[str] = []

    async def list_page(page: PageRequest) -> Page[Cluster]:
        version, found = await list_clusters(store, SCOPE, page)
        if not seen:
            # Everything retires while the second page is being asked for.
            await write(store, 2, [a_cluster("new", 9)])
        seen.append(str(version))
        return found

    listed = await pages(list_page, [2])
    assert seen == ["1"] * 4
    assert {c.key for page in listed for c in page} == {entry.cluster.key for entry in first}
    version, newest = await list_clusters(store, SCOPE, PageRequest(9))
    assert version == 2
    assert [(cluster.key, cluster.version) for cluster in newest.rows] == [("new", 2)]


async def test_members_of_one_list_are_of_one_version(store: PostgresStore) -> None:
    before = a_cluster("g1", 6)
    await write(store, 1, [before])
    after = VersionedCluster(before.cluster, tuple(reversed(before.members)))
    name = cluster_name(SCOPE, before.cluster.id)
    first = await list_members(store, name, PageRequest(2))
    moved = tuple(
        Member(member.item, 0.5 - place / 100, place)
        for place, member in enumerate(after.members, 1)
    )
    await write(store, 2, [VersionedCluster(before.cluster, moved)])
    second = await list_members(store, name, PageRequest(9, first.next_key))
    assert (*first.rows, *second.rows) == before.members
    assert tuple((await list_members(store, name, PageRequest(9))).rows) == moved


async def test_a_retired_cluster_shows_its_last_version(store: PostgresStore) -> None:
    old = a_cluster("g1", 4)
    await write(store, 1, [old])
    await write(store, 2, [a_cluster("g2", 4)])
    shown = await get_cluster(store, cluster_name(SCOPE, old.cluster.id))
    assert (shown.state, shown.version, shown.member_count) == (ClusterState.RETIRED, 1, 4)
    await write(store, 3, [])
    async with store.begin() as tx:
        gone = await tx.versions.prune(SCOPE, NOON + timedelta(days=1), 100)
        await tx.commit()
    assert gone.versions == 2
    shown = await get_cluster(store, cluster_name(SCOPE, old.cluster.id))
    assert (shown.state, shown.version, shown.member_count) == (ClusterState.RETIRED, 0, 0)


async def test_a_scope_that_was_never_clustered_has_none(store: PostgresStore) -> None:
    assert await list_clusters(store, "personas/other", PageRequest(9)) == (0, Page([]))


@pytest.mark.parametrize("step", [1, 4, 50])
async def test_runs_are_listed_newest_first(store: PostgresStore, step: int) -> None:
    made = []
    async with store.begin() as tx:
        for number in range(11):
            # Some share a moment, so that the id has to decide.
            moment = NOON + timedelta(seconds=number // 3)
            run = await tx.runs.add(Run(uuid7(), SCOPE, Mode.AUTO, moment))
            made.append(run.id)
            taken = await tx.ledger.take(run.id, "worker", 3)
            assert taken is not None
            await tx.ledger.end(replace(taken[0], state=RunState.SUCCEEDED), taken[1])
        await tx.runs.add(Run(uuid7(), "personas/other", Mode.AUTO, NOON))
        await tx.commit()
    listed = await pages(lambda page: list_runs(store, SCOPE, page), [step])
    assert [run.id for page in listed for run in page] == made[::-1]


async def test_more_members_than_a_statement_has_parameters(store: PostgresStore) -> None:
    large = a_cluster("g1", 70_000)
    await write(store, 1, [large])
    names = [member.item for member in large.members]
    async with store.read() as tx:
        assert len((await tx.clusters.member_sets(SCOPE, 1))["g1"]) == 70_000
        assert len(await tx.items.gone(names)) == 70_000
        assert await tx.items.many(names) == {}
