"""What finding duplicates needs of the world, besides the other ports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.verdict import Look, Verdict


@dataclass(frozen=True, slots=True)
class Picture:
    """The hash of an item's picture; no bits if it has too little detail or cannot be read."""

    item: str
    scope: str
    bits: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known of two pictures, ``first`` < ``second``, whatever the model.

    ``distance`` in bits, None without hashes; ``orientation`` as in ``Evidence``; ``look`` None
    while they were not laid over each other.
    """

    first: str
    second: str
    distance: int | None
    orientation: int
    look: Look | None


@dataclass(frozen=True, slots=True)
class Judged:
    """Two items with what is known of their pictures, if anything, and what a person decided."""

    first: str
    second: str
    comparison: Comparison | None
    decision: Verdict | None


@dataclass(frozen=True, slots=True)
class Review:
    """What a person decided about two items, ``first`` < ``second``."""

    id: str
    scope: str
    first: str
    second: str
    decision: Verdict
    create_time: datetime


class Pictures(Protocol):
    """The hashes of items' pictures."""

    async def add(self, pictures: Iterable[Picture]) -> None:
        """Stores hashes, of items that still exist, which are to be compared (again)."""

    async def of(self, items: Iterable[str]) -> dict[str, Picture]:
        """The pictures of these items, those that there are."""

    async def near(self, picture: Picture, distance: int, limit: int) -> list[Picture]:
        """Others of its scope with a hash at most so far in any orientation, nearest first. May
        miss some that are farther than a few bits."""

    async def uncompared(self, limit: int) -> list[Picture]:
        """Some that are to be compared with the others, in the order of items."""

    async def set_compared(self, items: Iterable[str]) -> None:
        """Notes that these were compared."""

    async def again(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Has those of these pairs looked at that were not."""

    async def waiting(self, scope: str) -> int:
        """How many of a scope are to be compared."""

    async def missing(self, before: datetime, after: str, limit: int) -> list[str]:
        """Items made before a moment that have no hash, by name, those after ``after``."""

    async def count_tellings(
        self, items: Iterable[str], with_copies: Iterable[str]
    ) -> Mapping[str, int]:
        """How often it will have been told what each of ``items`` is a copy of, by another time:
        of those among them that have copies now or were told of before."""

    async def forget(self, item: str) -> None:
        """Removes all that is known and was decided about the picture of an item."""


class Comparisons(Protocol):
    """What is known of pairs of pictures."""

    async def put(self, scope: str, found: Iterable[Comparison]) -> None:
        """Stores what is known, of items that still exist; a look that was had is not lost."""

    async def of(self, items: Iterable[str]) -> list[Comparison]:
        """All that any of these items is in."""

    async def judged(self, scope: str) -> list[Judged]:
        """All of a scope, compared or decided about."""


class Reviews(Protocol):
    """What people decided."""

    async def put(self, reviews: Sequence[Review]) -> Mapping[tuple[str, str], Review]:
        """Stores decisions, by pair; of pairs that were decided before it keeps the id."""

    async def of(self, items: Iterable[str]) -> Sequence[Review]:
        """All that any of these items is in."""

    async def list(self, scope: str, page: PageRequest) -> Page[Review]:
        """The reviews of a scope, oldest first."""

    async def delete(self, scope: str, id: str) -> tuple[str, str] | None:
        """Takes one back and answers whose it was; None if there is none."""
