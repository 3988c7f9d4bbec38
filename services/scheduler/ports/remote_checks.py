"""Where it is kept how posts are at their providers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.scheduler.domain.publication import Publication
from services.scheduler.domain.remote_check import RemoteCheck


@dataclass(frozen=True, slots=True)
class Sent:
    """A publication that is at a provider, or out, and the text that it was sent with."""

    publication: Publication
    text: str


@dataclass(frozen=True, slots=True)
class SentPage:
    """Some of what was sent, and how many there are in all."""

    rows: Sequence[Sent]
    total: int


class RemoteChecks(Protocol):
    """What is known of posts at their providers, and when to look at them again.

    Imported posts are none of these: what they read like was never in our hands. Nor are those
    whose provider cannot be asked. A channel that was connected later under the name of another is
    not the one that posts went out on: its account may be another.
    """

    async def watch(self, now: datetime, limit: int) -> None:
        """Takes up what is out and should be looked at by ``now`` for the first time."""

    async def leave(self, now: datetime) -> None:
        """Looks no more, unless somebody asks, at what should be by ``now`` and has no channel, or
        went out longer than ``GIVE_UP_AFTER`` ago."""

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        """The batches of channels on which something waited for ``GATHERED_FOR`` to be looked at,
        or was missed and should be looked at again by ``now``."""

    async def claim(self, batch: str, now: datetime, until: datetime, limit: int) -> Sequence[Sent]:
        """What should be looked at by ``now`` on the channels of a batch, longest waiting first.
        Nobody else is given it before ``until``, unless it was looked at."""

    async def of_persona(self, persona: str, since: datetime, limit: int) -> SentPage:
        """What went out since then and what waits at a provider: what can be asked for before the
        rest, and of that first what was not looked at for longest."""

    async def save(self, check: RemoteCheck) -> None:
        """Keeps what a look found."""
