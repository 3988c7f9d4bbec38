"""The gRPC face of the history of clusters."""

from typing import Any

from colonnade.clustering.v1 import version_service_pb2 as api
from colonnade.clustering.v1.cluster_version_pb2 import ClusterVersion
from colonnade.clustering.v1.version_service_pb2_grpc import ClusterVersionServiceServicer

from libs.clock import Clock
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.clustering.ports import Store
from services.clustering.usecases import restoring
from services.clustering.version_messages import (
    comparison_message,
    kept_message,
    scope_message,
    version_message,
)


class VersionServicer(ClusterVersionServiceServicer):
    """Parses, calls a use case, converts."""

    def __init__(self, store: Store, clock: Clock, tokens: PageTokens) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens

    async def ListClusterVersions(
        self, request: api.ListClusterVersionsRequest, context: Any
    ) -> api.ListClusterVersionsResponse:
        listing = ("ListClusterVersions", request.parent)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        found = await restoring.list_versions(self._store, request.parent, page)
        return api.ListClusterVersionsResponse(
            cluster_versions=map(version_message, found.rows),
            next_page_token=self._tokens.token(found.next_key, *listing),
        )

    async def GetClusterVersion(
        self, request: api.GetClusterVersionRequest, context: Any
    ) -> ClusterVersion:
        return kept_message(await restoring.get_version(self._store, request.name))

    async def DiffClusterVersions(
        self, request: api.DiffClusterVersionsRequest, context: Any
    ) -> api.DiffClusterVersionsResponse:
        found = await restoring.diff_versions(self._store, request.name, request.base_version)
        scope, _ = restoring.split_version_name(request.name)
        return comparison_message(scope, found)

    async def RestoreClusterVersion(
        self, request: api.RestoreClusterVersionRequest, context: Any
    ) -> api.RestoreClusterVersionResponse:
        key = request_of(request, "RestoreClusterVersion")
        made = await restoring.restore_version(self._store, self._clock, request.name, key)
        return api.RestoreClusterVersionResponse(cluster_version=kept_message(made))

    async def PinClusterVersion(
        self, request: api.PinClusterVersionRequest, context: Any
    ) -> api.PinClusterVersionResponse:
        key = request_of(request, "PinClusterVersion")
        found = await restoring.pin_version(self._store, request.name, key, pinned=True)
        return api.PinClusterVersionResponse(cluster_version=kept_message(found))

    async def UnpinClusterVersion(
        self, request: api.UnpinClusterVersionRequest, context: Any
    ) -> api.UnpinClusterVersionResponse:
        key = request_of(request, "UnpinClusterVersion")
        found = await restoring.pin_version(self._store, request.name, key, pinned=False)
        return api.UnpinClusterVersionResponse(cluster_version=kept_message(found))

    async def ListClusterScopes(
        self, request: api.ListClusterScopesRequest, context: Any
    ) -> api.ListClusterScopesResponse:
        page = self._tokens.request(request.page_size, request.page_token, "ListClusterScopes")
        found = await restoring.list_scopes(self._store, page)
        return api.ListClusterScopesResponse(
            cluster_scopes=map(scope_message, found.rows),
            next_page_token=self._tokens.token(found.next_key, "ListClusterScopes"),
        )
