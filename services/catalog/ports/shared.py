"""What every part of the catalog needs: lists, requests served before, events handled before."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.rpc.filtering import Condition
from libs.rpc.paging import PageRequest


@dataclass(frozen=True, slots=True)
class Listing:
    """Which rows of a list: all that meet the conditions, one page of them, in which order.

    ``order`` is the field that they are sorted by; where it is the same, the time of creation and
    the id decide.
    """

    page: PageRequest
    conditions: Sequence[Condition] = field(default_factory=tuple)
    descending: bool = False
    order: str = "create_time"


class Requests(Protocol):
    """The requests that were served."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        """None for whoever is first; else the result. Raises AlreadyExists for another request."""

    async def record(self, request_id: str, result: str) -> None:
        """Keeps the result of the request."""


class Inbox(Protocol):
    """The events that were handled."""

    async def first_time(self, event_id: str, consumer: str) -> bool:
        """Whether this event is new to the consumer; from now on it is not."""
