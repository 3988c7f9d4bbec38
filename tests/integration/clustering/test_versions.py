"""The history of clusters: every version can be looked at, compared and gone back to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1 import version_service_pb2 as pb
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.cluster_version_pb2 import ClusterVersion
from colonnade.clustering.v1.version_service_pb2_grpc import (
    ClusterVersionServiceStub,
    add_ClusterVersionServiceServicer_to_server,
)

from libs.db.engine import Database
from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.paging import PageTokens
from services.clustering.domain.run import Mode
from services.clustering.module import VERSIONS
from services.clustering.repository.store import PostgresStore
from services.clustering.servicers.versions import VersionServicer
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.history import prune_history
from services.clustering.usecases.runs import forget_runs
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio
from tests.support.clustering.tables import rows
from tests.support.rpc import serve

THREE = [*subject(0, 9), *subject(1, 8), *subject(2, 7)]
WHOLE = """
    SELECT item, cluster_id, similarity, duplicate_of, locked FROM members
    WHERE until IS NULL ORDER BY item
"""


@pytest.fixture
async def history(
    store: PostgresStore, clock: FakeClock
) -> AsyncIterator[ClusterVersionServiceStub]:
    servicer = VersionServicer(store, clock, PageTokens(b"secret"))
    register = add_ClusterVersionServiceServicer_to_server
    async with serve(servicer, VERSIONS, register, ClusterVersionServiceStub) as stub:
        yield stub


@pytest.fixture
async def found(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    """Three clusters of version 1."""
    await desk.arrive(THREE)
    await run(worker, desk.scope)
    return [*(await studio.list()).values()]


def named(scope: str, version: int | str) -> str:
    return f"{scope}/clusterVersions/{version}"


async def membership(database: Database) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await rows(database, WHOLE)]


async def versions(history: ClusterVersionServiceStub, scope: str) -> list[ClusterVersion]:
    found: list[ClusterVersion] = []
    request = pb.ListClusterVersionsRequest(parent=scope, page_size=2)
    while True:
        page = await history.ListClusterVersions(request)
        found += page.cluster_versions
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_whatever_changes_clusters_is_a_version(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    one, other, _ = found
    await studio.update(one, "title", title="Mornings")
    await studio.merge(one, other)
    every = await versions(history, studio.scope)
    assert [version.version for version in every] == [3, 2, 1]
    assert [version.kind for version in every] == [
        ClusterVersion.KIND_EDIT,
        ClusterVersion.KIND_EDIT,
        ClusterVersion.KIND_RUN,
    ]
    assert "/clusterEdits/" in every[0].cause
    assert "/clusteringRuns/" in every[2].cause
    assert (every[2].cluster_count, every[2].clustered_count, every[2].item_count) == (3, 24, 24)
    assert len(every[2].diff.born) == 3
    latest = await history.GetClusterVersion(
        pb.GetClusterVersionRequest(name=named(studio.scope, "latest"))
    )
    assert latest.version == 3
    assert latest.etag


async def test_an_earlier_version_shows_what_was(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    one, other, _ = found
    await studio.merge(one, other)
    request = api.ListClustersRequest(parent=studio.scope, version=1)
    then = (await studio.stub.ListClusters(request)).clusters
    assert {(c.name, c.member_count) for c in then} == {(c.name, c.member_count) for c in found}
    gone = await studio.stub.GetCluster(api.GetClusterRequest(name=other.name, version=1))
    assert (gone.state, gone.member_count) == (Cluster.STATE_ACTIVE, other.member_count)
    members = await studio.stub.ListClusterMembers(
        api.ListClusterMembersRequest(parent=other.name, version=1)
    )
    assert len(members.members) == other.member_count


async def test_going_back_restores_every_member(
    history: ClusterVersionServiceStub,
    studio: Studio,
    found: list[Cluster],
    database: Database,
) -> None:
    one, other, third = found
    before, shown = await membership(database), await studio.list()
    made = await studio.create("Best")
    await studio.merge(one, other)
    await studio.update(third, "title", title="Evenings")
    answer = await history.RestoreClusterVersion(
        pb.RestoreClusterVersionRequest(name=named(studio.scope, 1))
    )
    assert answer.cluster_version.version == 5
    assert answer.cluster_version.kind == ClusterVersion.KIND_ROLLBACK
    assert answer.cluster_version.cause == named(studio.scope, 1)
    assert await membership(database) == before
    assert {c.name: (c.title, c.hero.item) for c in (await studio.list()).values()} == {
        c.name: (c.title, c.hero.item) for c in shown.values()
    }
    assert (await studio.get(made)).state == Cluster.STATE_ARCHIVED
    undone = await history.RestoreClusterVersion(
        pb.RestoreClusterVersionRequest(name=named(studio.scope, 4))
    )
    assert undone.cluster_version.version == 6
    assert (await studio.get(third)).title == "Evenings"
    assert (await studio.get(other)).state == Cluster.STATE_RETIRED


async def test_going_back_twice_with_one_request_is_going_back_once(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    await studio.merge(found[0], found[1])
    request = pb.RestoreClusterVersionRequest(name=named(studio.scope, 1), request_id=uuid7())
    first, second = [await history.RestoreClusterVersion(request) for _ in range(2)]
    assert first == second
    assert len(await versions(history, studio.scope)) == 3


async def test_runs_go_on_from_a_restored_version(
    history: ClusterVersionServiceStub,
    studio: Studio,
    found: list[Cluster],
    desk: Desk,
    worker: Worker,
) -> None:
    one, other, _ = found
    await studio.merge(one, other)
    await history.RestoreClusterVersion(
        pb.RestoreClusterVersionRequest(name=named(studio.scope, 1))
    )
    await desk.arrive(subject(1, 3, seed=7))
    await run(worker, desk.scope)
    now = {c.name: c.member_count for c in (await studio.list()).values()}
    assert now == {**{c.name: c.member_count for c in found}, other.name: other.member_count + 3}


async def test_two_versions_are_compared(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    one, other, third = found
    await studio.merge(one, other)
    made = await studio.create("Best")
    await studio.add(made, *[*await studio.members(third)][:2])
    answer = await history.DiffClusterVersions(
        pb.DiffClusterVersionsRequest(name=named(studio.scope, 4), base_version=1)
    )
    assert [*answer.diff.born] == [made.name]
    assert [(m.cluster, m.into) for m in answer.diff.merges] == [(other.name, one.name)]
    assert (answer.moved_count, answer.stayed_count) == (other.member_count + 2, 24 - 8 - 2)
    assert (answer.joined_count, answer.left_count) == (0, 0)
    first = await history.DiffClusterVersions(
        pb.DiffClusterVersionsRequest(name=named(studio.scope, 1))
    )
    assert (len(first.diff.born), first.joined_count) == (3, 24)


async def test_what_is_not_there_is_told(
    history: ClusterVersionServiceStub,
    studio: Studio,
    found: list[Cluster],
    store: PostgresStore,
    worker: Worker,
    clock: FakeClock,
) -> None:
    with pytest.raises(NotFound):
        await history.GetClusterVersion(pb.GetClusterVersionRequest(name=named(studio.scope, 9)))
    with pytest.raises(InvalidArgument):
        await history.GetClusterVersion(pb.GetClusterVersionRequest(name=named(studio.scope, "x")))
    never = await history.GetClusterVersion(
        pb.GetClusterVersionRequest(name=named("personas/nobody", "latest"))
    )
    assert never.version == 0
    await studio.update(found[0], "title", title="One")
    await studio.update(found[0], "title", title="Two")
    await history.PinClusterVersion(pb.PinClusterVersionRequest(name=named(studio.scope, 1)))
    clock.advance(timedelta(days=100).total_seconds())
    pruned = await prune_history(store, worker.snapshots, clock, older=timedelta(days=90))
    assert pruned.versions == 1
    assert [v.version for v in await versions(history, studio.scope)] == [3, 1]
    with pytest.raises(FailedPrecondition) as gone:
        await history.GetClusterVersion(pb.GetClusterVersionRequest(name=named(studio.scope, 2)))
    assert gone.value.reason == "VERSION_PRUNED"
    await history.UnpinClusterVersion(pb.UnpinClusterVersionRequest(name=named(studio.scope, 1)))
    assert not (await versions(history, studio.scope))[-1].pinned


@dataclass(frozen=True)
class Ahead:
    """The wall clock, so many days ahead: ends of runs are told by the database."""

    days: int

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


async def test_runs_of_long_ago_are_forgotten(
    studio: Studio, found: list[Cluster], store: PostgresStore
) -> None:
    request = api.ListClusteringRunsRequest(parent=studio.scope)
    for days, left in ((29, 1), (31, 0)):
        await forget_runs(store, Ahead(days), timedelta(days=30))
        assert len((await studio.stub.ListClusteringRuns(request)).clustering_runs) == left


async def test_every_scope_is_listed_with_what_waits_in_it(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster], desk: Desk
) -> None:
    await desk.arrive(subject(5, 4))
    page = await history.ListClusterScopes(pb.ListClusterScopesRequest())
    [scope] = page.cluster_scopes
    assert (scope.scope, scope.version, scope.cluster_count) == (studio.scope, 1, 3)
    assert (scope.item_count, scope.waiting_count) == (28, 4)


async def test_edits_at_once_are_versions_one_after_the_other(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    await asyncio.gather(
        *(studio.update(found[n % 3], "title", title=f"Title {n}") for n in range(12))
    )
    numbers = [version.version for version in await versions(history, studio.scope)]
    assert numbers == [*range(13, 0, -1)]


async def test_titles_that_went_round_come_back(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    one, two, _ = found
    await studio.update(one, "title", title="Cats")
    await studio.update(two, "title", title="Birds")
    for cluster, title in ((one, "Fish"), (two, "Cats"), (one, "Birds")):
        await studio.update(cluster, "title", title=title)
    await restored(history, studio, 3)
    assert (await studio.get(one)).title == "Cats"
    assert (await studio.get(two)).title == "Birds"


async def test_a_title_that_was_given_away_goes_back(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster]
) -> None:
    one, two, _ = found
    await studio.update(one, "title", title="Cats")
    await studio.merge(two, one)
    made = await studio.create("Cats")
    await restored(history, studio, 2)
    assert (await studio.get(one)).title == "Cats"
    put_away = await studio.get(made)
    assert (put_away.title, put_away.state) == ("Cats (2)", Cluster.STATE_ARCHIVED)


async def test_a_cluster_that_was_deleted_comes_back_with_its_members(
    history: ClusterVersionServiceStub, studio: Studio, found: list[Cluster], database: Database
) -> None:
    items = [*await studio.members(found[0])][:3]
    split = await studio.split(found[0], "Best", items)
    then = await membership(database)
    await studio.undo(split.edit)
    await restored(history, studio, 2)
    assert await membership(database) == then
    assert {*await studio.members((await studio.list())["Best"])} == {*items}
    assert sum(c.member_count for c in (await studio.list()).values()) == len(THREE)


async def test_what_was_taken_out_and_put_back_stays(
    history: ClusterVersionServiceStub,
    studio: Studio,
    found: list[Cluster],
    desk: Desk,
    worker: Worker,
) -> None:
    item = next(iter(await studio.members(found[0])))
    await studio.remove(found[0], item)
    await restored(history, studio, 1)
    await run(worker, desk.scope, Mode.REFIT)
    assert item in await studio.members(found[0])


async def restored(history: ClusterVersionServiceStub, studio: Studio, version: int) -> None:
    request = pb.RestoreClusterVersionRequest(name=named(studio.scope, version))
    await history.RestoreClusterVersion(request)
