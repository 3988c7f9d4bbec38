"""Clustering runs: jobs that yield a new version of a scope's clusters."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from libs.errors import FailedPrecondition, InvalidArgument, Violation


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


_S = RunState
ACTIVE = (_S.QUEUED, _S.RUNNING, _S.CANCELLING)
ENDED = (_S.SUCCEEDED, _S.FAILED, _S.CANCELLED)

# The database refuses every other change of a state, and each change of a run that has ended.
ALLOWED_MOVES: Final[dict[RunState, frozenset[RunState]]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.QUEUED, _S.SUCCEEDED, _S.FAILED, _S.CANCELLING}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}


LONGEST_YIELD: Final = timedelta(hours=1)
"""So long after it began a run makes way for those who change its scope faster than it drafts."""


class Mode(StrEnum):
    """How much is done over."""

    AUTO = "auto"
    REFIT = "refit"


class Algorithm(StrEnum):
    """How groups are found; see ClusteringRun.Algorithm in the contract."""

    MIXTURE = "mixture"
    NEAREST = "nearest"
    HDBSCAN = "hdbscan"
    DBSCAN = "dbscan"
    AGGLOMERATIVE = "agglomerative"
    K_MEANS = "k_means"


class Trigger(StrEnum):
    """Why a run was made."""

    DEMAND = "demand"
    SCHEDULE = "schedule"
    GENERATION = "generation"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class RunParams:
    """What a run does otherwise than the settings say; None is as they say."""

    granularity: float | None = None
    min_size: int | None = None
    threshold: float | None = None
    cluster_count: int | None = None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which waiting items a run looks at: those of any of ``sources`` (all for none) that came in
    at ``since`` or later."""

    sources: tuple[str, ...] = ()
    since: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.sources) or self.since is not None


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a shadow run found; see ClusteringReport in the contract."""

    items: int = 0
    clusters: int = 0
    unclustered_share: float = 0.0
    agreement: float = 0.0
    cohesion: float = 0.0
    sizes: tuple[int, ...] = ()
    duration_millis: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """What a run did; see ClusteringStats in the contract."""

    items: int = 0
    clustered: int = 0
    unclustered: int = 0
    duplicates: int = 0
    clusters: int = 0
    born: int = 0
    updated: int = 0
    retired: int = 0
    missing: int = 0
    noop: bool = False
    refit: bool = False
    duration_millis: int = 0
    merged: int = 0
    split: int = 0
    quarantined: int = 0
    drift: float = 0.0
    failed_embeddings: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A clustering run as it stands."""

    id: str
    scope: str
    mode: Mode
    create_time: datetime
    algorithm: Algorithm = Algorithm.MIXTURE
    params: RunParams = RunParams()
    filter: RunFilter = RunFilter()
    shadow: bool = False
    trigger: Trigger = Trigger.DEMAND
    state: RunState = RunState.QUEUED
    done: int = 0
    total: int = 0
    phase: str = ""
    error_reason: str = ""
    error_message: str = ""
    stats: Stats = field(default_factory=Stats)
    report: RunReport | None = None
    version: int = 0
    attempt: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    def may_yield(self, now: datetime) -> bool:
        """Whether it goes on making way for those who change its scope; see ``LONGEST_YIELD``."""
        return self.start_time is None or now - self.start_time < LONGEST_YIELD

    @property
    def refits(self) -> bool:
        """Whether everything is to be grouped anew, however few items are new."""
        return (
            self.mode is Mode.REFIT
            or self.algorithm is not Algorithm.MIXTURE
            or self.params != RunParams()
        )


_ANY_BUT_K_MEANS = frozenset(Algorithm) - {Algorithm.K_MEANS}
READ_BY: Final[dict[str, frozenset[Algorithm]]] = {
    "granularity": frozenset({Algorithm.MIXTURE}),
    "min_size": _ANY_BUT_K_MEANS,
    "threshold": frozenset({Algorithm.NEAREST, Algorithm.DBSCAN, Algorithm.AGGLOMERATIVE}),
    "cluster_count": frozenset({Algorithm.K_MEANS}),
}


def check_wanted(run: Run, now: datetime) -> None:
    """Raises InvalidArgument naming each field of a new run that does not fit the others."""
    violations = tuple(_violations(run, now))
    if violations:
        told = "; ".join(f"{wrong.field}: {wrong.description}" for wrong in violations)
        raise InvalidArgument(told, violations)


def _violations(run: Run, now: datetime) -> Iterator[Violation]:
    algorithm = _shown(run.algorithm)
    for each in fields(RunParams):
        readers = READ_BY[each.name]
        if getattr(run.params, each.name) is not None and run.algorithm not in readers:
            allowed = ", ".join(_shown(reader) for reader in Algorithm if reader in readers)
            yield _wrong(f"params.{each.name}", f"is for {allowed}, not for {algorithm}")
    if run.algorithm is Algorithm.K_MEANS and run.params.cluster_count is None:
        yield _wrong("params.cluster_count", f"is required for {algorithm}")
    if run.filter.sources and not run.scope.startswith("projects/"):
        yield _wrong("filter.sources", "is for the texts of a project; photos have no sources")
    if run.filter.since is not None and run.filter.since > now:
        yield _wrong("filter.since_time", f"is in the future; it is {now.isoformat()} now")


def _wrong(path: str, description: str) -> Violation:
    return Violation(f"clustering_run.{path}", description)


def _shown(algorithm: Algorithm) -> str:
    return f"ALGORITHM_{algorithm.upper()}"


def cancelled_state(run: Run) -> RunState:
    """The state after a request to cancel: at once while queued, soon while running.

    Raises FailedPrecondition (RUN_ENDED) when there is nothing left to stop.
    """
    if run.state is RunState.CANCELLED:
        return run.state
    if run.ended:
        raise FailedPrecondition(
            f"the run has {run.state} already", reason="RUN_ENDED", metadata={"state": run.state}
        )
    return RunState.CANCELLED if run.state is RunState.QUEUED else RunState.CANCELLING
