"""What travels on a stream, who writes it and who reads it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """A fact that others may care about.

    ``type`` is like ``catalog.photo.created``; ``subject`` the name of the resource it is about;
    ``payload`` a serialised message of ``colonnade.events.v1``; ``trace`` a W3C traceparent or
    empty. ``id`` stays the same however often the event arrives. ``attempt`` counts deliveries to
    one consumer from 1.
    """

    id: str
    type: str
    subject: str
    ordering_key: str
    payload: bytes
    time: datetime
    trace: str = ""
    attempt: int = 1


class Publisher(Protocol):
    """Puts events on a stream."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Appends them in order. Raises Unavailable; some may have been appended even so."""


class Retry(Exception):
    """Raised by a handler that cannot do its work now. ``after`` is in seconds, None = by rule."""

    def __init__(self, why: str, *, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Reject(Exception):
    """Raised by a handler for an event that no retry can help: it goes to the dead letters."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event: ``error`` None = done, a Reject = dead letter, else = retry."""

    error: Exception | None = None


DONE = Outcome()

Handler = Callable[[Event], Awaitable[None]]
BatchHandler = Callable[[Sequence[Event]], Awaitable[Sequence[Outcome]]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who handles one type of event, and how many of them at a time."""

    handler: BatchHandler
    size: int = 1


def each(handler: Handler) -> Subscription:
    """One call an event. Returning means done; ``Retry``, ``Reject`` or any error as they say."""

    async def handle(events: Sequence[Event]) -> Sequence[Outcome]:
        for event in events:
            await handler(event)
        return [DONE] * len(events)

    return Subscription(handle)


def batched(handler: BatchHandler, size: int) -> Subscription:
    """One call for up to ``size`` events of different ordering keys; an outcome for each, in order.

    An exception from the handler itself counts for all of them.
    """
    return Subscription(handler, size)


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """How far a consumer group is behind.

    ``pending``: delivered, not yet acknowledged. ``unread``: not yet delivered (counted to 1000).
    ``lag``: age of the oldest unread event in seconds. ``delayed``: waiting for a retry.
    ``dead``: dead letters of the stream.
    """

    pending: int
    unread: int
    lag: float
    delayed: int
    dead: int
