"""What photos without a pillar are filed by, and which of them still wait."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.catalog.domain.filing import Neighbour
from services.catalog.domain.names import Key


@dataclass(frozen=True, slots=True)
class Near:
    """A photo that is like another: the cosine of their vectors, and ``filing.distance_of`` it."""

    photo: str
    similarity: float
    distance: float


class Filings(Protocol):
    """Which photos are like each other, and which are not settled under a pillar."""

    async def note(self, key: Key, nearest: Sequence[Near]) -> None:
        """Keeps what is nearest to a photo, as far as those are photos of its persona."""

    async def neighbours(self, ids: Collection[str]) -> Mapping[str, Sequence[Neighbour]]:
        """The filed photos that these photos were found near to, or that were found near them."""

    async def inbox(self, persona: str, after: str, count: int) -> Sequence[str]:
        """The ids of photos that wait for a person, those after ``after``, in order."""

    async def inbox_near(self, persona: str, ids: Collection[str]) -> Sequence[str]:
        """The ids of photos that wait for a person and are like one of these, in order."""

    async def waiting(self, persona: str) -> int:
        """How many photos wait for a person."""

    async def accept(self, persona: str, least: float, now: datetime) -> int:
        """Settles those that wait for a person where they are, if that is ``least`` sure or more.

        Those for which nothing is proposed go on waiting. Answers how many were settled.
        """

    async def overlooked(self, count: int) -> Sequence[Key]:
        """Photos that were never looked at though their embedding is made, or given up."""
