"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """A ``libs.clock.Clock``; starts at noon UTC on Monday 2 March 2026 unless told."""

    def __init__(self, start: datetime = NOON) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta | float) -> datetime:
        """Moves on by a duration, or by seconds, and tells the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now
