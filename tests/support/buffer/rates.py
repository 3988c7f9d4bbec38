"""Three rolling windows for each key, and the headers that tell about them."""

import base64
import hashlib
import math
from collections import defaultdict, deque
from dataclasses import dataclass

from tests.support.buffer.clock import StandInClock

NAMES = {900: "15m", 86_400: "24h", 2_592_000: "30d"}


@dataclass(frozen=True)
class Exceeded:
    """The window that is used up, and the seconds until it takes a call again."""

    window: str
    retry_after: int


class RateWindows:
    """Counts calls by key. Kept in memory only: a restart starts anew."""

    def __init__(self, clock: StandInClock) -> None:
        self._clock = clock
        self._calls: dict[tuple[str, int], deque[float]] = defaultdict(deque)

    def take(self, key: str, quotas: dict[int, int]) -> Exceeded | None:
        """Counts a call, unless a window is full: then that one."""
        for window, quota in quotas.items():
            left, resets_in = self._left(key, window, quota)
            if left <= 0:
                return Exceeded(NAMES[window], math.ceil(resets_in))
        for window in quotas:
            self._calls[key, window].append(self._now())
        return None

    def headers(self, key: str, quotas: dict[int, int]) -> list[tuple[str, str]]:
        """``RateLimit`` and ``RateLimit-Policy``, one of each for a window."""
        partition = base64.b64encode(hashlib.sha256(key.encode()).digest()[:9]).decode()
        headers = []
        for window, quota in quotas.items():
            left, resets_in = self._left(key, window, quota)
            name = f'"{NAMES[window]}"'
            headers.append(("ratelimit", f"{name};r={left};t={math.ceil(resets_in)}"))
            headers.append(("ratelimit-policy", f"{name};q={quota};w={window};pk=:{partition}:"))
        return headers

    def clear(self) -> None:
        """Forgets all calls."""
        self._calls.clear()

    def _left(self, key: str, window: int, quota: int) -> tuple[int, float]:
        calls, now = self._calls[key, window], self._now()
        while calls and calls[0] <= now - window:
            calls.popleft()
        resets_in = calls[0] + window - now if calls else float(window)
        return max(quota - len(calls), 0), resets_in

    def _now(self) -> float:
        return self._clock.now().timestamp()
