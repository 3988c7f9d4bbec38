"""A picture that a run may end in."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition
from services.catalog.domain.names import CANDIDATE, RUN, CandidateKey
from services.catalog.domain.photo import Photo, Picture
from services.catalog.domain.voting import START_SCORE

MAX_CANDIDATES = 500


class CandidateState(StrEnum):
    """Where a candidate stands."""

    GENERATING = "GENERATING"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    WINNER = "WINNER"


IN = (CandidateState.ACTIVE, CandidateState.WINNER)
"""The states of those that are voted on, or won."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that a run may end in.

    ``step`` is that of the pipeline that made it, 1 for an upload; ``parent`` the id of the
    candidate it grew from, empty for none. ``votes`` are those that count.
    """

    persona: str
    run: str
    id: str
    picture: Picture
    create_time: datetime
    update_time: datetime
    file_name: str = ""
    step: int = 1
    parent: str = ""
    state: CandidateState = CandidateState.ACTIVE
    score: int = START_SCORE
    votes: int = 0

    @property
    def key(self) -> CandidateKey:
        """The ids of its persona, of its run, and its own."""
        return CandidateKey(self.persona, self.run, self.id)

    @property
    def name(self) -> str:
        """The resource name."""
        return CANDIDATE.format(*self.key)

    @property
    def run_name(self) -> str:
        """The resource name of its run."""
        return RUN.format(self.persona, self.run)

    @property
    def parent_name(self) -> str:
        """The resource name of the candidate it grew from; empty without one."""
        return CANDIDATE.format(self.persona, self.run, self.parent) if self.parent else ""


def check_in(candidate: Candidate) -> None:
    """Raises FailedPrecondition (CANDIDATE_REJECTED) if it cannot be voted on nor win."""
    if candidate.state not in IN:
        raise FailedPrecondition(
            f"{candidate.name} was rejected, which is final",
            reason="CANDIDATE_REJECTED",
            metadata={"candidate": candidate.name, "state": candidate.state},
        )


def too_many(run: str) -> FailedPrecondition:
    """What to raise where the run of that name has as many candidates as it may."""
    return FailedPrecondition(
        f"{run} has {MAX_CANDIDATES} candidates, which is all it may have; start another run",
        reason="TOO_MANY_CANDIDATES",
        metadata={"run": run, "max_candidates": str(MAX_CANDIDATES)},
    )


def moved(candidate: Candidate, state: CandidateState, now: datetime) -> Candidate:
    """The candidate in another state."""
    return replace(candidate, state=state, update_time=now)


def photo_from(candidate: Candidate, pillar: str, id: str, now: datetime) -> Photo:
    """The photo that a winner becomes in a pillar."""
    return Photo(
        persona=candidate.persona,
        id=id,
        pillar=pillar,
        picture=candidate.picture,
        create_time=now,
        update_time=now,
        scene=id,
        file_name=candidate.file_name,
    )
