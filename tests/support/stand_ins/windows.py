"""Rate windows that begin anew at fixed times, as most providers count."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.support.buffer.clock import StandInClock


@dataclass(frozen=True)
class Quota:
    """So many calls in so many seconds."""

    calls: int
    seconds: int


@dataclass(frozen=True)
class Standing:
    """How a window stands after a call; ``is_exceeded``: that call was too much."""

    quota: Quota
    left: int
    resets_at: datetime
    is_exceeded: bool


class Windows:
    """Counts calls by name."""

    def __init__(self, clock: StandInClock) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, int], int] = {}

    def take(self, name: str, quota: Quota) -> Standing:
        """Counts a call."""
        now = self._clock.now().timestamp()
        period = int(now // quota.seconds)
        count = self._counts[name, period] = self._counts.get((name, period), 0) + 1
        resets_at = datetime.fromtimestamp((period + 1) * quota.seconds, UTC)
        return Standing(quota, max(0, quota.calls - count), resets_at, count > quota.calls)
