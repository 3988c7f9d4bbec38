"""How fast things go; made of the settings."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """Times and amounts of publishing; see ``SchedulerSettings`` for each."""

    submit_lead: timedelta = timedelta(seconds=60)
    overdue_lead: timedelta = timedelta(seconds=30)
    submit_timeout: timedelta = timedelta(seconds=30)
    claim_lease: timedelta = timedelta(seconds=60)
    claim_batch: int = 100
    channel_check_every: timedelta = timedelta(minutes=30)

    def first_attempt(self, due_at: datetime, now: datetime) -> datetime:
        """When to hand over what is due at ``due_at``."""
        return max(now, due_at - self.submit_lead)
