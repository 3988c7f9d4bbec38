"""Attempts to create a picture."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition
from services.catalog.domain.names import CANDIDATE, PHOTO, PILLAR, RUN, SUGGESTION, Key
from services.catalog.domain.suggestion import Suggestion


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


CLOSED = (RunState.COMPLETED, RunState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to create a picture. Ids that do not apply (yet) are empty.

    ``cluster`` is a name that is kept and never looked up. ``winner`` is the id of the candidate
    that won, and read only: the candidate's state says so. ``photo`` is what the winner became;
    ``photo_made``: it was made for that, instead of being there with the same bytes.
    """

    persona: str
    id: str
    create_time: datetime
    update_time: datetime
    display_name: str = ""
    pillar: str = ""
    suggestion: str = ""
    cluster: str = ""
    prompt: str = ""
    state: RunState = RunState.RUNNING
    winner: str = ""
    photo: str = ""
    photo_made: bool = False
    version: int = 1

    @property
    def key(self) -> Key:
        """Its persona's id and its own."""
        return Key(self.persona, self.id)

    @property
    def name(self) -> str:
        """The resource name."""
        return RUN.format(self.persona, self.id)

    @property
    def pillar_name(self) -> str:
        """The resource name of its pillar; empty without one."""
        return PILLAR.format(self.persona, self.pillar) if self.pillar else ""

    @property
    def suggestion_name(self) -> str:
        """The resource name of the suggestion it came from; empty without one."""
        return SUGGESTION.format(self.persona, self.suggestion) if self.suggestion else ""

    @property
    def winner_name(self) -> str:
        """The resource name of the candidate that won; empty without one."""
        return CANDIDATE.format(self.persona, self.id, self.winner) if self.winner else ""

    @property
    def photo_name(self) -> str:
        """The resource name of the photo that the winner became; empty without one."""
        return PHOTO.format(self.persona, self.photo) if self.photo else ""

    @property
    def closed(self) -> bool:
        """Whether it takes neither candidates nor votes any more."""
        return self.state in CLOSED


def run_from(suggestion: Suggestion, id: str, now: datetime) -> Run:
    """The run that makes the picture of a suggestion."""
    return Run(
        persona=suggestion.persona,
        id=id,
        create_time=now,
        update_time=now,
        display_name=suggestion.brief.title,
        pillar=suggestion.pillar,
        suggestion=suggestion.id,
        prompt=suggestion.brief.prompt,
    )


def completed_by(run: Run, suggestion: Suggestion) -> Run:
    """``run`` with what it leaves open taken from the suggestion that it uses."""
    return replace(
        run,
        suggestion=suggestion.id,
        display_name=run.display_name or suggestion.brief.title,
        pillar=run.pillar or suggestion.pillar,
        prompt=run.prompt or suggestion.brief.prompt,
    )


def check_open(run: Run) -> None:
    """Raises FailedPrecondition (RUN_CLOSED) if it has a winner or was cancelled."""
    if run.closed:
        has = "was cancelled" if run.state is RunState.CANCELLED else "has a winner"
        raise FailedPrecondition(
            f"{run.name} {has}; it takes neither pictures nor votes",
            reason="RUN_CLOSED",
            metadata={"run": run.name, "state": run.state},
        )


def check_not_cancelled(run: Run) -> None:
    """Raises FailedPrecondition (RUN_CLOSED) if it was cancelled."""
    if run.state is RunState.CANCELLED:
        check_open(run)


def check_edit(before: Run, after: Run) -> None:
    """Raises FailedPrecondition (RUN_CLOSED) where the pillar of a run changes that is over."""
    if before.closed and before.pillar != after.pillar:
        raise FailedPrecondition(
            f"{before.name} is over; place its winner, or move its photo, instead",
            reason="RUN_CLOSED",
            metadata={"run": before.name, "state": before.state},
        )


def cancelled(run: Run) -> Run:
    """The run, stopped. Raises FailedPrecondition (RUN_CLOSED) if it has a winner."""
    if run.state is RunState.COMPLETED:
        check_open(run)
    return replace(run, state=RunState.CANCELLED)


def opened(run: Run, active: int) -> Run:
    """A run without a winner that ``active`` candidates can be voted on in."""
    state = RunState.WAITING if active else RunState.RUNNING
    return replace(run, state=state, winner="")


def won(run: Run, winner: str) -> Run:
    """The run with its winner chosen."""
    return replace(run, state=RunState.COMPLETED, winner=winner)


def no_winner(run: Run) -> FailedPrecondition:
    """What to raise where the run needs a winner and has none."""
    return FailedPrecondition(
        f"{run.name} has no winner yet; choose one first",
        reason="NO_WINNER",
        metadata={"run": run.name},
    )


def winner_placed(run: Run) -> FailedPrecondition:
    """What to raise where the winner is a photo already."""
    return FailedPrecondition(
        f"the winner of {run.name} is {run.photo_name} already; move that photo instead",
        reason="WINNER_PLACED",
        metadata={"run": run.name, "photo": run.photo_name},
    )


def no_pillar_for(run: Run) -> FailedPrecondition:
    """What to raise where neither the run nor the caller names a pillar."""
    return FailedPrecondition(
        f"{run.name} has no pillar; name the one that its winner goes to",
        reason="NO_PILLAR",
        metadata={"run": run.name},
    )


def voting_goes_on(run: Run) -> FailedPrecondition:
    """What to raise where scores are asked for that are hidden still."""
    return FailedPrecondition(
        f"voting on {run.name} goes on, and scores are hidden until it is over",
        reason="VOTING",
        metadata={"run": run.name},
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """What a photo was made for: names of a suggestion and a cluster, empty without one."""

    suggestion: str = ""
    cluster: str = ""


def origin_of(run: Run) -> Origin:
    """What the photo of a run is made for."""
    return Origin(run.suggestion_name, run.cluster)
