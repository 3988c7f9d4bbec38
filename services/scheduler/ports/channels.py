"""Where channels are kept."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How many channels of a provider are in a state, and when the first of their tokens ends."""

    provider: str
    state: str
    count: int
    token_expires_at: datetime | None


class Channels(Protocol):
    """Where channels are kept."""

    async def add(self, channel: Channel) -> None:
        """Raises AlreadyExists if the id is taken or the account is connected already."""

    async def get(self, key: Key) -> Channel | None:
        """The channel, if there is one."""

    async def locked(self, key: Key) -> Channel | None:
        """Like ``get``; until the end of the transaction nobody else changes or uses it."""

    async def pinned(self, persona: str, ids: Collection[str] | None) -> Sequence[Channel]:
        """The channels with these ids (None: all), oldest first; none of them can be deleted
        until the end of the transaction."""

    async def of_batch(self, batch: str) -> Sequence[Channel]:
        """The channels whose posts can be asked for together."""

    async def save(self, channel: Channel) -> None:
        """Stores a changed channel."""

    async def delete(self, key: Key) -> None:
        """Removes it."""

    async def is_in_use(self, key: Key) -> bool:
        """Whether a publication on it has not ended."""

    async def page(self, persona: str, page: PageRequest) -> Page[Channel]:
        """One page, by time of creation."""

    async def to_check(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """Channels that should be checked by ``now``; they will not be answered again before
        ``again_at``."""

    async def to_renew(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """Like ``to_check``: channels whose token should be renewed by ``now``."""

    async def health(self) -> Sequence[ChannelHealth]:
        """How the channels of each provider are."""
