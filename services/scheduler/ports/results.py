"""Where it is kept what posts reached."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.scheduler.domain.counts import Counts, Reached


@dataclass(frozen=True, slots=True)
class Look:
    """A publication whose numbers should be asked for.

    ``batch`` is that of its channel; empty if the channel is gone.
    """

    publication: str
    batch: str
    provider_post_id: str
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class OnChannel:
    """What a post reached on one channel; ``counts`` is None if nothing is known of that age."""

    post: str
    pillar: str
    posted_at: datetime
    channel: str
    counts: Counts | None


class Results(Protocol):
    """What publications reached, look by look."""

    async def watch(self, since: datetime, now: datetime, first: timedelta) -> None:
        """Takes up what is out since then; it is due when it is ``first`` old."""

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Look]:
        """What should be looked at by ``now``, longest waiting first. Nobody else is given it
        before ``until``, unless it was looked at."""

    async def keep(self, publication: str, reached: Reached) -> None:
        """Adds what a look found; a second look at the same moment changes nothing."""

    async def postpone(self, publication: str, until: datetime | None) -> None:
        """Sets when it is looked at next; None: never."""

    async def latest(self, publications: Collection[str]) -> Mapping[str, Reached]:
        """What the last look found, of those that were looked at."""

    async def of_persona(
        self, persona: str, start: datetime, end: datetime, age: timedelta, limit: int
    ) -> Sequence[OnChannel]:
        """What went out between the two, newest first, each with the look nearest to ``age``,
        between half and twice as old."""
