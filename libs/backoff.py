"""How long to wait before trying again."""

import random


class Backoff:
    """Waits that double from ``first`` to ``limit`` seconds, each off by up to a part ``jitter``.

    Jitter keeps many clients of one broken server from coming back at the same moment.
    """

    def __init__(self, first: float = 0.5, limit: float = 30.0, jitter: float = 0.2) -> None:
        self._first = first
        self._limit = limit
        self._jitter = jitter
        self._tries = 0

    def next(self) -> float:
        """Seconds to wait now."""
        # The exponent is bounded so that a day without a server does not overflow a float.
        base = min(self._limit, self._first * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return base * random.uniform(1 - self._jitter, 1 + self._jitter)

    def reset(self) -> None:
        """Something worked: the next wait is the first again."""
        self._tries = 0
