"""Generations: the vectors that one model made of all photos, or of all texts. One of each is
active."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition
from libs.names import pattern
from services.clustering.domain.item import Collection

GENERATION = pattern("generations/{generation}")
# One in so many photos may lack a vector unless a person says otherwise.
_LACKING = 100


class GenerationState(StrEnum):
    """What a generation is used for. A dropped one is shown to nobody and about to be removed."""

    FILLING = "filling"
    READY = "ready"
    ACTIVE = "active"
    RETIRED = "retired"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


FED = (GenerationState.FILLING, GenerationState.READY, GenerationState.ACTIVE)
"""The states in which new items get vectors in a generation."""

KEPT = (*FED, GenerationState.RETIRED)
"""The states in which a generation is, or may come, into use."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Items of a generation: those there are, with a vector, that failed, and without one yet."""

    done: int = 0
    failed: int = 0
    missing: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.done + self.failed + self.missing


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a generation compares with another one on ``sample`` items; see the contract."""

    generation: str
    sample: int
    neighbour_overlap: float
    pillar_agreement: float | None
    other_pillar_agreement: float | None
    common_duplicates: int
    new_duplicates: int
    lost_duplicates: int


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation as it stands. ``epoch`` counts the switches up to the one that activated it;
    ``attempt`` the times that a worker took it up without getting anything done. One that is
    ``automatic`` becomes active by itself when it is filled."""

    id: str
    collection: Collection
    state: GenerationState
    create_time: datetime
    epoch: int = 0
    automatic: bool = False
    attempt: int = 0
    comparison: Comparison | None = None
    error_reason: str = ""
    error_message: str = ""
    ready_time: datetime | None = None
    activate_time: datetime | None = None
    retire_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return GENERATION.format(self.id)


@dataclass(frozen=True, slots=True)
class Filled:
    """A generation and how far it is filled; ``failures`` counts items by reason."""

    generation: Generation
    counts: Counts
    failures: Mapping[str, int] = field(default_factory=dict)


def check_activation(filled: Filled, allow_missing: int | None) -> None:
    """Raises FailedPrecondition if the generation must not become active: it is given up
    (GENERATION_STATE), or more items lack a vector than are allowed to (GENERATION_INCOMPLETE)."""
    generation, missing = filled.generation, filled.counts.missing
    if generation.state not in KEPT:
        raise wrong_state(generation, "it cannot become active any more")
    if generation.state is GenerationState.FILLING and allow_missing is None:
        raise _incomplete(missing, "it is still being filled")
    allowed = filled.counts.total // _LACKING if allow_missing is None else allow_missing
    if missing > allowed:
        raise _incomplete(missing, f"{missing} photos have no vector in it yet")


def check_cancelling(generation: Generation) -> None:
    """Raises FailedPrecondition (GENERATION_STATE) for one that is in use or was."""
    if generation.state not in (GenerationState.FILLING, GenerationState.READY):
        raise wrong_state(generation, "only one that is being filled or ready can be cancelled")


def check_deleting(generation: Generation) -> None:
    """Raises FailedPrecondition (GENERATION_STATE) for one that is in use or being filled."""
    if generation.state is GenerationState.ACTIVE:
        raise wrong_state(generation, "activate another one first")
    if generation.state is GenerationState.FILLING:
        raise wrong_state(generation, "cancel it first")


def wrong_state(generation: Generation, why: str) -> FailedPrecondition:
    """The error for what cannot be done in the generation's state."""
    return FailedPrecondition(
        f"{generation.name} is {generation.state}: {why}",
        reason="GENERATION_STATE",
        metadata={"state": generation.state.upper()},
    )


def _incomplete(missing: int, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"{why}; allow_missing lets it become active all the same",
        reason="GENERATION_INCOMPLETE",
        metadata={"missing": str(missing)},
    )
