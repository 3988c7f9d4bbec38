"""What people do to the clusters of one scope, over gRPC, and what they see of it."""

from collections.abc import Sequence
from typing import Any

from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_edit_pb2 import ClusterEdit
from colonnade.clustering.v1.cluster_pb2 import Cluster, ClusterMember
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub

from libs.ids import uuid7
from libs.rpc.paging import PageRequest
from services.clustering.ports import Store


class Studio:
    """Short ways to the methods for people; what a method does not need is left at its default."""

    def __init__(self, stub: ClusteringServiceStub, store: Store, scope: str) -> None:
        self.stub = stub
        self.scope = scope
        self._store = store

    async def create(self, title: str, scope: str = "", **fields: Any) -> Cluster:
        """A new curated cluster."""
        request = api.CreateClusterRequest(
            parent=scope or self.scope, cluster=Cluster(title=title, **fields)
        )
        return await self.stub.CreateCluster(request)

    async def update(self, cluster: Cluster, *paths: str, **fields: Any) -> Cluster:
        """The cluster with other fields; an ``etag`` among them must fit."""
        request = api.UpdateClusterRequest(cluster=Cluster(name=cluster.name, **fields))
        request.update_mask.paths.extend(paths)
        return await self.stub.UpdateCluster(request)

    async def add(self, cluster: Cluster, *items: str) -> api.AddClusterMembersResponse:
        """What adding items came to."""
        request = api.AddClusterMembersRequest(name=cluster.name, items=items)
        return await self.stub.AddClusterMembers(request)

    async def remove(self, cluster: Cluster, *items: str) -> api.RemoveClusterMembersResponse:
        """What removing items came to."""
        request = api.RemoveClusterMembersRequest(name=cluster.name, items=items)
        return await self.stub.RemoveClusterMembers(request)

    async def lock(self, cluster: Cluster, *items: str) -> api.LockClusterMembersResponse:
        """What locking members came to."""
        request = api.LockClusterMembersRequest(name=cluster.name, items=items)
        return await self.stub.LockClusterMembers(request)

    async def unlock(self, cluster: Cluster, *items: str) -> api.UnlockClusterMembersResponse:
        """What unlocking members came to."""
        request = api.UnlockClusterMembersRequest(name=cluster.name, items=items)
        return await self.stub.UnlockClusterMembers(request)

    async def merge(self, cluster: Cluster, *sources: Cluster) -> api.MergeClustersResponse:
        """What merging clusters into one came to."""
        names = [source.name for source in sources]
        request = api.MergeClustersRequest(name=cluster.name, sources=names)
        return await self.stub.MergeClusters(request)

    async def split(
        self, cluster: Cluster, title: str, items: Sequence[str]
    ) -> api.SplitClusterResponse:
        """What splitting items off came to."""
        request = api.SplitClusterRequest(name=cluster.name, title=title, items=items)
        return await self.stub.SplitCluster(request)

    async def pin(self, cluster: Cluster, item: str) -> Cluster:
        """The cluster with this hero, or with any for none."""
        request = api.SetClusterHeroRequest(name=cluster.name, item=item)
        return (await self.stub.SetClusterHero(request)).cluster

    async def veto(self, cluster: Cluster, item: str, *, allow: bool = False) -> Cluster:
        """The cluster without this hero."""
        request = api.VetoClusterHeroRequest(name=cluster.name, item=item, allow=allow)
        return (await self.stub.VetoClusterHero(request)).cluster

    async def undo(self, edit: ClusterEdit) -> ClusterEdit:
        """The edit, undone."""
        request = api.UndoClusterEditRequest(name=edit.name)
        return (await self.stub.UndoClusterEdit(request)).edit

    async def edits(self, **wanted: Any) -> list[ClusterEdit]:
        """The edits of the scope, newest first."""
        request = api.ListClusterEditsRequest(parent=self.scope, **wanted)
        return list((await self.stub.ListClusterEdits(request)).cluster_edits)

    async def get(self, cluster: Cluster) -> Cluster:
        """The cluster as it is now."""
        return await self.stub.GetCluster(api.GetClusterRequest(name=cluster.name))

    async def list(self, filter: str = "") -> dict[str, Cluster]:
        """The clusters of the scope by title."""
        request = api.ListClustersRequest(parent=self.scope, filter=filter, page_size=200)
        return {c.title: c for c in (await self.stub.ListClusters(request)).clusters}

    async def members(self, cluster: Cluster) -> dict[str, ClusterMember]:
        """The members of a cluster by item, in their order."""
        request = api.ListClusterMembersRequest(parent=cluster.name, page_size=200)
        answer = await self.stub.ListClusterMembers(request)
        return {member.item: member for member in answer.members}

    async def content(self) -> dict[str, tuple[str, ...]]:
        """The items of each cluster of the newest version, by the cluster's name."""
        return {c.name: (*await self.members(c),) for c in (await self.list()).values()}

    async def counts(self) -> dict[str, tuple[int, int]]:
        """The member count that each cluster shows and its real number of members, by title."""
        async with self._store.read() as tx:
            version = (await tx.clusters.scope(self.scope)).version
            found = (await tx.clusters.list(self.scope, version, PageRequest(1000))).rows
            return {
                c.title: (c.member_count, len(await tx.clusters.all_members(c.id, version)))
                for c in found
            }


def nobody(scope: str) -> Cluster:
    """A cluster that there is not."""
    return Cluster(name=f"{scope}/clusters/{uuid7()}")
