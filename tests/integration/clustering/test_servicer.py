"""The service as its callers see it, over gRPC."""

import asyncio

import numpy as np
import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    ClusteringServiceStub,
)
from colonnade.type.v1.job_pb2 import JobState
from colonnade.type.v1.vector_pb2 import Vector

from libs.db.engine import Database
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.status import from_status
from libs.vectors.qdrant import QdrantIndex
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import COLLECTION, axis, created, photo_in, subject, tilted

THREE = [*subject(0, 7), *subject(1, 6), *subject(2, 5)]


async def create(
    stub: ClusteringServiceStub, scope: str, request_id: str = "", mode: int = 0
) -> ClusteringRun:
    return await stub.CreateClusteringRun(
        api.CreateClusteringRunRequest(
            parent=scope,
            clustering_run=ClusteringRun(mode=mode),
            request_id=request_id,
        )
    )


async def get(stub: ClusteringServiceStub, name: str) -> ClusteringRun:
    return await stub.GetClusteringRun(api.GetClusteringRunRequest(name=name))


async def do(worker: Worker, run: ClusteringRun) -> None:
    await run_clustering_once(worker, run.name.rpartition("/")[2])


async def listed(stub: ClusteringServiceStub, scope: str) -> api.ListClustersResponse:
    return await stub.ListClusters(api.ListClustersRequest(parent=scope))


async def similar(stub: ClusteringServiceStub, scope: str, **query: object) -> list[str]:
    request = api.SearchSimilarRequest(parent=scope, **query)
    answer = await stub.SearchSimilar(request)
    return [item.item for item in answer.items]


def message(vector: np.ndarray) -> Vector:
    return Vector(dimension=len(vector), data=vector.astype("<f4").tobytes())


async def test_from_photos_to_clusters(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker, queue: MemoryQueue
) -> None:
    photos = await desk.arrive(THREE)
    empty = await listed(stub, desk.scope)
    assert (list(empty.clusters), empty.version) == ([], 0)
    run = await create(stub, desk.scope)
    assert run.state == JobState.JOB_STATE_QUEUED
    assert [job for _, job, _ in queue.sent] == [run.name.rpartition("/")[2]]
    await do(worker, run)
    done = await get(stub, run.name)
    assert (done.state, done.version) == (JobState.JOB_STATE_SUCCEEDED, 1)
    assert (done.stats.clusters, done.stats.born, done.stats.items) == (3, 3, 18)
    assert done.progress.done == done.progress.total == 18
    answer = await listed(stub, desk.scope)
    assert answer.version == 1
    assert [cluster.member_count for cluster in answer.clusters] == [7, 6, 5]
    largest = answer.clusters[0]
    assert largest == await stub.GetCluster(api.GetClusterRequest(name=largest.name))
    assert (largest.state, largest.origin) == (Cluster.STATE_ACTIVE, Cluster.ORIGIN_FOUND)
    assert largest.title and largest.etag and 0 < largest.cohesion <= 1
    assert largest.hero.item in photos[:7] and 0 < largest.hero.score <= 1
    members = await stub.ListClusterMembers(api.ListClusterMembersRequest(parent=largest.name))
    assert {member.item for member in members.members} == set(photos[:7])
    assert [member.position for member in members.members] == list(range(1, 8))


async def test_asking_again_is_refused_and_told_of_the_run_that_is_active(
    stub: ClusteringServiceStub, desk: Desk
) -> None:
    first = await create(stub, desk.scope)
    with pytest.raises(AlreadyExists) as caught:
        await create(stub, desk.scope, mode=ClusteringRun.MODE_REFIT)
    assert (caught.value.reason, caught.value.metadata["run"]) == ("RUN_ACTIVE", first.name)
    await stub.CancelClusteringRun(api.CancelClusteringRunRequest(name=first.name))
    assert (await create(stub, desk.scope)).name != first.name


async def test_the_same_request_has_its_effect_once(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker
) -> None:
    request_id = uuid7()
    first = await create(stub, desk.scope, request_id)
    await do(worker, first)
    assert (await create(stub, desk.scope, request_id)).name == first.name
    assert (await create(stub, desk.scope)).name != first.name
    with pytest.raises(AlreadyExists) as caught:
        await create(stub, desk.scope, request_id, mode=ClusteringRun.MODE_REFIT)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_the_same_request_sent_at_once_makes_one_run(
    stub: ClusteringServiceStub, desk: Desk
) -> None:
    request_id = uuid7()
    runs = await asyncio.gather(*(create(stub, desk.scope, request_id) for _ in range(5)))
    assert len({run.name for run in runs}) == 1


