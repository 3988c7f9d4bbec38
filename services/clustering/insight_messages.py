"""Between what is seen of clusters and its contract."""

from colonnade.clustering.v1 import cluster_analysis_pb2 as analysis_pb2
from colonnade.clustering.v1 import insight_service_pb2 as api

from services.clustering.usecases.clusters import cluster_name
from services.clustering.usecases.insight import Analysis, SplitProposal
from services.clustering.usecases.item_clusters import ItemClusters

Quality = analysis_pb2.ClusterAnalysis.Quality


def analysis_message(scope: str, found: Analysis) -> analysis_pb2.ClusterAnalysis:
    """An analysis as the contract shows it."""
    return analysis_pb2.ClusterAnalysis(
        quality=Quality.Value(f"QUALITY_{found.verdict.upper()}"),
        cohesion=found.cohesion,
        member_count=found.members,
        examined_count=found.examined,
        outliers=[
            analysis_pb2.ClusterOutlier(item=item, likeness=likeness)
            for item, likeness in found.outliers
        ],
        split=_split(found.split) if found.split else None,
        similar_clusters=[
            analysis_pb2.SimilarCluster(
                cluster=cluster_name(scope, face.cluster_id),
                title=face.title,
                likeness=kinship.likeness,
                joint_cohesion=kinship.joint_cohesion,
                merge_suggested=kinship.merge,
            )
            for face, kinship in found.similar
        ],
    )


def item_clusters_message(item: str, found: ItemClusters) -> api.FindItemClustersResponse:
    """The likeliest clusters of an item as the contract shows them."""
    scope, where = item.rsplit("/", 2)[0], found.whereabouts
    return api.FindItemClustersResponse(
        clusters=[
            analysis_pb2.ItemCluster(
                cluster=cluster_name(scope, each.cluster.id),
                title=each.cluster.title,
                probability=each.probability,
                member_count=each.cluster.member_count,
            )
            for each in found.likely
        ],
        alone_probability=found.alone,
        cluster=cluster_name(scope, where.cluster_id) if where.cluster_id else "",
        locked=where.locked,
        version=where.version,
    )


def _split(split: SplitProposal) -> analysis_pb2.ClusterSplit:
    return analysis_pb2.ClusterSplit(
        items=split.items,
        cohesion=split.cohesion,
        rest_cohesion=split.rest_cohesion,
        gain=split.gain,
    )
