"""A look at posts that are out: whether they are there still, and as they were sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.remote_check import Drift, RemoteCheck
from services.scheduler.ports import Sent, Store
from services.scheduler.providers.base import Publisher, RemotePost, RemoteState
from services.scheduler.usecases.asking import how_they_stand
from services.scheduler.usecases.outgoing import Accounts
from services.scheduler.usecases.recording import move


@dataclass(frozen=True, slots=True)
class Seen:
    """A publication as a look left it.

    ``is_told``: the provider said how it is. ``is_news``: it was otherwise at the look before.
    """

    publication: Publication
    is_told: bool
    is_news: bool = False

    @property
    def differs(self) -> bool:
        """Whether it is not as it was sent."""
        remote = self.publication.remote
        return remote is not None and remote.state is not Drift.UNCHANGED

    @property
    def is_missing(self) -> bool:
        """Whether it was not found, and another look decides whether it is gone."""
        remote = self.publication.remote
        return remote is not None and remote.missed_at is not None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the provider said of a post; None that it is not there. The time is that of the
    question: of two that were asked at once, one may be answered minutes later."""

    sent: Sent
    remote: RemotePost | None
    asked_at: datetime

    @property
    def is_told(self) -> bool:
        return self.remote is None or self.remote.state is RemoteState.SENT

    def of(self, before: RemoteCheck, publisher: Publisher) -> RemoteCheck:
        if self.remote is None:
            return before.missed(self.asked_at)
        if not self.is_told:
            return before.untold(self.asked_at)
        is_same = publisher.reads(self.remote, self.sent.text)
        return before.found(self.remote.text, is_same, self.asked_at)


class RemoteLook:
    """Asks a provider for posts that are out, and keeps what it finds."""

    def __init__(self, store: Store, accounts: Accounts, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def __call__(self, channel: Channel, posts: Sequence[Sent]) -> Sequence[Seen]:
        """One query for posts that can be read through ``channel``.

        Raises ``ProviderError``; then nothing is known and nothing changed.
        """
        account = self._accounts.open(channel)
        asked_at = self._clock.now()
        found = await how_they_stand(account, [sent.publication for sent in posts])
        answers = [
            _Answer(sent, found.get(sent.publication.provider_post_id), asked_at) for sent in posts
        ]
        return [await self._apply(answer, account.publisher) for answer in answers]

    async def _apply(self, answer: _Answer, publisher: Publisher) -> Seen:
        sent = answer.sent
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(sent.publication.id)
            assert post is not None, "posts are never removed"
            publication = post.publication(sent.publication.id)
            before = publication.remote or _unseen(publication)
            check = answer.of(before, publisher)
            after = replace(publication, remote=check)
            await tx.remote_checks.save(check)
            if check.differs_from(before):
                await tx.history.drifted(after, check)
                tx.post_events.changed(await move(tx, post, post.state, self._clock.now()))
            await tx.commit()
        return Seen(after, answer.is_told, is_news=check.differs_from(before))


def _unseen(publication: Publication) -> RemoteCheck:
    assert publication.state is PublicationState.POSTED
    assert publication.posted_at is not None
    return RemoteCheck(publication=publication.id, posted_at=publication.posted_at)
