"""Looks at what is out, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.scheduler.domain.names import Key
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.remote_check import WATCH_AFTER, RemoteCheck
from services.scheduler.ports import Sent, SentPage
from tests.support.scheduler_fakes.data import Data

_AT_PROVIDER = (PublicationState.SCHEDULED, PublicationState.PUBLISHING)


class FakeRemoteChecks:
    def __init__(self, data: Data) -> None:
        self._data = data

    def _sent(self, *states: PublicationState) -> list[Sent]:
        return [
            Sent(publication, post.final_text)
            for post in self._data.posts.values()
            for publication in post.publications
            if publication.state in states
        ]

    async def watch(self, now: datetime, limit: int) -> None:
        for publication, _ in map(_parts, self._sent(PublicationState.POSTED)):
            if publication.remote is None and publication.posted_at is not None:
                first = publication.posted_at + WATCH_AFTER[0]
                check = RemoteCheck(
                    publication=publication.id, posted_at=publication.posted_at, next_at=first
                )
                await self.save(check)

    async def leave(self, now: datetime) -> None:
        return

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        batches = {channel.batch for channel in self._data.channels.values()}
        return [batch for batch in batches if self._due(batch, now)]

    async def claim(self, batch: str, now: datetime, until: datetime, limit: int) -> Sequence[Sent]:
        return self._due(batch, now)[:limit]

    def _due(self, batch: str, now: datetime) -> list[Sent]:
        return [
            Sent(publication, text)
            for publication, text in map(_parts, self._sent(PublicationState.POSTED))
            if self._data.channels[Key(publication.persona, publication.channel)].batch == batch
            and publication.remote is not None
            and publication.remote.next_at is not None
            and publication.remote.next_at <= now
        ]

    async def of_persona(self, persona: str, since: datetime, limit: int) -> SentPage:
        found = self._sent(PublicationState.POSTED, *_AT_PROVIDER)
        return SentPage(found[:limit], len(found))

    async def save(self, check: RemoteCheck) -> None:
        for key, post in self._data.posts.items():
            publications = tuple(
                replace(x, remote=check) if x.id == check.publication else x
                for x in post.publications
            )
            self._data.posts[key] = replace(post, publications=publications)


def _parts(sent: Sent) -> tuple[Publication, str]:
    return sent.publication, sent.text
