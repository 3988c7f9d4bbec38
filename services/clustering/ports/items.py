"""The items, as the use cases see them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.clustering.domain.facts import ItemFilter, Usage
from services.clustering.domain.item import Item, ItemKey, Pair


class Items(Protocol):
    """The items. Deleted ones are not answered, and not changed any more."""

    async def lock(self, scopes: Iterable[str]) -> None:
        """Has others who lock any of these scopes wait until this transaction ends."""

    async def add(self, items: Sequence[Item]) -> set[str]:
        """Adds items; those that are known already, or deleted, stay as they are. Answers which
        are new."""

    async def get(self, name: str) -> Item | None:
        """The item of that name."""

    async def many(self, names: Iterable[str], collection: str | None = None) -> dict[str, Item]:
        """The items of these names, those that exist, as they stand in a generation, in the active
        one for None."""

    async def by_points(
        self, point_ids: Sequence[str], collection: str | None = None
    ) -> dict[str, Item]:
        """The items of these vectors, by the vector's id; as ``many``."""

    async def ready(self, scope: str, collection: str) -> list[Item]:
        """Every item of a scope whose vector is in ``collection``, in the order of names."""

    async def pending(
        self, collection: str, after: str, limit: int, before: datetime | None = None
    ) -> list[Item]:
        """Items that wait for a vector in ``collection``, by name, those after ``after`` that were
        made before a moment."""

    async def count_ready(self, scope: str, collection: str) -> int:
        """How many items of a scope have their vector in ``collection``."""

    async def has_vectors(self, scope: str, collection: str) -> bool:
        """Whether any item of a scope has a vector in ``collection``."""

    async def count_missing(self, scope: str, collection: str) -> int:
        """How many items of a scope wait for their vector in ``collection``."""

    async def set_ready(self, collection: str, scenes: Mapping[str, str]) -> dict[str, bool]:
        """Notes that vectors are stored, with the items' scenes; answers who was waiting for that,
        and whether it is the active generation, so that others are to be told.

        Items that wait no longer stay as they are.
        """

    async def quarantine(self, collection: str, name: str, reason: str, message: str) -> bool:
        """Notes that no vector can be made; False if the item does not wait for one."""

    async def retry(self, collection: str, scope: str, reasons: Sequence[str]) -> int:
        """Has quarantined items wait again, of any scope and for any reason where those are empty;
        answers how many."""

    async def untold(self, collection: str, epoch: int, limit: int) -> list[Item]:
        """Items of a generation that nobody was told of since the switch ``epoch``, those that
        scenes gather around first."""

    async def set_told(self, collection: str, names: Sequence[str], epoch: int) -> None:
        """Notes that others were told of these items."""

    async def describe(self, item: Item) -> None:
        """Replaces words, pillar, tags and whether it is archived, unless the words are newer than
        ``item.words_time``."""

    async def use(self, name: str, post: str, usage: Usage, version: int) -> bool:
        """Notes how a post uses an item; False if that is no news."""

    async def uses(self, name: str) -> list[Usage]:
        """How each post uses an item."""

    async def posted(self, names: Iterable[str]) -> set[str]:
        """Which of these items any post took out, whatever others are going to do."""

    async def set_usage(self, name: str, usage: Usage) -> None:
        """Replaces how all posts together use an item."""

    async def unsynced(self, limit: int) -> list[Item]:
        """Items of which the index does not know all that it should, by name."""

    async def set_synced(self, copied: Iterable[Item]) -> None:
        """Notes that the index knows these items as they were read.

        Where another one was copied since then, nobody knows which of both came last: it is to be
        copied again.
        """

    async def set_unsynced(self, names: Sequence[str]) -> None:
        """Has these items copied into the index again."""

    async def undescribed(self, limit: int) -> list[Item]:
        """Items whose pillar, tags and usage were never told, by scope and name."""

    async def delete(self, key: ItemKey) -> None:
        """Removes the item and its pairs, now and for ever, whether it was ever added or not."""

    async def is_deleted(self, name: str) -> bool:
        """Whether there was such an item and it is gone."""

    async def gone(self, names: Sequence[str]) -> list[str]:
        """Which of these items no longer exist."""


class Pairs(Protocol):
    """Pairs of items that are nearly the same."""

    async def add(self, collection: str, pairs: Iterable[Pair]) -> None:
        """Remembers pairs of a generation, those whose items both still exist."""

    async def of(self, collection: str, names: Iterable[str]) -> list[Pair]:
        """All pairs of a generation that any of these items is in."""

    async def above(self, collection: str, scope: str, min_score: float) -> list[Pair]:
        """The pairs of a generation and scope at or above a cosine."""


class Words(Protocol):
    """What is written about items."""

    async def find(
        self,
        scope: str,
        words: Sequence[str],
        chosen: ItemFilter,
        min_score: float | None,
        limit: int,
    ) -> list[tuple[Item, float, tuple[str, ...]]]:
        """The items of which any of the words is written, best first: each with the share of the
        words, and which. Of equals, the one with the smaller vector id comes first."""
