"""The items that wait for their vectors, as the use cases see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.clustering.domain.item import Item, Modality


class VectorQueue(Protocol):
    """Who waits for a vector in a collection, and who is at work on it.

    Several processes may take from it at once; nobody gets what another one has, until that time is
    over.
    """

    async def anybody(self, modality: Modality) -> bool:
        """Whether there are items of a kind at all."""

    async def enrol_strays(self, after: str, limit: int) -> tuple[str | None, int]:
        """Looks at ``limit`` items by name, those after ``after``, and has those wait that came in
        by other ways and have no place in a generation that is fed. Answers the last one looked at,
        None if there were no more, and how many waited for nothing."""

    async def take(
        self,
        collection: str,
        taker: str,
        after: str,
        limit: int,
        now: datetime,
        until: datetime,
        before: datetime | None = None,
    ) -> list[Item]:
        """Up to ``limit`` items that are due, no longer so for others until ``until``.

        From each scope that waits the same number, as far as it has so many, the oldest first;
        where there are more scopes than places, those whose names follow ``after``. Only items made
        before ``before``, if given.
        """

    async def free(self, taker: str) -> None:
        """Gives back all that a taker has."""

    async def give_back(
        self, collection: str, names: Sequence[str], due_time: datetime | None = None
    ) -> None:
        """Has items wait until a moment, or for their next turn, without counting a try."""

    async def fail(
        self, collection: str, name: str, reason: str, message: str, due_time: datetime
    ) -> None:
        """Counts a try that failed by the item's own fault; the next one is at ``due_time``."""

    async def set_hashes(self, collection: str, hashes: Mapping[str, str]) -> None:
        """Notes the hashes of the texts that vectors were made of."""

    async def hashes(self, collection: str, names: Sequence[str]) -> dict[str, str]:
        """Of which texts the vectors are that these items have, or had last; those that have had
        any."""

    async def steady(self, collection: str, hashes: Mapping[str, str]) -> set[str]:
        """The items whose vectors are still of the texts with these hashes, and are not about to be
        replaced in a way that runs were told of."""

    async def ungroup(self, collection: str, names: Sequence[str]) -> None:
        """Has the next run look at these items as at new ones."""

    async def renew(self, hashes: Mapping[str, str]) -> list[str]:
        """Has texts wait for new vectors where theirs are of other texts than those of these
        hashes, in every generation that is fed; forgets what they were near. Answers which."""
