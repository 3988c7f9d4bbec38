"""Between the domain and the contract."""

from datetime import datetime

import numpy as np
from colonnade.clustering.v1 import cluster_pb2, clustering_run_pb2
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.type.v1.job_pb2 import JobState, Progress
from colonnade.type.v1.vector_pb2 import Vector as VectorMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from libs.errors import Internal, InvalidArgument
from libs.rpc.status import to_status
from services.clustering.domain.cluster import Cluster, Hero, Member
from services.clustering.domain.duplicates import DuplicateGroup
from services.clustering.domain.item import Neighbour
from services.clustering.domain.run import Mode, Run, RunState, Stats
from services.clustering.ports import Vector
from services.clustering.usecases.clusters import cluster_name
from services.clustering.usecases.runs import run_name


def timestamp(moment: datetime | None) -> Timestamp | None:
    """A time as a message; None stays unset."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def mode_of(message: clustering_run_pb2.ClusteringRun) -> Mode:
    """The mode that a new run asks for."""
    asked = message.mode == clustering_run_pb2.ClusteringRun.MODE_REFIT
    return Mode.REFIT if asked else Mode.AUTO


def run_message(run: Run) -> clustering_run_pb2.ClusteringRun:
    """A run as the contract shows it."""
    return clustering_run_pb2.ClusteringRun(
        name=run_name(run.scope, run.id),
        mode=clustering_run_pb2.ClusteringRun.Mode.Value(f"MODE_{run.mode.upper()}"),
        state=JobState.Value(f"JOB_STATE_{run.state.upper()}"),
        progress=Progress(done=run.done, total=run.total, phase=run.phase),
        error=_error(run),
        stats=_stats(run.stats) if run.state is RunState.SUCCEEDED else None,
        version=run.version,
        attempt=run.attempt,
        create_time=timestamp(run.create_time),
        start_time=timestamp(run.start_time),
        end_time=timestamp(run.end_time),
    )


def _error(run: Run) -> Status | None:
    if run.state is not RunState.FAILED:
        return None
    return to_status(Internal(run.error_message, reason=run.error_reason))


def _stats(stats: Stats) -> clustering_run_pb2.ClusteringStats:
    return clustering_run_pb2.ClusteringStats(
        items=stats.items,
        clustered=stats.clustered,
        unclustered=stats.unclustered,
        duplicates=stats.duplicates,
        clusters=stats.clusters,
        born=stats.born,
        updated=stats.updated,
        retired=stats.retired,
        missing=stats.missing,
        noop=stats.noop,
        refit=stats.refit,
        duration_millis=stats.duration_millis,
    )


def cluster_message(cluster: Cluster) -> cluster_pb2.Cluster:
    """A cluster as the contract shows it."""
    return cluster_pb2.Cluster(
        name=cluster_name(cluster.scope, cluster.id),
        title=cluster.title,
        summary=cluster.summary,
        prompt_hint=cluster.prompt_hint,
        state=cluster_pb2.Cluster.State.Value(f"STATE_{cluster.state.upper()}"),
        origin=cluster_pb2.Cluster.Origin.Value(f"ORIGIN_{cluster.origin.upper()}"),
        hero=_hero(cluster.hero) if cluster.hero else None,
        member_count=cluster.member_count,
        cohesion=cluster.cohesion,
        version=cluster.version,
        merged_into=cluster_name(cluster.scope, cluster.merged_into) if cluster.merged_into else "",
        title_pinned=cluster.title_pinned,
        create_time=timestamp(cluster.create_time),
        update_time=timestamp(cluster.update_time),
        etag=f"{cluster.row_version}-{cluster.version}",
    )


def _hero(hero: Hero) -> cluster_pb2.Hero:
    parts = [cluster_pb2.HeroPart(id=p.id, value=p.value, weight=p.weight) for p in hero.parts]
    return cluster_pb2.Hero(item=hero.item, score=hero.score, parts=parts, pinned=hero.pinned)


def member_message(member: Member) -> cluster_pb2.ClusterMember:
    """A member as the contract shows it."""
    return cluster_pb2.ClusterMember(
        item=member.item,
        similarity=member.similarity,
        position=member.position,
        locked=member.locked,
        duplicate_of=member.duplicate_of,
    )


def similar_message(neighbour: Neighbour) -> api.SimilarItem:
    """An answer of a search as the contract shows it."""
    return api.SimilarItem(item=neighbour.name, score=neighbour.score)


def group_message(group: DuplicateGroup) -> api.DuplicateGroup:
    """A group of near-duplicates as the contract shows it."""
    return api.DuplicateGroup(
        keeper=group.keeper, duplicates=[similar_message(near) for near in group.duplicates]
    )


def vector_of(message: VectorMessage) -> Vector:
    """The numbers of a vector. Raises InvalidArgument when length and dimension disagree."""
    if len(message.data) != 4 * message.dimension:
        raise InvalidArgument.of(
            "vector.data",
            f"has {len(message.data)} bytes; dimension {message.dimension} needs "
            f"{4 * message.dimension}",
        )
    return np.frombuffer(message.data, dtype="<f4").astype(np.float32)
