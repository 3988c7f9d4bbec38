"""Clustering runs: jobs that yield a new version of a scope's clusters."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


ACTIVE = (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING)
ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class Mode(StrEnum):
    """How much is done over."""

    AUTO = "auto"
    REFIT = "refit"


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


@dataclass(frozen=True, slots=True)
class Run:
    """A clustering run as it stands."""

    id: str
    scope: str
    mode: Mode
    create_time: datetime
    state: RunState = RunState.QUEUED
    done: int = 0
    total: int = 0
    phase: str = ""
    error_reason: str = ""
    error_message: str = ""
    stats: Stats = field(default_factory=Stats)
    version: int = 0
    attempt: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


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
