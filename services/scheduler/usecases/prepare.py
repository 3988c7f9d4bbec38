"""Taking over the picture of a post, long before it is due."""

from collections.abc import AsyncIterator, Iterable

from libs.clock import Clock
from services.scheduler.domain.names import Key
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.ports import Changing, Store
from services.scheduler.usecases.media import Media
from services.scheduler.usecases.outgoing import Accounts, Outgoing, unfit
from services.scheduler.usecases.recording import record


class Prepare:
    """Makes a post independent of the catalog, and fails now what a network would refuse then."""

    def __init__(
        self, store: Store, media: Media, accounts: Accounts, outgoing: Outgoing, clock: Clock
    ) -> None:
        self._store = store
        self._media = media
        self._accounts = accounts
        self._outgoing = outgoing
        self._clock = clock

    async def __call__(self, name: str) -> None:
        """Takes over the picture of the post called ``name``; see ``Media.ensure`` for errors."""
        prepared = await self._media.prepare(name)
        if prepared is None:
            return
        async with self._store.changing() as tx:
            post = await tx.posts.locked(prepared.key)
            refused = [p async for p in self._refused(tx, post)]
            if refused:
                await record(tx, post, refused, self._clock.now())
                await tx.commit()

    async def _refused(self, tx: Changing, post: Post) -> AsyncIterator[Publication]:
        now = self._clock.now()
        for publication in _untried(post.publications):
            channel = await tx.channels.get(Key(publication.persona, publication.channel))
            if channel is None or post.media is None:
                continue
            account = self._accounts.without_key(channel)
            request = self._outgoing.request(post, publication, publication.due_at, ())
            if problems := account.publisher.preflight(account.channel, request):
                yield unfit(publication, problems, now)


def _untried(publications: Iterable[Publication]) -> list[Publication]:
    return [p for p in publications if p.state is PublicationState.READY and not p.attempts]
