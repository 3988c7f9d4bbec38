"""How a post is at its provider after it went out: unchanged, edited there, or removed there."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Drift(StrEnum):
    """How a post that is out was found at its provider."""

    UNCHANGED = "unchanged"
    EDITED = "edited"
    REMOVED = "removed"


# When a post is looked at, after it went out.
WATCH_AFTER: Final = (
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=14),
    timedelta(days=30),
)
# What could not be looked at until so long after it went out is left.
GIVE_UP_AFTER: Final = WATCH_AFTER[-1] + timedelta(days=7)
# So long a look may wait for others that go into the same query; requests are few.
GATHERED_FOR: Final = timedelta(minutes=15)
# What is kept of a text that is another; no network that is served takes a longer one.
LONGEST_TEXT: Final = 10_000
# One look that misses a post may be the provider's mistake.
SECOND_LOOK: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCheck:
    """What the looks at a publication have found that went out at ``posted_at``.

    ``text`` is what it reads there, while that is another text. ``changed_at``: when a look last
    found it otherwise than the one before. ``missed_at``: since when no look has found it, while
    that is not certain enough to call it removed. ``next_at``: when to look next.
    """

    publication: str
    posted_at: datetime
    state: Drift = Drift.UNCHANGED
    text: str = ""
    checked_at: datetime | None = None
    changed_at: datetime | None = None
    missed_at: datetime | None = None
    next_at: datetime | None = None

    def found(self, text: str, is_same: bool, now: datetime) -> "RemoteCheck":
        """After a look that found it, reading ``text``; ``is_same``: that is what was sent."""
        if is_same:
            return self._turned(Drift.UNCHANGED, "", now)
        return self._turned(Drift.EDITED, text.replace("\0", "")[:LONGEST_TEXT], now)

    def missed(self, now: datetime) -> "RemoteCheck":
        """After a look that did not find it: removed, if one before did not find it either."""
        missed_at = self.missed_at or now
        if self.state is Drift.REMOVED or now - missed_at >= SECOND_LOOK:
            return self._turned(Drift.REMOVED, "", now)
        again_at = missed_at + SECOND_LOOK
        return replace(self, checked_at=now, missed_at=missed_at, next_at=again_at)

    def untold(self, now: datetime) -> "RemoteCheck":
        """After a look at which the provider did not say how it is."""
        return replace(self, next_at=next_check(self.posted_at, now))

    def differs_from(self, before: "RemoteCheck") -> bool:
        """Whether it was found otherwise than ``before``."""
        return (self.state, self.text) != (before.state, before.text)

    def _turned(self, state: Drift, text: str, now: datetime) -> "RemoteCheck":
        after = replace(
            self,
            state=state,
            text=text,
            checked_at=now,
            missed_at=None,
            next_at=next_check(self.posted_at, now),
        )
        return replace(after, changed_at=now) if after.differs_from(self) else after


def next_check(posted_at: datetime, now: datetime) -> datetime | None:
    """When to look next at what went out at ``posted_at``; None once it is watched no more."""
    times = (posted_at + after for after in WATCH_AFTER)
    return next((at for at in times if at > now), None)
