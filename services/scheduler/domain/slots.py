"""When a persona posts: windows of local time, gaps, a pace by the week, days without posts.

A slot is one window on one day. It takes one post, at a minute that is drawn within it.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

HORIZON: Final = timedelta(days=60)
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of local time from midnight, ``end`` excluded, on a ``weekday``.

    Weekdays count from 1, Monday; 0 means all.
    """

    start: int
    end: int
    weekday: int = 0

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


DEFAULT_WINDOWS: Final = (Window(5 * 60, 8 * 60), Window(10 * 60, 15 * 60))


@dataclass(frozen=True, slots=True)
class Cadence:
    """How a persona posts, in its own time zone."""

    zone: ZoneInfo
    windows: Sequence[Window] = DEFAULT_WINDOWS
    min_gap: timedelta = _DAY
    per_week: int = 3
    blackout: frozenset[date] = frozenset()

    def windows_of(self, day: date) -> list[Window]:
        """The windows of a day, earliest first; none on a day without posts."""
        if day in self.blackout:
            return []
        open = (w for w in self.windows if w.weekday in (0, day.isoweekday()))
        return sorted(open, key=lambda window: (window.start, window.end))

    def local_day(self, at: datetime) -> date:
        """The day on which ``at`` falls there."""
        return at.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Slot:
    """A moment to post at, and why."""

    at: datetime
    reason: str


def slots(
    cadence: Cadence,
    start: datetime,
    taken: Iterable[datetime],
    seed: int = 0,
    horizon: timedelta = HORIZON,
) -> Iterator[Slot]:
    """The free slots from ``start`` on, for ``horizon``, earliest first.

    ``taken`` are the times of other posts, before and after; each slot that is asked for counts as
    taken by the one before. The posts of an ISO week are spread over its open days: after k of its
    n open days at most the k-th part of the week's number is reached, rounded up.
    """
    calendar, end = _Calendar(cadence, start, taken), start + horizon
    for day in _days(cadence.local_day(start), cadence.local_day(end)):
        draw = random.Random(f"{seed}/{day}")
        for window in _drawn(draw, cadence.windows_of(day), calendar.room(day)):
            if not calendar.room(day):
                break
            moments = _moments(day, window, cadence.zone)
            wanted = draw.choice(moments)
            free = [at for at in calendar.free(moments) if start <= at <= end]
            if free:
                start = _nearest(free, wanted)
                yield Slot(start, f"{day:%a} {window} {cadence.zone.key}")
                calendar.take(start)


class _Calendar:
    """The times that are taken, and what they leave free."""

    def __init__(self, cadence: Cadence, start: datetime, taken: Iterable[datetime]) -> None:
        self._cadence = cadence
        self._first = cadence.local_day(start)
        self._taken = sorted(at.astimezone(UTC) for at in taken)

    def take(self, at: datetime) -> None:
        insort(self._taken, at)

    def free(self, moments: Sequence[datetime]) -> list[datetime]:
        """Those of all ``moments`` of a slot that may be taken; none if the slot is."""
        if self._between(moments[0], moments[-1] + _MINUTE):
            return []
        return [at for at in moments if self._keeps_gap(at)]

    def _between(self, start: datetime, end: datetime) -> int:
        """How many are taken from ``start`` on, before ``end``."""
        return bisect_left(self._taken, end) - bisect_left(self._taken, start)

    def _keeps_gap(self, at: datetime) -> bool:
        gap = self._cadence.min_gap
        return not self._between(at - gap + timedelta.resolution, at + gap)

    def room(self, day: date) -> int:
        """How many posts the week's number leaves for ``day``."""
        if not self._cadence.windows_of(day):
            return 0
        monday = day - (day.isoweekday() - 1) * _DAY
        week = [d for d in _days(monday, monday + 6 * _DAY) if self._cadence.windows_of(d)]
        number = self._cadence.per_week
        first = max(monday, self._first)
        passed = sum(1 for d in week if first <= d <= day)
        due = -(-number * passed // len(week))
        left = number - self._on_days(monday, monday + 6 * _DAY)
        return max(0, min(left, due - self._on_days(first, day)))

    def _on_days(self, first: date, last: date) -> int:
        zone = self._cadence.zone
        return self._between(moment_of(first, 0, zone), moment_of(last + _DAY, 0, zone))


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + number * _DAY


def _moments(day: date, window: Window, zone: ZoneInfo) -> list[datetime]:
    """The minutes of a window on a day, in UTC, each once, in order."""
    count = window.end - window.start
    first, last = (moment_of(day, minute, zone) for minute in (window.start, window.end - 1))
    if last - first == (count - 1) * _MINUTE:
        return [first + number * _MINUTE for number in range(count)]
    minutes = (moment_of(day, minute, zone) for minute in range(window.start, window.end))
    return list(dict.fromkeys(minutes))


def _drawn(draw: random.Random, windows: Sequence[Window], count: int) -> list[Window]:
    """The windows with ``count`` drawn ones first, so that no time of day is always preferred."""
    chosen = sorted(draw.sample(range(len(windows)), min(count, len(windows))))
    rest = [n for n in range(len(windows)) if n not in chosen]
    return [windows[n] for n in (*chosen, *rest)]


def _nearest(moments: Iterable[datetime], wanted: datetime) -> datetime:
    return min(moments, key=lambda at: abs(at - wanted))


def moment_of(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The moment at which it is ``minute`` past midnight on ``day``, in UTC.

    Where the clock is put forward it may never be: then the next minute that comes. Where it is put
    back it is twice: then the first time.
    """
    local = datetime.combine(day, time()) + minute * _MINUTE
    while True:
        at = local.replace(tzinfo=zone).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == local:
            return at
        local += _MINUTE


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
