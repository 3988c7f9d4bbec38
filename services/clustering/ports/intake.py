"""What waits for a run, as the use cases see it."""

from dataclasses import dataclass
from typing import Protocol

from services.clustering.domain.item import Item
from services.clustering.domain.run import RunFilter


@dataclass(frozen=True, slots=True)
class Standing:
    """How many items of a scope stand where: those without a vector yet, of these the ones that
    could not be embedded at the last try, those given up, those that runs have seen, and those that
    wait for one."""

    missing: int = 0
    failed_embeddings: int = 0
    quarantined: int = 0
    grouped: int = 0
    waiting: int = 0


class Waiting(Protocol):
    """Items whose vector no run has seen yet."""

    async def items(self, scope: str, collection: str, chosen: RunFilter) -> list[Item]:
        """Those of a scope that a run is to look at, by name."""

    async def standing(self, scope: str, collection: str) -> Standing:
        """How many items of a scope stand where in a generation."""

    async def copies(self, scope: str) -> int:
        """How many members the clusters of a scope have that are copies of others."""
