"""Events and handlers for tests of consumers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from libs.events.stream import DONE, Event, Outcome
from libs.ids import uuid7


def event(key: str = "k", number: int = 0, type: str = "thing.happened") -> Event:
    """An event whose payload is ``number`` in text."""
    return Event(
        id=uuid7(),
        type=type,
        subject=f"things/{key}",
        ordering_key=key,
        payload=str(number).encode(),
        time=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    )


class Recorder:
    """A batch handler that remembers its calls and answers what it is told to, while its gate is
    open."""

    def __init__(self, *, takes: float = 0.0) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[list[Event]] = []
        self.in_work = 0
        self.most_in_work = 0
        self.failures: dict[str, Exception] = {}
        self._takes = takes

    @property
    def events(self) -> list[Event]:
        return [event for call in self.calls for event in call]

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]

    def fail(self, event: Event, error: Exception) -> None:
        """Answers ``error`` whenever this event comes."""
        self.failures[event.id] = error

    async def __call__(self, events: Sequence[Event]) -> Sequence[Outcome]:
        self.in_work += len(events)
        self.most_in_work = max(self.most_in_work, self.in_work)
        await asyncio.sleep(self._takes)
        await self.gate.wait()
        self.in_work -= len(events)
        self.calls.append(list(events))
        return [
            Outcome(self.failures[event.id]) if event.id in self.failures else DONE
            for event in events
        ]
