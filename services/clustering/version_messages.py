"""Versions of clusters, from the domain to the contract."""

from typing import Final

from colonnade.clustering.v1 import cluster_version_pb2 as pb
from colonnade.clustering.v1.version_service_pb2 import DiffClusterVersionsResponse

from services.clustering.domain.history import Diff, Version, VersionKind
from services.clustering.ports.history import ScopeSummary
from services.clustering.usecases.clusters import cluster_name
from services.clustering.usecases.restoring import LATEST, Comparison, Kept, version_name

_KINDS: Final = {
    VersionKind.RUN: pb.ClusterVersion.KIND_RUN,
    VersionKind.EDIT: pb.ClusterVersion.KIND_EDIT,
    VersionKind.UNDO: pb.ClusterVersion.KIND_UNDO,
    VersionKind.ROLLBACK: pb.ClusterVersion.KIND_ROLLBACK,
}


def kept_message(kept: Kept) -> pb.ClusterVersion:
    """A version with its etag; of a scope without any, one without a number."""
    if kept.version is None:
        return pb.ClusterVersion(name=f"{kept.scope}/clusterVersions/{LATEST}", etag="0")
    message = version_message(kept.version)
    message.etag = f"{kept.version.version}.{kept.erasures}.{int(kept.version.pinned)}"
    return message


def version_message(version: Version) -> pb.ClusterVersion:
    """A version as a list shows it."""
    message = pb.ClusterVersion(
        name=version_name(version.scope, version.version),
        version=version.version,
        kind=_KINDS[version.kind],
        cause=version.cause,
        item_count=version.items,
        clustered_count=version.clustered,
        cluster_count=version.clusters,
        pinned=version.pinned,
        diff=diff_message(version.scope, version.diff),
    )
    message.create_time.FromDatetime(version.create_time)
    return message


def diff_message(scope: str, diff: Diff) -> pb.ClusterDiff:
    """What became of clusters."""
    return pb.ClusterDiff(
        born=[cluster_name(scope, id) for id in diff.born],
        splits=[
            pb.ClusterDiff.Split(
                cluster=cluster_name(scope, id),
                parts=[cluster_name(scope, part) for part in parts],
            )
            for id, parts in diff.split.items()
        ],
        merges=[
            pb.ClusterDiff.Merge(cluster=cluster_name(scope, id), into=cluster_name(scope, into))
            for id, into in diff.merged.items()
        ],
        retired=[cluster_name(scope, id) for id in diff.retired],
    )


def comparison_message(scope: str, found: Comparison) -> DiffClusterVersionsResponse:
    """How two versions differ."""
    return DiffClusterVersionsResponse(
        diff=diff_message(scope, found.diff),
        joined_count=found.joined,
        left_count=found.left,
        moved_count=found.moved,
        stayed_count=found.stayed,
    )


def scope_message(summary: ScopeSummary) -> pb.ClusterScope:
    """A scope in the list of all."""
    return pb.ClusterScope(
        scope=summary.scope,
        version=summary.version,
        item_count=summary.items,
        waiting_count=summary.waiting,
        cluster_count=summary.clusters,
    )
