"""What is past its time and not out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.scheduler.domain.timing import CONFIRM_AFTER

GRACE: Final = timedelta(minutes=15)
# A provider may take its time; see the looks of ``CONFIRM_AFTER``.
PROVIDER_GRACE: Final = CONFIRM_AFTER[-1]


class Lateness(StrEnum):
    """Why something is late."""

    WAITING = "waiting"  # not handed to a provider yet: held, or tried again
    UNKNOWN = "unknown"  # nobody knows whether the provider has it
    AT_PROVIDER = "at_provider"  # the provider has it and has not sent it
    NEEDS_REVIEW = "needs_review"  # a person must decide
    MISSED = "missed"  # too late to be sent without asking


@dataclass(frozen=True, slots=True)
class LatePublication:
    """A publication that is late; ``detail`` is its own reason, for people."""

    name: str
    why: Lateness
    due_at: datetime
    detail: str
