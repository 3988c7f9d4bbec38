"""Suggestions and the batches in which they are written: where they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.lease import Lease
from libs.rpc.paging import Page
from services.catalog.domain.names import Key
from services.catalog.domain.seen import Seen
from services.catalog.domain.suggestion import Batch, Suggestion
from services.catalog.ports.shared import Listing


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a new suggestion is held against of an earlier one."""

    title: str
    prompt: str
    reject_reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """The suggestions of a pillar that a new one is held against, newest first.

    ``recent`` are the last ones whatever became of them, ``pending`` those that wait for a
    decision, ``rejected`` the last ones that were turned down.
    """

    recent: Sequence[Earlier]
    pending: Sequence[Earlier]
    rejected: Sequence[Earlier]


class Suggestions(Protocol):
    """Where suggestions are kept."""

    async def add(self, suggestion: Suggestion) -> None:
        """Raises NotFound if the pillar is gone."""

    async def add_all(self, suggestions: Sequence[Suggestion]) -> None:
        """Several at once. Raises NotFound if a pillar is gone."""

    async def get(self, key: Key) -> Suggestion:
        """Raises NotFound."""

    async def locked(self, key: Key) -> Suggestion:
        """Like ``get``; until the end of the transaction nobody else changes it."""

    async def save(self, suggestion: Suggestion) -> None:
        """Keeps what can change of it: its brief and what became of it."""

    async def delete(self, key: Key) -> None:
        """Removes it; a run that came from it stays."""

    async def page(self, persona: str, listing: Listing) -> Page[Suggestion]:
        """One page, by time of creation. Raises NotFound for an unknown persona."""

    async def of_batch(self, batch: str, after_rank: int = 0) -> Sequence[Suggestion]:
        """The suggestions of a batch behind a rank, by rank."""

    async def known(self, pillar: Key) -> Known:
        """What a new suggestion for the pillar is held against."""

    async def seen(self, pillar: Key, count: int) -> Sequence[Seen]:
        """What is known in words of the newest ``count`` photos of the pillar."""


class SuggestionBatches(Protocol):
    """Where batches are kept."""

    async def add(self, batch: Batch) -> None:
        """Keeps a new batch, which waits for a worker."""

    async def get(self, key: Key) -> Batch:
        """Raises NotFound."""

    async def page(self, persona: str, listing: Listing) -> Page[Batch]:
        """One page, by time of creation. Raises NotFound for an unknown persona."""


class BatchLedger(Protocol):
    """The batches as workers see them: each write is guarded by the batch's lease."""

    async def take(self, batch: str, owner: str, max_attempts: int) -> tuple[Batch, Lease] | None:
        """The batch, now running and ours; None if there is nothing to do or somebody has it."""

    async def renew(self, batch: Batch, lease: Lease) -> None:
        """Keeps the lease. Raises LeaseLost."""

    async def count_one(self, batch: Batch, lease: Lease) -> Batch:
        """The batch with one more suggestion written. Raises LeaseLost."""

    async def end(self, batch: Batch, lease: Lease) -> None:
        """Keeps the state, the trouble and ``exhausted`` of ``batch``, and gives it back.

        One that is queued again is not taken for a minute. Raises LeaseLost.
        """

    async def give_back(self, batch: Batch, lease: Lease) -> None:
        """Queues it as if it had not been taken. Raises LeaseLost."""

    async def waiting(self, max_attempts: int) -> Sequence[str]:
        """Batches that no worker has; those that were tried too often are failed on the way."""
