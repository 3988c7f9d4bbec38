"""Stands in for the scheduler and the clustering service, as far as a migration calls them.

Both keep to their contracts: what was told before is answered as it is, names are unique.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import Cluster, ClusterMemberResult
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import PastPost, Post, PostResult
from google.protobuf.empty_pb2 import Empty
from google.rpc.code_pb2 import NOT_FOUND
from google.rpc.status_pb2 import Status

from libs.errors import AlreadyExists, FailedPrecondition, NotFound, Unavailable
from libs.rpc.status import to_status


class Service:
    """What the stand-ins have in common: they can be away."""

    def __init__(self) -> None:
        self.away = False

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("gone")

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Nobody answers in the block."""
        self.away = True
        yield
        self.away = False


class Scheduler(Service):
    """Takes in posts that went out, one for each photo.

    ``refused`` are older ids that it does not want; ``state`` is that of posts that it has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, PastPost] = {}
        self.refused: set[str] = set()
        self.state = "POSTED"
        self._names: dict[str, str] = {}

    async def ImportPosts(
        self, request: scheduler.ImportPostsRequest
    ) -> scheduler.ImportPostsResponse:
        self._answer()
        results = [self._one(request.parent, post) for post in request.posts]
        return scheduler.ImportPostsResponse(results=results)

    def _one(self, parent: str, post: PastPost) -> PostResult:
        if post.external_id.split("/")[1] in self.refused:
            return PostResult(photo=post.photo, status=to_status(FailedPrecondition("no")))
        taken = {known.photo: id for id, known in self.posts.items()}.get(post.photo)
        if taken not in (None, post.external_id):
            info = {"state": self.state, "name": self._names[taken]}
            refused = AlreadyExists(
                "post", self._names[taken], reason="PHOTO_ALREADY_SCHEDULED", metadata=info
            )
            return PostResult(photo=post.photo, status=to_status(refused))
        self.posts.setdefault(post.external_id, post)
        name = self._names.setdefault(post.external_id, f"{parent}/posts/{uuid.uuid4()}")
        return PostResult(photo=post.photo, post=Post(name=name, photo=post.photo))


class Clustering(Service):
    """Keeps curated clusters. ``unknown`` are photos that it has not heard of yet."""

    def __init__(self) -> None:
        super().__init__()
        self.clusters: dict[str, Cluster] = {}
        self.members: dict[str, set[str]] = {}
        self.pillars: dict[str, dict[str, bool]] = {}
        self.unknown: set[str] = set()
        self._requests: dict[str, str] = {}

    async def CreateCluster(self, request: clustering.CreateClusterRequest) -> Cluster:
        self._answer()
        if request.request_id in self._requests:
            made = self._requests[request.request_id]
            if made not in self.clusters:
                raise NotFound("cluster", made)
            return self.clusters[made]
        title = request.cluster.title
        for name, cluster in self.clusters.items():
            if name.startswith(f"{request.parent}/") and cluster.title.lower() == title.lower():
                raise AlreadyExists("cluster", name)
        cluster = Cluster()
        cluster.CopyFrom(request.cluster)
        cluster.name = f"{request.parent}/clusters/{uuid.uuid4()}"
        self.clusters[cluster.name] = cluster
        self._requests[request.request_id] = cluster.name
        return cluster

    async def AssignClusterToPillar(
        self, request: clustering.AssignClusterToPillarRequest
    ) -> clustering.AssignClusterToPillarResponse:
        self._answer()
        pillars = self.pillars.setdefault(request.name, {})
        taken = any(primary for pillar, primary in pillars.items() if pillar != request.pillar)
        if request.primary and taken:
            raise AlreadyExists("primary pillar", request.name)
        pillars[request.pillar] = request.primary
        return clustering.AssignClusterToPillarResponse()

    async def AddClusterMembers(
        self, request: clustering.AddClusterMembersRequest
    ) -> clustering.AddClusterMembersResponse:
        self._answer()
        known = set(request.items) - self.unknown
        self.members.setdefault(request.name, set()).update(known)
        missing = Status(code=NOT_FOUND, message="there is no such item")
        results = [
            ClusterMemberResult(item=item, status=None if item in known else missing)
            for item in request.items
        ]
        return clustering.AddClusterMembersResponse(results=results)

    async def ArchiveCluster(
        self, request: clustering.ArchiveClusterRequest
    ) -> clustering.ArchiveClusterResponse:
        self._answer()
        self.clusters[request.name].state = Cluster.STATE_ARCHIVED
        return clustering.ArchiveClusterResponse(cluster=self.clusters[request.name])

    async def DeleteCluster(self, request: clustering.DeleteClusterRequest) -> Empty:
        self._answer()
        if request.name not in self.clusters:
            raise NotFound("cluster", request.name)
        if self.members.get(request.name):
            raise FailedPrecondition("it has members", reason="NOT_EMPTY")
        del self.clusters[request.name]
        return Empty()
