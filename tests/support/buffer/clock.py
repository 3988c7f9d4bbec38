"""The stand-in's own time: that of a wall clock plus what was advanced."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class StandInClock:
    """Goes like ``wall`` (seconds since 1970); ``advance`` puts it forward."""

    def __init__(self, offset_seconds: float = 0.0, wall: Callable[[], float] = time.time) -> None:
        self.offset_seconds = offset_seconds
        self._wall = wall

    def now(self) -> datetime:
        """The stand-in's time, in UTC, in whole milliseconds."""
        now = datetime.fromtimestamp(self._wall() + self.offset_seconds, UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def advance(self, seconds: float) -> None:
        """Puts the clock forward."""
        self.offset_seconds += seconds


def to_wire(at: datetime) -> str:
    """As Buffer writes times: ``2026-12-01T15:00:00.000Z``. Sorts like the times themselves."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def from_wire(value: str) -> datetime:
    """A time from the wire; without an offset it counts as UTC."""
    at = datetime.fromisoformat(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def later(value: str, seconds: float) -> str:
    """A wire time ``seconds`` after another."""
    return to_wire(from_wire(value) + timedelta(seconds=seconds))
