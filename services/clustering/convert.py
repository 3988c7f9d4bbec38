"""Between the domain and the contract."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
from colonnade.clustering.v1 import cluster_edit_pb2, cluster_pb2, clustering_run_pb2
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_digest_pb2 import ClusterDigest
from colonnade.type.v1.job_pb2 import JobState, Progress
from colonnade.type.v1.vector_pb2 import Vector as VectorMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from libs.errors import Internal, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.status import to_status
from services.clustering.domain.cluster import Cluster, ClusterState, Hero, Member
from services.clustering.domain.digest import Digest, DigestSource
from services.clustering.domain.duplicates import DuplicateGroup
from services.clustering.domain.edit import Edit
from services.clustering.domain.item import Neighbour
from services.clustering.domain.pillars import Assignment
from services.clustering.domain.run import (
    Algorithm,
    Mode,
    Run,
    RunFilter,
    RunParams,
    RunReport,
    RunState,
    Stats,
    Trigger,
)
from services.clustering.ports import Vector
from services.clustering.usecases.clusters import cluster_name
from services.clustering.usecases.editing import Done, edit_name
from services.clustering.usecases.runs import run_name


def timestamp(moment: datetime | None) -> Timestamp | None:
    """A time as a message; None stays unset."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def wanted_run(message: clustering_run_pb2.ClusteringRun, scope: str, now: datetime) -> Run:
    """The run that is asked for."""
    refit = message.mode == clustering_run_pb2.ClusteringRun.MODE_REFIT
    chosen = message.filter
    return Run(
        uuid7(),
        scope,
        Mode.REFIT if refit else Mode.AUTO,
        now,
        algorithm=_algorithm(message.algorithm),
        params=RunParams(
            **{field.name: value for field, value in message.params.ListFields()},
        ),
        filter=RunFilter(
            tuple(chosen.sources),
            chosen.since_time.ToDatetime(UTC) if chosen.HasField("since_time") else None,
        ),
        shadow=message.shadow,
        trigger=Trigger.BACKFILL
        if message.trigger == clustering_run_pb2.ClusteringRun.TRIGGER_BACKFILL
        else Trigger.DEMAND,
    )


def _algorithm(value: "clustering_run_pb2.ClusteringRun.Algorithm.ValueType") -> Algorithm:
    if value == clustering_run_pb2.ClusteringRun.ALGORITHM_UNSPECIFIED:
        return Algorithm.MIXTURE
    name = clustering_run_pb2.ClusteringRun.Algorithm.Name(value)
    return Algorithm(name.removeprefix("ALGORITHM_").lower())


def run_message(run: Run) -> clustering_run_pb2.ClusteringRun:
    """A run as the contract shows it."""
    enums = clustering_run_pb2.ClusteringRun
    return clustering_run_pb2.ClusteringRun(
        name=run_name(run.scope, run.id),
        mode=enums.Mode.Value(f"MODE_{run.mode.upper()}"),
        state=JobState.Value(f"JOB_STATE_{run.state.upper()}"),
        progress=Progress(done=run.done, total=run.total, phase=run.phase),
        error=_error(run),
        stats=_stats(run.stats) if run.state is RunState.SUCCEEDED and not run.shadow else None,
        version=run.version,
        attempt=run.attempt,
        create_time=timestamp(run.create_time),
        start_time=timestamp(run.start_time),
        end_time=timestamp(run.end_time),
        algorithm=enums.Algorithm.Value(f"ALGORITHM_{run.algorithm.upper()}"),
        params=_params(run.params),
        filter=_filter(run.filter),
        shadow=run.shadow,
        report=_report(run.report) if run.report else None,
        trigger=enums.Trigger.Value(f"TRIGGER_{run.trigger.upper()}"),
    )


def _params(params: RunParams) -> clustering_run_pb2.ClusteringParams | None:
    if params == RunParams():
        return None
    return clustering_run_pb2.ClusteringParams(**asdict(params))


def _filter(chosen: RunFilter) -> clustering_run_pb2.ClusteringFilter | None:
    if not chosen:
        return None
    return clustering_run_pb2.ClusteringFilter(
        sources=chosen.sources, since_time=timestamp(chosen.since)
    )


def _report(report: RunReport) -> clustering_run_pb2.ClusteringReport:
    return clustering_run_pb2.ClusteringReport(**asdict(report))


def _error(run: Run) -> Status | None:
    if run.state is not RunState.FAILED:
        return None
    return to_status(Internal(run.error_message, reason=run.error_reason))


def _stats(stats: Stats) -> clustering_run_pb2.ClusteringStats:
    return clustering_run_pb2.ClusteringStats(**asdict(stats))


