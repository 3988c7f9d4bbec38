"""When to try again and when to give up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.errors import Unavailable
from libs.events.stream import Reject, Retry
from libs.events.wire import Delivery


@dataclass(frozen=True, slots=True)
class Policy:
    """How a consumer behaves. Times are in seconds.

    ``read``: events taken at a time. ``block``: how long a read waits for the first of them.
    ``concurrency``: handler calls in work at a time. ``attempts``: deliveries before an event is a
    dead letter, with ``delays`` between them (the last one repeats). ``patience``: how long an
    event waits for something that is down. ``idle``: after this long untouched, an event belongs
    to whoever asks first. ``grace``: how long a stop waits for what is in work. ``retention``: age
    below which entries are kept even if all groups have read them.
    """

    read: int = 16
    block: float = 5.0
    concurrency: int = 16
    attempts: int = 5
    delays: tuple[float, ...] = (1.0, 5.0, 30.0, 120.0)
    patience: timedelta = timedelta(hours=24)
    idle: float = 60.0
    grace: float = 30.0
    trim_every: float = 60.0
    retention: timedelta = timedelta(hours=1)

    def delay(self, delivery: Delivery, error: Exception, now: datetime) -> float | None:
        """Seconds until the next delivery after ``error``; None for a dead letter."""
        attempt = delivery.event.attempt
        if isinstance(error, Unavailable):
            over = now - delivery.first_seen > self.patience
            return None if over else max(error.retry_after, self._by_rule(attempt))
        if isinstance(error, Reject) or attempt >= self.attempts:
            return None
        if isinstance(error, Retry) and error.after is not None:
            return error.after
        return self._by_rule(attempt)

    def _by_rule(self, attempt: int) -> float:
        return self.delays[min(attempt, len(self.delays)) - 1]
