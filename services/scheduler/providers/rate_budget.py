"""How much of its rate limits a key has left, as the provider's answers tell it.

Current form: three ``RateLimit: "<name>";r=<left>;t=<seconds>`` headers, whose windows are found
through three ``RateLimit-Policy: "<name>";q=<quota>;w=<seconds>`` headers. Older forms carry one
unnamed window in ``RateLimit-Limit``, ``-Remaining`` and ``-Reset``, with or without ``X-``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from services.scheduler.domain.submission import LONGEST_WAIT, bounded

WINDOW_NAMES: Final = {900: "15m", 86_400: "24h", 2_592_000: "30d"}
DAY: Final = 86_400
UNNAMED: Final = 0
RESERVE: Final = 0.2
BLOCK_FALLBACK: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Window:
    """One rolling window: its length in seconds, what is left of ``quota``, when more is."""

    seconds: int
    quota: int
    remaining: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Block:
    """No call is worth making for ``seconds``; ``window`` is the exhausted one, if known."""

    seconds: float
    window: str | None


class RateBudget:
    """The state of one key. Fed with every answer, asked before every call."""

    def __init__(self) -> None:
        self._windows: dict[int, Window] = {}
        self._blocked_until: datetime | None = None
        self._blocked_window: str | None = None

    def observe(self, headers: httpx.Headers, now: datetime) -> None:
        """Takes over what the answer's headers say."""
        try:
            windows = [*_current_form(headers, now), *_older_form(headers, now)]
        except (ValueError, OverflowError):
            return  # numbers that are none, or of times that nobody lives to see
        self._windows.update({window.seconds: window for window in windows})

    def block(self, seconds: float | None, window: str | None, now: datetime) -> Block:
        """The provider said "too many": nothing more for ``seconds`` (None: it did not say)."""
        until = now + timedelta(seconds=bounded(seconds)) if seconds is not None else None
        until = until or self._exhausted_until(window, now) or now + BLOCK_FALLBACK
        self._blocked_until, self._blocked_window = until, window
        return Block((until - now).total_seconds(), window)

    def blocked(self, now: datetime) -> Block | None:
        """Why and for how long no call should be made now; None if one may be."""
        if self._blocked_until and self._blocked_until > now:
            return Block((self._blocked_until - now).total_seconds(), self._blocked_window)
        for window in self._windows.values():
            if window.remaining <= 0 and window.resets_at > now:
                left = (window.resets_at - now).total_seconds()
                return Block(left, WINDOW_NAMES.get(window.seconds))
        return None

    def has_reserve(self, now: datetime) -> bool:
        """Whether reads that can wait may be made: a fifth of the day's quota is kept back.

        Whether any call may be made now is another question, see ``blocked``: it has a time.
        """
        day = self._windows.get(DAY)
        return day is None or day.resets_at <= now or day.remaining >= RESERVE * day.quota

    def _exhausted_until(self, name: str | None, now: datetime) -> datetime | None:
        resets = [
            window.resets_at
            for window in self._windows.values()
            if window.resets_at > now
            and (window.remaining <= 0 or WINDOW_NAMES.get(window.seconds, "") == name)
        ]
        return max(resets, default=None)


def _current_form(headers: httpx.Headers, now: datetime) -> list[Window]:
    policies = dict(_items(headers, "ratelimit-policy"))
    windows = []
    for name, left in _items(headers, "ratelimit"):
        policy = policies.get(name, {})
        if {"q", "w"} <= policy.keys() and {"r", "t"} <= left.keys():
            resets_at = now + timedelta(seconds=left["t"])
            windows.append(Window(policy["w"], policy["q"], left["r"], resets_at))
    return windows


def _items(headers: httpx.Headers, field: str) -> list[tuple[str, dict[str, int]]]:
    items = []
    for value in headers.get_list(field, split_commas=True):
        name, *parameters = (part.strip() for part in value.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        items.append((name.strip('"'), {key: int(v) for key, _, v in pairs if v.isdigit()}))
    return items


def _older_form(headers: httpx.Headers, now: datetime) -> list[Window]:
    for prefix in ("ratelimit", "x-ratelimit"):
        remaining = headers.get(f"{prefix}-remaining", "")
        resets_at = _reset_time(headers.get(f"{prefix}-reset", ""), now)
        if remaining.isdigit() and resets_at:
            limit = headers.get(f"{prefix}-limit", "")
            quota = int(limit) if limit.isdigit() else int(remaining)
            longest = now + timedelta(seconds=LONGEST_WAIT)
            return [Window(UNNAMED, quota, int(remaining), min(resets_at, longest))]
    return []


def _reset_time(value: str, now: datetime) -> datetime | None:
    # Seen in the wild: an ISO time, seconds from now, seconds or milliseconds since 1970.
    if value.isdigit():
        seconds = float(value)
        if seconds > now.timestamp() * 100:
            seconds /= 1000
        if seconds > now.timestamp() / 2:
            return datetime.fromtimestamp(seconds, UTC)
        return now + timedelta(seconds=seconds)
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
