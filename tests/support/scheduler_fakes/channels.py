"""Channels in memory."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key
from services.scheduler.ports import ChannelHealth
from tests.support.scheduler_fakes.data import Data


class FakeChannels:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, channel: Channel) -> None:
        self._data.channels[channel.key] = channel

    async def get(self, key: Key) -> Channel | None:
        return self._data.channels.get(key)

    locked = get

    async def pinned(self, persona: str, ids: Collection[str] | None) -> Sequence[Channel]:
        channels = [c for c in self._data.channels.values() if c.persona == persona]
        return [c for c in channels if ids is None or c.id in ids]

    async def of_batch(self, batch: str) -> Sequence[Channel]:
        return [c for c in self._data.channels.values() if c.batch == batch]

    async def save(self, channel: Channel) -> None:
        self._data.channels[channel.key] = channel

    async def delete(self, key: Key) -> None:
        del self._data.channels[key]

    async def is_in_use(self, key: Key) -> bool:
        raise NotImplementedError

    async def page(self, persona: str, page: PageRequest) -> Page[Channel]:
        raise NotImplementedError

    async def to_check(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        due = [c for c in self._data.channels.values() if c.check_at and c.check_at <= now][:limit]
        for channel in due:
            self._data.channels[channel.key] = replace(channel, check_at=again_at)
        return [channel.key for channel in due]

    async def to_renew(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        due = [c for c in self._data.channels.values() if c.renew_at and c.renew_at <= now][:limit]
        for channel in due:
            self._data.channels[channel.key] = replace(channel, renew_at=again_at)
        return [channel.key for channel in due]

    async def health(self) -> Sequence[ChannelHealth]:
        counts = Counter((c.provider, c.state) for c in self._data.channels.values())
        return [ChannelHealth(*key, count, None) for key, count in counts.items()]
