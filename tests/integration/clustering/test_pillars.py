"""Curated clusters and the pillars that they feed."""

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster, ClusterPillar
from sqlalchemy.exc import IntegrityError

from libs.db.engine import Database
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio, nobody
from tests.support.clustering.tables import change


async def assign(
    studio: Studio, cluster: Cluster, pillar: str, *, primary: bool = False, notes: str = ""
) -> ClusterPillar:
    request = api.AssignClusterToPillarRequest(
        name=cluster.name, pillar=pillar, primary=primary, notes=notes
    )
    return (await studio.stub.AssignClusterToPillar(request)).cluster_pillar


async def unassign(studio: Studio, cluster: Cluster, pillar: str) -> None:
    request = api.UnassignClusterFromPillarRequest(name=cluster.name, pillar=pillar)
    await studio.stub.UnassignClusterFromPillar(request)


async def listed(studio: Studio, parent: str, **wanted: object) -> list[ClusterPillar]:
    request = api.ListClusterPillarsRequest(parent=parent, **wanted)
    return list((await studio.stub.ListClusterPillars(request)).cluster_pillars)


async def test_a_cluster_feeds_pillars_one_of_them_first(studio: Studio) -> None:
    food, travel = f"{studio.scope}/pillars/food", f"{studio.scope}/pillars/travel"
    best = await studio.create("Best")
    first = await assign(studio, best, food, primary=True, notes=" for weekdays ")
    assert (first.cluster, first.pillar, first.primary, first.notes) == (
        best.name,
        food,
        True,
        "for weekdays",
    )
    second = await assign(studio, best, travel)
    assert await listed(studio, best.name) == [first, second]
    with pytest.raises(AlreadyExists) as caught:
        await assign(studio, best, travel, primary=True)
    assert (caught.value.reason, caught.value.metadata["pillar"]) == ("PRIMARY_TAKEN", food)
    await assign(studio, best, food)
    assert (await assign(studio, best, travel, primary=True)).primary
    assert [(a.pillar, a.primary, a.notes) for a in await listed(studio, best.name)] == [
        (food, False, ""),
        (travel, True, ""),
    ]
    await unassign(studio, best, food)
    with pytest.raises(NotFound):
        await unassign(studio, best, food)
    assert [a.pillar for a in await listed(studio, best.name)] == [travel]


async def test_assignments_by_pillar_over_all_clusters(studio: Studio) -> None:
    food, travel = f"{studio.scope}/pillars/food", f"{studio.scope}/pillars/travel"
    one, other = await studio.create("One"), await studio.create("Other")
    for cluster, pillar in ((one, food), (other, food), (other, travel)):
        await assign(studio, cluster, pillar)
    foreign = await studio.create("One", "personas/other")
    await assign(studio, foreign, "personas/other/pillars/food")
    everything = f"{studio.scope}/clusters/-"
    assert len(await listed(studio, everything)) == 3
    assert [a.cluster for a in await listed(studio, everything, pillar=food)] == [
        one.name,
        other.name,
    ]
    found: list[ClusterPillar] = []
    token = ""
    while True:
        answer = await studio.stub.ListClusterPillars(
            api.ListClusterPillarsRequest(parent=everything, page_size=1, page_token=token)
        )
        found += answer.cluster_pillars
        token = answer.next_page_token
        if not token:
            break
    assert found == await listed(studio, everything)


async def test_pillars_of_another_persona(studio: Studio) -> None:
    best = await studio.create("Best")
    for act in (assign, unassign):
        with pytest.raises(InvalidArgument) as caught:
            await act(studio, best, "personas/other/pillars/food")  # type: ignore[operator]
        assert caught.value.violations[0].field == "pillar"
    with pytest.raises(NotFound):
        await assign(studio, nobody(studio.scope), f"{studio.scope}/pillars/food")
    with pytest.raises(NotFound):
        await listed(studio, nobody(studio.scope).name)


async def test_only_curated_clusters_feed_pillars(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    await desk.arrive([*subject(0, 7), *subject(1, 6)])
    await run(worker, desk.scope)
    found, _ = (await studio.list()).values()
    with pytest.raises(FailedPrecondition) as caught:
        await assign(studio, found, f"{studio.scope}/pillars/food")
    assert caught.value.reason == "NOT_CURATED"


async def test_a_request_that_comes_again_and_a_cluster_that_goes(studio: Studio) -> None:
    best = await studio.create("Best")
    request = api.AssignClusterToPillarRequest(
        name=best.name, pillar=f"{studio.scope}/pillars/food", request_id=uuid7()
    )
    first = await studio.stub.AssignClusterToPillar(request)
    assert await studio.stub.AssignClusterToPillar(request) == first
    taken = api.UnassignClusterFromPillarRequest(
        name=best.name, pillar=request.pillar, request_id=uuid7()
    )
    for _ in range(2):
        await studio.stub.UnassignClusterFromPillar(taken)
    await assign(studio, best, request.pillar)
    await studio.stub.DeleteCluster(api.DeleteClusterRequest(name=best.name))
    assert await listed(studio, f"{studio.scope}/clusters/-") == []


@pytest.mark.parametrize("pillar", ["food", "travel"])
async def test_the_database_itself_refuses_a_second_one(
    studio: Studio, database: Database, pillar: str
) -> None:
    best = await studio.create("Best")
    await assign(studio, best, f"{studio.scope}/pillars/food", primary=True)
    with pytest.raises(IntegrityError):
        await change(
            database,
            """INSERT INTO cluster_pillars (cluster_id, pillar, scope, "primary", create_time)
               VALUES (:id, :pillar, :scope, true, now())""",
            id=best.name.rpartition("/")[2],
            pillar=f"{studio.scope}/pillars/{pillar}",
            scope=studio.scope,
        )
