"""Texts of callers, as the use cases see them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.text import StoredText

ExternalKey = tuple[str, str]
"""A source, and the id of a text there."""


class Texts(Protocol):
    """What is written in items that are texts."""

    async def read(self, names: Sequence[str]) -> dict[str, str]:
        """What goes into the vectors of these items, of those that exist."""

    async def add(self, new: Sequence[StoredText]) -> set[str]:
        """Adds texts, but none whose source and external id the scope has already; waits for others
        who are adding the same. Answers the names of those added. Their items have to be added
        before the end of the transaction."""

    async def of_keys(
        self, scope: str, keys: Iterable[ExternalKey]
    ) -> dict[ExternalKey, StoredText]:
        """The texts of a scope with these external ids, those that there are; nobody changes them
        until this transaction ends."""

    async def save(self, changed: Sequence[StoredText]) -> None:
        """Replaces what is written in texts, and the words by which they are found."""

    async def many(self, names: Sequence[str], *, lock: bool = False) -> dict[str, StoredText]:
        """The texts of these names, those that there are; nobody changes them after ``lock``."""

    async def list(
        self,
        scope: str,
        page: PageRequest,
        conditions: Sequence[Condition],
        order: tuple[str, bool],
    ) -> Page[StoredText]:
        """Texts of a scope that meet the conditions; ``order`` is the field to sort by and whether
        the latest come first."""

    async def delete(self, name: str) -> None:
        """Forgets a text; its item is left to others."""

    async def retry(self, scope: str, names: Sequence[str]) -> int:
        """Has quarantined items wait again, all of a scope where there are no names; answers how
        many."""


class Leavers(Protocol):
    """Items that were closed or deleted and whose traces are still to be removed."""

    async def close(self, names: Sequence[str]) -> None:
        """Takes items out of every queue; they wait to leave their clusters."""

    async def delete(self, names: Sequence[str]) -> None:
        """The same, for good."""

    async def reopen(self, names: Sequence[str]) -> None:
        """Has closed items wait for vectors again."""

    async def waiting(self, limit: int) -> Mapping[str, str]:
        """Items whose traces are to be removed, those that left first; each with the collection in
        which the engine's memory has it, empty if it does not."""

    async def of(self, names: Sequence[str]) -> Mapping[str, str]:
        """The same of these items, those that wait and that the memory has."""

    async def within(self, scope: str) -> set[str]:
        """The items of a scope whose traces are to be removed."""

    async def set_left(self, names: Sequence[str]) -> None:
        """Notes that these are in no cluster any more, and that the next run is told of them."""

    async def done(self, names: Sequence[str], removed: Sequence[str]) -> None:
        """Notes that nothing is left of items; those of ``removed`` that were opened again since
        their vectors were removed wait for new ones."""
