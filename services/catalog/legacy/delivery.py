"""Tells the other services what concerns them: posts that went out, clusters that people made.

What cannot be told now waits in the account and is told by the next ``apply``.
"""

from collections.abc import Sequence
from typing import Protocol

from libs.errors import DeadlineExceeded, Unavailable
from services.catalog.legacy.desk import Desk, Progress


class Receiver(Protocol):
    """One service that must be told something; ``name`` is what people call it."""

    name: str

    async def tell(self, desk: Desk, progress: Progress) -> Sequence[str]:
        """Tells what it was not told yet; why something still waits, in words.

        Raises Unavailable and DeadlineExceeded.
        """

    async def take_back(self, desk: Desk, progress: Progress) -> Sequence[str]:
        """Undoes what can be undone; why something stays, in words. Raises as ``tell`` does."""


class Delivery:
    """All receivers, one after the other; one that does not answer does not hold up the others."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = receivers

    async def run(self, desk: Desk, progress: Progress) -> list[str]:
        """What still waits, and why."""
        waiting: list[str] = []
        for receiver in self._receivers:
            try:
                waiting += await receiver.tell(desk, progress)
            except (Unavailable, DeadlineExceeded) as error:
                waiting.append(_absent(receiver, error))
        return waiting

    async def take_back(self, desk: Desk, progress: Progress) -> list[str]:
        """What stays, and why."""
        left: list[str] = []
        for receiver in self._receivers:
            try:
                left += await receiver.take_back(desk, progress)
            except (Unavailable, DeadlineExceeded) as error:
                left.append(_absent(receiver, error))
        return left


def _absent(receiver: Receiver, error: Unavailable | DeadlineExceeded) -> str:
    return f"the {receiver.name} does not answer: {error.message}"
