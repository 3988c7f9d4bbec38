"""Where publications are kept, and the calls made for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.names import Key
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.publication import CHANNEL_HELD, Publication, PublicationState


@dataclass(frozen=True, slots=True)
class Claim:
    """A publication for which something is to be done; ``batch`` is that of its channel, ``due_at``
    the time that is wanted."""

    publication: str
    state: PublicationState
    batch: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ServedMedia:
    """A picture that is served by a token, and when its publication ended, if it has."""

    snapshot: Snapshot
    ended_at: datetime | None


class Publications(Protocol):
    """Where publications are kept. What changes a state goes with a lock on the post."""

    async def save(self, publication: Publication) -> None:
        """Stores what changed and releases the claim. Raises AlreadyExists
        (PHOTO_ALREADY_SCHEDULED) and Conflict (ADOPTED_TWICE)."""

    async def postpone(self, publication: str, until: datetime) -> None:
        """Sets when something is done next and releases the claim; nothing else changes."""

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Those for which something is to be done by ``now``, longest waiting first. Nobody
        else is given them before ``until``, unless they are changed."""

    async def overdue(self, before: datetime, limit: int) -> Sequence[str]:
        """Those that were due before that moment and were never handed to a provider."""

    async def to_confirm(self, batch: str, now: datetime, limit: int) -> Sequence[Publication]:
        """Those that a provider has and that should be asked for by ``now``."""

    async def release_held(
        self,
        channel: Key,
        now: datetime,
        lead: timedelta,
        reason: str = CHANNEL_HELD,
        photos: Collection[str] | None = None,
    ) -> None:
        """Has what is held on a channel for ``reason`` go on, ``lead`` before it is due; of these
        ``photos`` only, if some are named."""

    async def served(self, token: str) -> ServedMedia | None:
        """The picture that a token opens."""


class Attempts(Protocol):
    """Where the calls to providers are written down."""

    async def add(self, attempt: Attempt) -> None:
        """Keeps an intent."""

    async def note(self, attempt: str, handle: str) -> None:
        """Keeps what the provider calls that which was prepared for it."""

    async def finish(self, attempt: str, result: AttemptResult) -> None:
        """Keeps how it ended."""

    async def of(self, publication: str) -> Sequence[Attempt]:
        """Those of a publication, in order."""

    async def known(self, provider_post_ids: Collection[str]) -> dict[str, str]:
        """Those of the ids that an attempt ended with, and whose publication's it was."""
