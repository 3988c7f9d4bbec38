"""What somebody said of two candidates."""

from dataclasses import dataclass
from datetime import datetime

from libs.errors import AlreadyExists, FailedPrecondition
from services.catalog.domain.names import CANDIDATE, RUN, VOTE, Key


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote of ``voter``: ``winner`` is preferred to ``loser``, from whom it took ``points``.

    ``round`` counts how often a vote on this pair was taken back before. Nothing of a vote ever
    changes; ``retracted`` says whether a later entry takes it back.
    """

    persona: str
    run: str
    id: str
    winner: str
    loser: str
    points: int
    voter: str
    create_time: datetime
    round: int = 0
    retracted: bool = False

    @property
    def name(self) -> str:
        """The resource name."""
        return VOTE.format(self.persona, self.run, self.id)

    @property
    def winner_name(self) -> str:
        """The resource name of the candidate that is preferred."""
        return CANDIDATE.format(self.persona, self.run, self.winner)

    @property
    def loser_name(self) -> str:
        """The resource name of the other one."""
        return CANDIDATE.format(self.persona, self.run, self.loser)


def voted_already(one: str, other: str) -> AlreadyExists:
    """What to raise where the pair of candidates of these names was voted on."""
    text = f"{one} and {other} were compared already; each pair is asked once"
    return AlreadyExists("vote", one, text, metadata={"other": other})


def no_vote(run: Key) -> FailedPrecondition:
    """What to raise where nothing can be taken back."""
    name = RUN.format(*run)
    return FailedPrecondition(
        f"there is no vote of yours on {name} that could be taken back",
        reason="NO_VOTE",
        metadata={"run": name},
    )
