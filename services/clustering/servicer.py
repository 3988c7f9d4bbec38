"""The gRPC face of the clustering service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import sha256
from time import monotonic
from typing import Any, Protocol

from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceServicer
from google.protobuf.empty_pb2 import Empty

from libs.clock import Clock
from libs.jobs.queue import JobQueue
from libs.rpc.filtering import Condition
from libs.rpc.masks import merged
from libs.rpc.paging import PageRequest, PageTokens
from libs.rpc.requests import request_of
from libs.vectors.index import VectorIndex
from services.clustering import convert
from services.clustering.domain import cluster as domain
from services.clustering.filters import cluster_conditions, cluster_order, run_conditions
from services.clustering.ports import Store
from services.clustering.usecases import (
    assignments,
    clusters,
    curating,
    edits,
    heroes,
    members,
    merging,
    runs,
    similarity,
)
from services.clustering.usecases.digests import digests_of

_LOOK_EVERY = 0.2


class Pages(Protocol):
    """Remembers pages that stay the same for as long as their key does."""

    async def answer(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What is remembered under a key, or else what ``make`` answers."""


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
        pages: Pages | None = None,
        heartbeat: float = 15.0,
    ) -> None:
        self._pages = pages
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
        wanted = convert.wanted_run(request.clustering_run, request.parent, self._clock.now())
        key = request_of(request, "CreateClusteringRun")
        run = await runs.create_run(self._store, self._queue, self._clock, wanted, key)
        return convert.run_message(run)

    async def GetClusteringRun(
        self, request: api.GetClusteringRunRequest, context: Any
    ) -> ClusteringRun:
        return convert.run_message(await runs.get_run(self._store, request.name))

    async def ListClusteringRuns(
        self, request: api.ListClusteringRunsRequest, context: Any
    ) -> api.ListClusteringRunsResponse:
        listing = ("ListClusteringRuns", request.parent, request.filter)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        conditions = run_conditions(request.filter)
        found = await runs.list_runs(self._store, request.parent, page, conditions)
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
        cluster = await clusters.get_cluster(self._store, request.name, request.version or None)
        digests = await digests_of(self._store, [cluster.id])
        return convert.cluster_message(cluster, digests.get(cluster.id))

    async def ListClusters(
        self, request: api.ListClustersRequest, context: Any
    ) -> api.ListClustersResponse:
        # Refused before anything is looked up.
        page, conditions, order = self._listing_of(request)
        # Pillars are assigned without a new version.
        if self._pages is None or any(condition.field == "pillar" for condition in conditions):
            return await self._clusters(request, page, conditions, order)
        version = request.version or None
        stamp = await clusters.stamp_of(self._store, request.parent, page, version)
        etag = _etag(request, stamp)

        async def made() -> bytes:
            found = await self._clusters(request, page, conditions, order, etag)
            return found.SerializeToString()

        return api.ListClustersResponse.FromString(await self._pages.answer(etag, made))

    async def _clusters(
        self,
        request: api.ListClustersRequest,
        page: PageRequest,
        conditions: Sequence[Condition],
        order: domain.Order,
        etag: str = "",
    ) -> api.ListClustersResponse:
        version, found = await clusters.list_clusters(
            self._store, request.parent, page, conditions, order, request.version or None
        )
        digests = await digests_of(self._store, [cluster.id for cluster in found.rows])
        return api.ListClustersResponse(
            clusters=[
                convert.cluster_message(cluster, digests.get(cluster.id)) for cluster in found.rows
            ],
            next_page_token=self._tokens.token(found.next_key, *_listing(request)),
            version=version,
            etag=etag,
        )

    def _listing_of(
        self, request: api.ListClustersRequest
    ) -> tuple[PageRequest, Sequence[Condition], domain.Order]:
        page = self._tokens.request(request.page_size, request.page_token, *_listing(request))
        return page, cluster_conditions(request.filter), cluster_order(request.order_by)

    async def ListClusterMembers(
        self, request: api.ListClusterMembersRequest, context: Any
    ) -> api.ListClusterMembersResponse:
        listing = ("ListClusterMembers", request.parent, str(request.version))
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        version = request.version or None
        found = await clusters.list_members(self._store, request.parent, page, version)
        shown = [member for member in found.rows if not member.gone]
        return api.ListClusterMembersResponse(
            members=[convert.member_message(member) for member in shown],
            next_page_token=self._tokens.token(found.next_key, *listing),
            skipped_count=len(found.rows) - len(shown),
            source_counts=found.sources,
        )

    async def CreateCluster(self, request: api.CreateClusterRequest, context: Any) -> Cluster:
        wanted = convert.wanted_cluster(request.cluster, request.parent, self._clock.now())
        key = request_of(request, "CreateCluster")
        done = await curating.create_cluster(self._store, self._clock, request.parent, wanted, key)
        return convert.cluster_message(done.cluster)

    async def UpdateCluster(self, request: api.UpdateClusterRequest, context: Any) -> Cluster:
        def update(cluster: domain.Cluster) -> domain.Cluster:
            current = convert.cluster_message(cluster)
            message = merged(current, request.cluster, request.update_mask, "cluster")
            return convert.with_fields(cluster, message)

        given, key = request.cluster, request_of(request, "UpdateCluster")
        done = await curating.update_cluster(
            self._store, self._clock, given.name, given.title, update, given.etag, key
        )
        return convert.cluster_message(done.cluster)

    async def ArchiveCluster(
        self, request: api.ArchiveClusterRequest, context: Any
    ) -> api.ArchiveClusterResponse:
        key = request_of(request, "ArchiveCluster")
        done = await curating.archive_cluster(self._store, self._clock, request.name, key)
        return api.ArchiveClusterResponse(cluster=convert.cluster_message(done.cluster))

    async def UnarchiveCluster(
        self, request: api.UnarchiveClusterRequest, context: Any
    ) -> api.UnarchiveClusterResponse:
        key = request_of(request, "UnarchiveCluster")
        done = await curating.unarchive_cluster(self._store, self._clock, request.name, key)
        return api.UnarchiveClusterResponse(cluster=convert.cluster_message(done.cluster))

    async def DeleteCluster(self, request: api.DeleteClusterRequest, context: Any) -> Empty:
        key = request_of(request, "DeleteCluster")
        await curating.delete_cluster(self._store, self._clock, request.name, request.etag, key)
        return Empty()

    async def AddClusterMembers(
        self, request: api.AddClusterMembersRequest, context: Any
    ) -> api.AddClusterMembersResponse:
        key = request_of(request, "AddClusterMembers")
        done = await members.add_members(self._store, self._clock, request.name, request.items, key)
        return api.AddClusterMembersResponse(
            results=convert.result_messages(request.items, done, "is no item of this scope"),
            cluster=convert.cluster_message(done.cluster),
            edit=convert.made_edit(done),
        )

    async def RemoveClusterMembers(
        self, request: api.RemoveClusterMembersRequest, context: Any
    ) -> api.RemoveClusterMembersResponse:
        key = request_of(request, "RemoveClusterMembers")
        done = await members.remove_members(
            self._store, self._clock, request.name, request.items, key
        )
        return api.RemoveClusterMembersResponse(
            results=convert.result_messages(request.items, done, "is no member of the cluster"),
            cluster=convert.cluster_message(done.cluster),
            edit=convert.made_edit(done),
        )

    async def LockClusterMembers(
        self, request: api.LockClusterMembersRequest, context: Any
    ) -> api.LockClusterMembersResponse:
        key = request_of(request, "LockClusterMembers")
        done = await members.lock_members(
            self._store, self._clock, request.name, request.items, key, lock=True
        )
        return api.LockClusterMembersResponse(
            results=convert.result_messages(request.items, done, "is no member of the cluster"),
            cluster=convert.cluster_message(done.cluster),
            edit=convert.made_edit(done),
        )

    async def UnlockClusterMembers(
        self, request: api.UnlockClusterMembersRequest, context: Any
    ) -> api.UnlockClusterMembersResponse:
        key = request_of(request, "UnlockClusterMembers")
        done = await members.lock_members(
            self._store, self._clock, request.name, request.items, key, lock=False
        )
        return api.UnlockClusterMembersResponse(
            results=convert.result_messages(request.items, done, "is no member of the cluster"),
            cluster=convert.cluster_message(done.cluster),
            edit=convert.made_edit(done),
        )

    async def MergeClusters(
        self, request: api.MergeClustersRequest, context: Any
    ) -> api.MergeClustersResponse:
        key = request_of(request, "MergeClusters")
        done = await merging.merge_clusters(
            self._store, self._clock, request.name, request.sources, key
        )
        return api.MergeClustersResponse(
            cluster=convert.cluster_message(done.cluster), edit=convert.made_edit(done)
        )

    async def SplitCluster(
        self, request: api.SplitClusterRequest, context: Any
    ) -> api.SplitClusterResponse:
        key = request_of(request, "SplitCluster")
        done = await members.split_cluster(
            self._store, self._clock, request.name, request.items, request.title, key
        )
        return api.SplitClusterResponse(
            cluster=convert.cluster_message(done.cluster), edit=convert.made_edit(done)
        )

    async def SetClusterHero(
        self, request: api.SetClusterHeroRequest, context: Any
    ) -> api.SetClusterHeroResponse:
        key = request_of(request, "SetClusterHero")
        done = await heroes.set_hero(self._store, self._clock, request.name, request.item, key)
        return api.SetClusterHeroResponse(
            cluster=convert.cluster_message(done.cluster), edit=convert.made_edit(done)
        )

    async def VetoClusterHero(
        self, request: api.VetoClusterHeroRequest, context: Any
    ) -> api.VetoClusterHeroResponse:
        key = request_of(request, "VetoClusterHero")
        done = await heroes.veto_hero(
            self._store, self._clock, request.name, request.item, key, allow=request.allow
        )
        return api.VetoClusterHeroResponse(
            cluster=convert.cluster_message(done.cluster), edit=convert.made_edit(done)
        )

    async def AssignClusterToPillar(
        self, request: api.AssignClusterToPillarRequest, context: Any
    ) -> api.AssignClusterToPillarResponse:
        assignment = await assignments.assign_pillar(
            self._store,
            self._clock,
            request.name,
            request.pillar,
            request_of(request, "AssignClusterToPillar"),
            primary=request.primary,
            notes=request.notes,
        )
        return api.AssignClusterToPillarResponse(cluster_pillar=convert.pillar_message(assignment))

    async def UnassignClusterFromPillar(
        self, request: api.UnassignClusterFromPillarRequest, context: Any
    ) -> api.UnassignClusterFromPillarResponse:
        key = request_of(request, "UnassignClusterFromPillar")
        await assignments.unassign_pillar(self._store, request.name, request.pillar, key)
        return api.UnassignClusterFromPillarResponse()

    async def ListClusterPillars(
        self, request: api.ListClusterPillarsRequest, context: Any
    ) -> api.ListClusterPillarsResponse:
        listing = ("ListClusterPillars", request.parent, request.pillar)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        found = await assignments.list_pillars(self._store, request.parent, request.pillar, page)
        return api.ListClusterPillarsResponse(
            cluster_pillars=[convert.pillar_message(row) for row in found.rows],
            next_page_token=self._tokens.token(found.next_key, *listing),
        )

    async def ListClusterEdits(
        self, request: api.ListClusterEditsRequest, context: Any
    ) -> api.ListClusterEditsResponse:
        listing = ("ListClusterEdits", request.parent, request.cluster)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        found = await edits.list_edits(self._store, request.parent, request.cluster, page)
        return api.ListClusterEditsResponse(
            cluster_edits=[convert.edit_message(edit) for edit in found.rows],
            next_page_token=self._tokens.token(found.next_key, *listing),
        )

    async def UndoClusterEdit(
        self, request: api.UndoClusterEditRequest, context: Any
    ) -> api.UndoClusterEditResponse:
        key = request_of(request, "UndoClusterEdit")
        edit = await edits.undo_edit(self._store, self._clock, request.name, key)
        return api.UndoClusterEditResponse(edit=convert.edit_message(edit))

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


def _listing(request: api.ListClustersRequest) -> tuple[str, ...]:
    return (
        "ListClusters",
        request.parent,
        request.filter,
        request.order_by,
        str(request.version),
    )


def _etag(request: api.ListClustersRequest, stamp: str) -> str:
    """Another one for every page that may show something else."""
    asked = sha256(request.SerializeToString(deterministic=True)).hexdigest()[:16]
    return f"{stamp}-{asked}"
