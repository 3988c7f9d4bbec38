"""How fast things go; made of the settings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.scheduler.domain.channel import Provider

_AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Pace:
    """Times and amounts of publishing; see ``SchedulerSettings`` for each."""

    submit_lead: timedelta = timedelta(seconds=60)
    overdue_lead: timedelta = timedelta(seconds=30)
    submit_timeout: timedelta = timedelta(seconds=30)
    claim_lease: timedelta = timedelta(seconds=60)
    claim_batch: int = 100
    channel_check_every: timedelta = timedelta(minutes=30)

    def lead(self, provider: str) -> timedelta:
        """How long before its time a post is handed to the provider."""
        return self.submit_lead if Provider(provider).keeps_posts else _AT_ONCE

    def lead_of_overdue(self, provider: str) -> timedelta:
        """How long from now something overdue goes out."""
        return self.overdue_lead if Provider(provider).keeps_posts else _AT_ONCE

    def first_attempt(self, due_at: datetime, now: datetime, provider: str) -> datetime:
        """When to hand over what is due at ``due_at``."""
        return max(now, due_at - self.lead(provider))
