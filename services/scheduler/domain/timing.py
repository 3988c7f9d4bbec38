"""Time rules of publications: how late is too late, and when to ask whether a post went out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.scheduler.domain.publication import to_milliseconds

MAX_LATENESS: Final = timedelta(hours=24)
SUBMIT_LEAD: Final = timedelta(seconds=30)
SUBMIT_TIMEOUT: Final = timedelta(seconds=30)
# So long before its time a post is looked over.
PRECHECK_BEFORE: Final = (timedelta(hours=24), timedelta(hours=1))
CONFIRM_AFTER: Final = (
    timedelta(minutes=1),
    timedelta(minutes=3),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
)


def is_missed(due_at: datetime, now: datetime, max_lateness: timedelta = MAX_LATENESS) -> bool:
    """Whether it is too late to publish without asking."""
    return now - due_at > max_lateness


def effective_due(due_at: datetime, now: datetime, lead: timedelta = SUBMIT_LEAD) -> datetime:
    """The time to give to a provider, in whole milliseconds.

    Providers refuse times in the past, so that what is overdue goes out ``lead`` from now. The
    answer must be stored before the call: it is what reconciliation looks for.
    """
    return to_milliseconds(max(due_at, now + lead))


def is_stuck(
    started_at: datetime, now: datetime, submit_timeout: timedelta = SUBMIT_TIMEOUT
) -> bool:
    """Whether a publication that is still submitting must count as unknown: its worker died."""
    return now - started_at > 2 * submit_timeout


def next_confirmation(
    due_at: datetime, now: datetime, schedule: Sequence[timedelta] = CONFIRM_AFTER
) -> datetime | None:
    """When to ask the provider next whether the post is out; None: alert that it is overdue."""
    return next((due_at + after for after in schedule if due_at + after > now), None)