async def test_watching_a_run_from_queue_to_end(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(THREE)
    run = await create(stub, desk.scope)
    seen: list[api.WatchClusteringRunResponse] = []
    async for answer in stub.WatchClusteringRun(api.WatchClusteringRunRequest(name=run.name)):
        seen.append(answer)
        if len(seen) == 1:
            working = asyncio.create_task(do(worker, run))
    await working
    assert seen[0].clustering_run == run
    assert seen[-1].clustering_run == await get(stub, run.name)
    assert seen[-1].clustering_run.state == JobState.JOB_STATE_SUCCEEDED
    assert [answer.sequence for answer in seen] == list(range(1, len(seen) + 1))


async def test_watching_a_run_that_has_ended_answers_once(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker
) -> None:
    run = await create(stub, desk.scope)
    await do(worker, run)
    request = api.WatchClusteringRunRequest(name=run.name)
    (answer,) = [answer async for answer in stub.WatchClusteringRun(request)]
    assert answer.clustering_run.stats.noop and answer.sequence == 1


async def test_watching_ends_in_good_order_when_the_service_stops(
    stub: ClusteringServiceStub, desk: Desk, stopping: asyncio.Event
) -> None:
    run = await create(stub, desk.scope)
    watch = stub.WatchClusteringRun(api.WatchClusteringRunRequest(name=run.name))
    async with asyncio.timeout(60):
        async for answer in watch:
            assert answer.clustering_run == run
            stopping.set()


async def test_watching_shows_signs_of_life_and_the_progress(
    stub: ClusteringServiceStub, desk: Desk, store: PostgresStore
) -> None:
    run = await create(stub, desk.scope)
    run_id = run.name.rpartition("/")[2]
    seen: list[ClusteringRun] = []
    ending = False
    async for answer in stub.WatchClusteringRun(api.WatchClusteringRunRequest(name=run.name)):
        seen.append(answer.clustering_run)
        if len(seen) == 2:
            assert seen[1] == seen[0], "nothing happened, and that was told"
            async with store.begin() as tx:
                taken = await tx.ledger.take(run_id, "worker", 3)
                await tx.commit()
            assert taken is not None
        elif answer.clustering_run.state == JobState.JOB_STATE_RUNNING:
            cancel = api.CancelClusteringRunRequest(name=run.name)
            asked = (await stub.CancelClusteringRun(cancel)).clustering_run
            assert asked.state == JobState.JOB_STATE_CANCELLING
        elif answer.clustering_run.state == JobState.JOB_STATE_CANCELLING and not ending:
            # It shows signs of life until the end is stored, however long that takes.
            ending = True
            async with store.begin() as tx:
                await tx.ledger.end(*taken)
                await tx.commit()
    assert seen[-1].state == JobState.JOB_STATE_CANCELLED
    assert seen[-1].attempt == 1


async def test_a_failed_run_says_why(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker, index: QdrantIndex
) -> None:
    await desk.arrive(THREE)
    await index.delete_collection(COLLECTION.name)
    run = await create(stub, desk.scope)
    await do(worker, run)
    done = await get(stub, run.name)
    assert done.state == JobState.JOB_STATE_FAILED and not done.HasField("stats")
    error = from_status(done.error)
    assert error.reason == "NOT_FOUND" and COLLECTION.name in error.message


async def test_cancelling(stub: ClusteringServiceStub, desk: Desk, worker: Worker) -> None:
    run = await create(stub, desk.scope)
    request = api.CancelClusteringRunRequest(name=run.name, request_id=uuid7())
    for _ in range(2):
        answer = await stub.CancelClusteringRun(request)
        assert answer.clustering_run.state == JobState.JOB_STATE_CANCELLED
        assert answer.clustering_run.HasField("end_time")
    ended = await create(stub, desk.scope)
    await do(worker, ended)
    with pytest.raises(FailedPrecondition) as caught:
        await stub.CancelClusteringRun(api.CancelClusteringRunRequest(name=ended.name))
    assert caught.value.reason == "RUN_ENDED"


async def test_listing_runs_in_pages(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker
) -> None:
    made = []
    for _ in range(5):
        run = await create(stub, desk.scope)
        await do(worker, run)
        made.append(run.name)
    names, token = [], ""
    while True:
        request = api.ListClusteringRunsRequest(parent=desk.scope, page_size=2, page_token=token)
        answer = await stub.ListClusteringRuns(request)
        names += [run.name for run in answer.clustering_runs]
        token = answer.next_page_token
        if not token:
            break
    assert names == made[::-1]


async def test_a_token_of_another_list_is_refused(
    stub: ClusteringServiceStub, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(THREE)
    run = await create(stub, desk.scope)
    await do(worker, run)
    first = await stub.ListClusters(api.ListClustersRequest(parent=desk.scope, page_size=1))
    token = first.next_page_token
    second = await stub.ListClusters(
        api.ListClustersRequest(parent=desk.scope, page_size=5, page_token=token)
    )
    assert len(second.clusters) == 2
    cluster = first.clusters[0].name
    for wrong in (
        stub.ListClusters(api.ListClustersRequest(parent="personas/other", page_token=token)),
        stub.ListClusters(api.ListClustersRequest(parent=desk.scope, page_token="made-up")),
        stub.ListClusterMembers(api.ListClusterMembersRequest(parent=cluster, page_token=token)),
        stub.ListClusteringRuns(api.ListClusteringRunsRequest(parent=desk.scope, page_token=token)),
    ):
        with pytest.raises(InvalidArgument) as caught:
            await wrong
        assert caught.value.violations[0].field == "page_token"


async def test_what_there_is_not_is_not_found(stub: ClusteringServiceStub, desk: Desk) -> None:
    run = await create(stub, desk.scope)
    run_id = run.name.rpartition("/")[2]
    cluster = f"{desk.scope}/clusters/{uuid7()}"
    for missing in (
        get(stub, f"personas/other/clusteringRuns/{run_id}"),
        stub.GetCluster(api.GetClusterRequest(name=cluster)),
        stub.ListClusterMembers(api.ListClusterMembersRequest(parent=cluster)),
        stub.CancelClusteringRun(
            api.CancelClusteringRunRequest(name=f"personas/other/clusteringRuns/{run_id}")
        ),
    ):
        with pytest.raises(NotFound):
            await missing
    watch = api.WatchClusteringRunRequest(name=f"{desk.scope}/clusteringRuns/{uuid7()}")
    with pytest.raises(NotFound):
        [answer async for answer in stub.WatchClusteringRun(watch)]


async def test_searching_by_an_item(stub: ClusteringServiceStub, desk: Desk) -> None:
    item, near, far = await desk.arrive([axis(0), tilted(0, 0.8, 1), tilted(0, -0.5, 2)])
    await desk.arrive_elsewhere([axis(0)])
    assert await similar(stub, desk.scope, item=item) == [near, far]
    assert await similar(stub, desk.scope, item=item, limit=1) == [near]
    assert await similar(stub, desk.scope, item=item, min_score=0.0) == [near]
    answer = await stub.SearchSimilar(api.SearchSimilarRequest(parent=desk.scope, item=item))
    assert answer.model == COLLECTION.model
    assert [hit.score for hit in answer.items] == pytest.approx([0.8, -0.5], abs=1e-5)


async def test_searching_by_a_vector(stub: ClusteringServiceStub, desk: Desk) -> None:
    near, _ = await desk.arrive([axis(0), axis(1)])
    found = await similar(stub, desk.scope, vector=message(tilted(0, 0.9, 3)), min_score=0.5)
    assert found == [near]


async def test_searches_that_cannot_be_done(stub: ClusteringServiceStub, desk: Desk) -> None:
    (item,) = await desk.arrive([axis(0)])
    elsewhere = (await desk.arrive_elsewhere([axis(0)]))[0]
    nan = np.full(32, np.nan, np.float32)
    for query, kind, reason in (
        ({"item": photo_in(desk.scope)}, NotFound, "NOT_FOUND"),
        ({"item": elsewhere}, NotFound, "NOT_FOUND"),
        ({"item": "nonsense"}, InvalidArgument, "INVALID_ARGUMENT"),
        ({"vector": message(np.ones(7))}, InvalidArgument, "WRONG_DIMENSION"),
        ({"vector": message(nan)}, InvalidArgument, "INVALID_ARGUMENT"),
        ({"vector": Vector(dimension=32, data=b"1234")}, InvalidArgument, "INVALID_ARGUMENT"),
        ({"item": item, "min_score": float("nan")}, InvalidArgument, "INVALID_ARGUMENT"),
        ({"item": item, "limit": 101}, InvalidArgument, "INVALID_ARGUMENT"),
        ({}, InvalidArgument, "INVALID_ARGUMENT"),
    ):
        with pytest.raises(kind) as caught:
            await similar(stub, desk.scope, **query)
        assert caught.value.reason == reason, query


async def test_an_item_that_has_no_vector_yet(stub: ClusteringServiceStub, desk: Desk) -> None:
    waiting = desk.photo(InvalidArgument("this is no picture"))
    await desk.deliver(created(waiting))
    with pytest.raises(FailedPrecondition) as caught:
        await similar(stub, desk.scope, item=waiting)
    assert caught.value.reason == "NOT_EMBEDDED"


async def test_finding_duplicates(stub: ClusteringServiceStub, desk: Desk) -> None:
    (small,) = await desk.arrive([axis(0)], size=(10, 10))
    large, _ = await desk.arrive([tilted(0, 0.98, 1), tilted(0, 0.93, 2)])
    answer = await stub.FindDuplicates(api.FindDuplicatesRequest(parent=desk.scope))
    assert answer.min_score == COLLECTION.duplicate_threshold
    (group,) = answer.groups
    assert group.keeper == large
    assert [(hit.item, hit.score) for hit in group.duplicates] == [
        (small, pytest.approx(0.98, abs=1e-5))
    ]
    with pytest.raises(InvalidArgument) as caught:
        await stub.FindDuplicates(api.FindDuplicatesRequest(parent=desk.scope, min_score=0.6))
    assert caught.value.violations[0].field == "min_score"


async def test_a_request_without_a_scope_is_refused(
    stub: ClusteringServiceStub, database: Database
) -> None:
    with pytest.raises(InvalidArgument):
        await create(stub, "personas")