def cluster_message(cluster: Cluster, digest: Digest | None = None) -> cluster_pb2.Cluster:
    """A cluster as the contract shows it, with what was written about it."""
    return cluster_pb2.Cluster(
        name=cluster_name(cluster.scope, cluster.id),
        title=cluster.title,
        summary=cluster.summary,
        prompt_hint=cluster.prompt_hint,
        state=cluster_pb2.Cluster.State.Value(f"STATE_{cluster.state.upper()}"),
        origin=cluster_pb2.Cluster.Origin.Value(f"ORIGIN_{cluster.origin.upper()}"),
        hero=hero_message(cluster.hero) if cluster.hero else None,
        member_count=cluster.member_count,
        cohesion=cluster.cohesion,
        version=cluster.version,
        merged_into=cluster_name(cluster.scope, cluster.merged_into) if cluster.merged_into else "",
        title_pinned=cluster.title_pinned,
        create_time=timestamp(cluster.create_time),
        update_time=timestamp(cluster.update_time),
        etag=cluster.etag,
        digest=digest_message(digest, cluster.summary) if digest else None,
    )


def wanted_cluster(message: cluster_pb2.Cluster, scope: str, now: datetime) -> Cluster:
    """What people set of a new cluster."""
    unset = cluster_pb2.Cluster.STATE_UNSPECIFIED
    return Cluster(
        id="",
        scope=scope,
        key="",
        title=message.title,
        create_time=now,
        update_time=now,
        summary=message.summary.strip(),
        prompt_hint=message.prompt_hint.strip(),
        state=ClusterState.ACTIVE if message.state == unset else _state(message.state),
    )


def with_fields(cluster: Cluster, message: cluster_pb2.Cluster) -> Cluster:
    """``cluster`` with what people may change of it."""
    return replace(
        cluster,
        title=message.title,
        summary=message.summary.strip(),
        prompt_hint=message.prompt_hint.strip(),
        state=_state(message.state),
    )


def _state(value: "cluster_pb2.Cluster.State.ValueType") -> ClusterState:
    if value == cluster_pb2.Cluster.STATE_UNSPECIFIED:
        raise InvalidArgument.of("cluster.state", "is ACTIVE or DRAFT")
    return ClusterState(cluster_pb2.Cluster.State.Name(value).removeprefix("STATE_").lower())


def digest_message(digest: Digest, summary: str) -> ClusterDigest:
    """What was written about a cluster; ``summary`` is what a person wrote, "" if nobody did."""
    source = ClusterDigest.SOURCE_UNSPECIFIED
    if summary:
        source = ClusterDigest.SOURCE_PERSON
    elif digest.source is not DigestSource.NOBODY:
        source = ClusterDigest.Source.Value(f"SOURCE_{digest.source.upper()}")
    return ClusterDigest(
        state=ClusterDigest.State.Value(f"STATE_{digest.state.upper()}"),
        source=source,
        title=digest.text.title,
        summary=summary or digest.text.summary,
        issue_title=digest.text.issue_title,
        issue_body=digest.text.issue_body,
        repository=digest.repository,
        representatives=digest.representatives,
        model=digest.model,
        error_message=digest.error_message,
        update_time=timestamp(digest.update_time),
    )


def hero_message(hero: Hero) -> cluster_pb2.Hero:
    """A hero as the contract shows it."""
    parts = [cluster_pb2.HeroPart(id=p.id, value=p.value, weight=p.weight) for p in hero.parts]
    return cluster_pb2.Hero(item=hero.item, score=hero.score, parts=parts, pinned=hero.pinned)


def member_message(member: Member) -> cluster_pb2.ClusterMember:
    """A member as the contract shows it."""
    message = cluster_pb2.ClusterMember(
        item=member.item,
        similarity=member.similarity or 0.0,
        position=member.position,
        locked=member.locked,
        duplicate_of=member.duplicate_of,
    )
    if member.excerpt is not None:
        message.title = member.excerpt.title
        message.excerpt = member.excerpt.beginning
        message.source = member.excerpt.source
    return message


def result_messages(
    items: Sequence[str], done: Done, why: str
) -> list[cluster_pb2.ClusterMemberResult]:
    """What became of each item; ``why`` says what is wrong with those that are missing."""
    return [
        cluster_pb2.ClusterMemberResult(
            item=item,
            status=to_status(NotFound("item", item, f"{item} {why}"))
            if item in done.missing
            else Status(),
        )
        for item in items
    ]


def edit_message(edit: Edit) -> cluster_edit_pb2.ClusterEdit:
    """An edit as the contract shows it."""
    return cluster_edit_pb2.ClusterEdit(
        name=edit_name(edit.scope, edit.id),
        kind=cluster_edit_pb2.ClusterEdit.Kind.Value(f"KIND_{edit.kind.upper()}"),
        clusters=[cluster_name(edit.scope, id) for id in edit.clusters],
        item_count=edit.item_count,
        create_time=timestamp(edit.create_time),
        expire_time=timestamp(edit.expire_time),
        undo_time=timestamp(edit.undo_time),
    )


def made_edit(done: Done) -> cluster_edit_pb2.ClusterEdit | None:
    """The edit that a change came to, if it did."""
    return edit_message(done.edit) if done.edit else None


def pillar_message(assignment: Assignment) -> cluster_pb2.ClusterPillar:
    """An assignment as the contract shows it."""
    return cluster_pb2.ClusterPillar(
        cluster=cluster_name(assignment.scope, assignment.cluster_id),
        pillar=assignment.pillar,
        primary=assignment.primary,
        notes=assignment.notes,
        create_time=timestamp(assignment.create_time),
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
