"""The gRPC face of looking closely at clusters."""

from typing import Any

from colonnade.clustering.v1 import insight_service_pb2 as api
from colonnade.clustering.v1.insight_service_pb2_grpc import InsightServiceServicer

from services.clustering.convert import hero_message
from services.clustering.insight_messages import analysis_message, item_clusters_message
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.insight import Looker, analyze_cluster, find_heroes
from services.clustering.usecases.item_clusters import find_item_clusters

_DEFAULT_LIMIT = 5


class InsightServicer(InsightServiceServicer):
    """Parses, calls a use case, converts."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker

    async def AnalyzeCluster(
        self, request: api.AnalyzeClusterRequest, context: Any
    ) -> api.AnalyzeClusterResponse:
        found = await analyze_cluster(self._looker, request.name)
        scope, _ = split_cluster_name(request.name)
        return api.AnalyzeClusterResponse(analysis=analysis_message(scope, found))

    async def FindClusterHeroes(
        self, request: api.FindClusterHeroesRequest, context: Any
    ) -> api.FindClusterHeroesResponse:
        bound = request.max_cosine if request.HasField("max_cosine") else None
        limit = request.limit or _DEFAULT_LIMIT
        used, found = await find_heroes(self._looker, request.name, limit, bound)
        return api.FindClusterHeroesResponse(
            heroes=[hero_message(hero) for hero in found], max_cosine=used
        )

    async def FindItemClusters(
        self, request: api.FindItemClustersRequest, context: Any
    ) -> api.FindItemClustersResponse:
        limit = request.limit or _DEFAULT_LIMIT
        found = await find_item_clusters(self._looker, request.item, limit)
        return item_clusters_message(request.item, found)
