"""The gRPC face of the clustering service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any

from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceServicer

from libs.clock import Clock
from libs.jobs.queue import JobQueue
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from libs.vectors.index import VectorIndex
from services.clustering import convert
from services.clustering.ports import Store
from services.clustering.usecases import clusters, runs, similarity

_LOOK_EVERY = 0.2


class ClusteringServicer(ClusteringServiceServicer):
    """Parses, calls a use case, converts."""

    def __init__(
        self,
        store: Store,
        index: VectorIndex,
        queue: JobQueue,
        clock: Clock,
        tokens: PageTokens,
        *,
        is_stopping: Callable[[], bool],
        heartbeat: float = 15.0,
    ) -> None:
        self._store = store
        self._index = index
        self._queue = queue
        self._clock = clock
        self._tokens = tokens
        self._is_stopping = is_stopping
        self._heartbeat = heartbeat

    async def CreateClusteringRun(
        self, request: api.CreateClusteringRunRequest, context: Any
    ) -> ClusteringRun:
        mode = convert.mode_of(request.clustering_run)
        key = request_of(request, "CreateClusteringRun")
        run = await runs.create_run(
            self._store, self._queue, self._clock, request.parent, mode, key
        )
        return convert.run_message(run)

    async def GetClusteringRun(
        self, request: api.GetClusteringRunRequest, context: Any
    ) -> ClusteringRun:
        return convert.run_message(await runs.get_run(self._store, request.name))

    async def ListClusteringRuns(
        self, request: api.ListClusteringRunsRequest, context: Any
    ) -> api.ListClusteringRunsResponse:
        listing = ("ListClusteringRuns", request.parent)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        found = await runs.list_runs(self._store, request.parent, page)
        return api.ListClusteringRunsResponse(
            clustering_runs=[convert.run_message(run) for run in found.rows],
            next_page_token=self._tokens.token(found.next_key, *listing),
        )

    async def CancelClusteringRun(
        self, request: api.CancelClusteringRunRequest, context: Any
    ) -> api.CancelClusteringRunResponse:
        key = request_of(request, "CancelClusteringRun")
        run = await runs.cancel_run(self._store, request.name, key)
        return api.CancelClusteringRunResponse(clustering_run=convert.run_message(run))

    async def WatchClusteringRun(
        self, request: api.WatchClusteringRunRequest, context: Any
    ) -> AsyncIterator[api.WatchClusteringRunResponse]:
        shown, sequence, last = None, 0, 0.0
        while True:
            run = await runs.get_run(self._store, request.name)
            if run != shown or monotonic() - last >= self._heartbeat:
                shown, sequence, last = run, sequence + 1, monotonic()
                yield api.WatchClusteringRunResponse(
                    clustering_run=convert.run_message(run), sequence=sequence
                )
            # A watcher comes back after a restart; waiting for it would hold the restart up.
            if run.ended or self._is_stopping():
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def GetCluster(self, request: api.GetClusterRequest, context: Any) -> Cluster:
        return convert.cluster_message(await clusters.get_cluster(self._store, request.name))

    async def ListClusters(
        self, request: api.ListClustersRequest, context: Any
    ) -> api.ListClustersResponse:
        listing = ("ListClusters", request.parent)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        version, found = await clusters.list_clusters(self._store, request.parent, page)
        return api.ListClustersResponse(
            clusters=[convert.cluster_message(cluster) for cluster in found.rows],
            next_page_token=self._tokens.token(found.next_key, *listing),
            version=version,
        )

    async def ListClusterMembers(
        self, request: api.ListClusterMembersRequest, context: Any
    ) -> api.ListClusterMembersResponse:
        listing = ("ListClusterMembers", request.parent)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        found = await clusters.list_members(self._store, request.parent, page)
        return api.ListClusterMembersResponse(
            members=[convert.member_message(member) for member in found.rows],
            next_page_token=self._tokens.token(found.next_key, *listing),
        )

    async def SearchSimilar(
        self, request: api.SearchSimilarRequest, context: Any
    ) -> api.SearchSimilarResponse:
        min_score = request.min_score if request.HasField("min_score") else None
        if request.WhichOneof("query") == "item":
            model, found = await similarity.similar_to_item(
                self._store, self._index, request.parent, request.item, request.limit, min_score
            )
        else:
            vector = convert.vector_of(request.vector)
            model, found = await similarity.similar_to_vector(
                self._store, self._index, request.parent, vector, request.limit, min_score
            )
        items = [convert.similar_message(neighbour) for neighbour in found]
        return api.SearchSimilarResponse(items=items, model=model)

    async def FindDuplicates(
        self, request: api.FindDuplicatesRequest, context: Any
    ) -> api.FindDuplicatesResponse:
        min_score = request.min_score if request.HasField("min_score") else None
        used, groups = await similarity.find_duplicates(self._store, request.parent, min_score)
        return api.FindDuplicatesResponse(
            groups=[convert.group_message(group) for group in groups], min_score=used
        )
