"""Publications in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.scheduler.domain.names import Key
from services.scheduler.domain.publication import CHANNEL_HELD, Publication, PublicationState
from services.scheduler.ports import Claim, ServedMedia
from tests.support.scheduler_fakes.data import Data

_WAITING = (PublicationState.READY, PublicationState.RETRY_WAIT)
_AT_PROVIDER = (PublicationState.SCHEDULED, PublicationState.PUBLISHING)


class FakePublications:
    def __init__(self, data: Data) -> None:
        self._data = data

    def _all(self) -> list[Publication]:
        return [x for post in self._data.posts.values() for x in post.publications]

    async def save(self, publication: Publication) -> None:
        key = Key(publication.persona, publication.post)
        post = self._data.posts[key]
        others = tuple(publication if x.id == publication.id else x for x in post.publications)
        self._data.posts[key] = replace(post, publications=others)
        self._data.leases.pop(publication.id, None)

    async def postpone(self, publication: str, until: datetime) -> None:
        [found] = [x for x in self._all() if x.id == publication]
        await self.save(replace(found, next_attempt_at=until))

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        waiting = [(x.next_attempt_at, x) for x in self._all() if x.next_attempt_at]
        due = sorted(
            ((at, x) for at, x in waiting if at <= now and self._is_free(x.id, now)),
            key=lambda pair: pair[0],
        )[:limit]
        self._data.leases.update({x.id: until for _, x in due})
        return [
            Claim(x.id, x.state, self._data.channels[Key(x.persona, x.channel)].batch, x.due_at)
            for _, x in due
        ]

    def _is_free(self, id: str, now: datetime) -> bool:
        return id not in self._data.leases or self._data.leases[id] <= now

    async def overdue(self, before: datetime, limit: int) -> Sequence[str]:
        return [x.id for x in self._all() if x.state in _WAITING and x.due_at < before][:limit]

    async def to_confirm(self, batch: str, now: datetime, limit: int) -> Sequence[Publication]:
        return [
            x
            for x in self._all()
            if x.state in _AT_PROVIDER
            and x.next_attempt_at is not None
            and x.next_attempt_at <= now
            and self._data.channels[Key(x.persona, x.channel)].batch == batch
        ]

    async def release_held(
        self,
        channel: Key,
        now: datetime,
        lead: timedelta,
        reason: str = CHANNEL_HELD,
        photos: Collection[str] | None = None,
    ) -> None:
        for found in self._all():
            is_held = found.problem is not None and found.problem.reason == reason
            post = self._data.posts[Key(found.persona, found.post)]
            is_meant = photos is None or post.photo in photos
            if is_held and is_meant and (found.persona, found.channel) == channel:
                first = max(now, found.due_at - lead)
                await self.save(replace(found, next_attempt_at=first, problem=None))

    async def served(self, token: str) -> ServedMedia | None:
        for post in self._data.posts.values():
            for publication in post.publications:
                if publication.media_token == token and post.media:
                    return ServedMedia(post.media, publication.ended_at)
        return None
