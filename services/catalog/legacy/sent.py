"""Which posts of an older library must never be sent again."""

from datetime import datetime
from enum import StrEnum

from services.catalog.domain.photo import PostUse
from services.catalog.legacy.library import LegacyPost

_OUT = ("posted", "published", "sent")
_UNDER_WAY = ("posting", "publishing", "sending", "processing")
_CALLED_OFF = ("cancelled", "canceled", "deleted")


class Fate(StrEnum):
    """What became of a post.

    PRESUMED_SENT: nobody knows for sure, so it counts as sent. HANDED_OVER: a provider has it and
    will send it. UNSENT: nobody has it but the older program.
    """

    SENT = "SENT"
    PRESUMED_SENT = "PRESUMED_SENT"
    HANDED_OVER = "HANDED_OVER"
    UNSENT = "UNSENT"
    CANCELLED = "CANCELLED"


def fate_of(post: LegacyPost, now: datetime) -> Fate:
    """What became of ``post``. In doubt it counts as sent."""
    if post.status in _OUT or post.posted_time is not None:
        return Fate.SENT
    if post.status in _CALLED_OFF:
        return Fate.CANCELLED
    if post.status in _UNDER_WAY:
        return Fate.PRESUMED_SENT
    if not post.provider_post:
        return Fate.UNSENT
    due = post.scheduled_time
    return Fate.HANDED_OVER if due is not None and due > now else Fate.PRESUMED_SENT


def use_of(post: LegacyPost, now: datetime) -> PostUse | None:
    """What the post does with its photo; None if the photo is free."""
    match fate_of(post, now):
        case Fate.SENT | Fate.PRESUMED_SENT:
            return PostUse("POSTED", post.posted_time or post.scheduled_time or now)
        case Fate.HANDED_OVER:
            return PostUse("SCHEDULED")
        case _:
            return None
