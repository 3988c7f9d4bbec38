"""Between what is seen of clusters and its contract."""

from colonnade.clustering.v1 import cluster_analysis_pb2 as analysis_pb2

from services.clustering.usecases.clusters import cluster_name
from services.clustering.usecases.insight import Analysis, SplitProposal

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


def _split(split: SplitProposal) -> analysis_pb2.ClusterSplit:
    return analysis_pb2.ClusterSplit(
        items=split.items,
        cohesion=split.cohesion,
        rest_cohesion=split.rest_cohesion,
        gain=split.gain,
    )
