"""Runs, their candidates and the votes on them: where they are kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.rpc.paging import Page
from services.catalog.domain.candidate import Candidate
from services.catalog.domain.names import CandidateKey, Key
from services.catalog.domain.run import Run
from services.catalog.domain.vote import Vote
from services.catalog.domain.voting import Ballot
from services.catalog.ports.shared import Listing


@dataclass(frozen=True, slots=True)
class Contest:
    """A run, and its candidates that are voted on or won."""

    run: Run
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Pairing:
    """What is known of a pair: how often a vote on it was taken back, and whether one counts."""

    retractions: int
    voted: bool


class Runs(Protocol):
    """Where runs are kept."""

    async def add(self, run: Run) -> None:
        """Keeps a new run. Raises NotFound if the pillar is gone."""

    async def get(self, key: Key) -> Run:
        """Raises NotFound."""

    async def locked(self, key: Key) -> Run:
        """Like ``get``; until the end of the transaction nobody else changes or pins it."""

    async def pinned(self, key: Key) -> Run:
        """Like ``locked``, but any number of transactions may hold it at once."""

    async def save(self, run: Run) -> None:
        """Keeps what can change of it. Raises NotFound if the pillar is gone."""

    async def page(self, persona: str, listing: Listing) -> Page[Run]:
        """One page, by time of creation. Raises NotFound for an unknown persona."""

    async def without_photo(self, persona: str, listing: Listing) -> Page[Run]:
        """One page of those whose winner is no photo. Raises NotFound for an unknown persona."""

    async def contest(self, key: Key) -> Contest:
        """The run with its candidates that are voted on or won. Raises NotFound."""

    async def of_photo(self, photo: Key) -> Run | None:
        """The first run whose winner is this photo."""

    async def shares_photo(self, run: Run) -> bool:
        """Whether another run has the same photo."""


class Candidates(Protocol):
    """Where candidates are kept."""

    async def add(self, candidate: Candidate) -> None:
        """Keeps a new candidate, whose bytes the run must not have yet."""

    async def get(self, key: CandidateKey) -> Candidate:
        """Raises NotFound."""

    async def of_content(self, run: Key, sha256: str) -> Candidate | None:
        """The candidate of the run that has these bytes."""

    async def locked(self, run: Key, ids: Collection[str]) -> Mapping[str, Candidate]:
        """Those of them that there are, by their ids; nobody else changes them meanwhile."""

    async def descendants(self, key: CandidateKey) -> Sequence[str]:
        """The ids of all that grew from it, at whatever distance."""

    async def save(self, candidates: Sequence[Candidate]) -> None:
        """Keeps what can change of them: state, score, votes."""

    async def page(self, run: Key, listing: Listing) -> Page[Candidate]:
        """One page, by time of creation or by score."""

    async def best(
        self, run: Key, count: int, *, by_score: bool
    ) -> tuple[Sequence[Candidate], int]:
        """Some candidates, by score or oldest first, and how many there are."""

    async def counted(self, run: Key) -> tuple[int, int]:
        """How many there are, and how many of them can be voted on."""


class Votes(Protocol):
    """Where votes are kept. Nothing is ever changed or removed."""

    async def add(self, vote: Vote) -> None:
        """Keeps a vote."""

    async def retract(self, vote: Vote, id: str, voter: str, now: datetime) -> None:
        """Notes, as an entry of its own with this id, that a vote counts no more."""

    async def get(self, run: Key, id: str) -> Vote:
        """A vote that there is."""

    async def pairing(self, one: str, other: str) -> Pairing:
        """What is known of the pair of two candidates."""

    async def last_of(self, run: Key, voter: str) -> Vote | None:
        """The last vote of somebody that counts."""

    async def ballots(self, run: Key) -> Sequence[Ballot]:
        """The votes that count."""

    async def recent(self, run: Key, count: int) -> tuple[Sequence[Vote], int]:
        """The last votes, newest first, and how many votes count."""
