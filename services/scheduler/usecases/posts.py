"""Reading posts, and calling them off."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import Conflict
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.scheduler.domain.counts import Reached
from services.scheduler.domain.names import Key, post_key
from services.scheduler.domain.post import Post, PostState, check_cancellable
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.repeat import REPEAT_HELD
from services.scheduler.ports import Catalog, Changing, PostListing, Reading, Store
from services.scheduler.usecases.known_persona import check_persona_if_reachable
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import move, record
from services.scheduler.usecases.requests import claimed


class ReadPosts:
    """Reads posts."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    async def get(self, key: Key) -> Post:
        """The post. Raises NotFound."""
        async with self._store.reading() as view:
            [post] = await _with_reached(view, [await view.posts.get(key)])
        return post

    async def page(self, listing: PostListing) -> Page[Post]:
        """One page. Raises NotFound for an unknown persona."""
        async with self._store.reading() as view:
            page = await view.posts.page(listing)
            page = Page(await _with_reached(view, page.rows), page.next_key)
        if not page.rows and listing.persona is not None:
            await check_persona_if_reachable(self._catalog, listing.persona)
        return page


async def _with_reached(view: Reading, posts: Sequence[Post]) -> Sequence[Post]:
    """The posts, with what those reached that are out."""
    publications = [p for post in posts for p in post.publications]
    out = [p.id for p in publications if p.state is PublicationState.POSTED]
    if not out:
        return posts
    reached = await view.results.latest(out)
    return [_reaching(post, reached) for post in posts] if reached else posts


def _reaching(post: Post, reached: Mapping[str, Reached]) -> Post:
    publications = tuple(
        replace(p, reached=reached[p.id]) if p.id in reached else p for p in post.publications
    )
    return replace(post, publications=publications)


class CancelPost:
    """Calls posts off."""

    def __init__(self, store: Store, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace

    async def __call__(self, key: Key, request: RequestKey) -> Post:
        """The post, cancelled; one that is cancelled already stays as it is. Copies of its photo
        that waited for that are looked at again.

        What may be out (``needs_review``) keeps its photo taken on its channel: called off and
        scheduled anew, it could appear twice.

        Raises NotFound, and FailedPrecondition (ILLEGAL_STATE_MOVE) if a provider has it.
        """
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            seen = await tx.posts.get(key)
            # Of two copies that are called off at once, each sets free what waits for both.
            await tx.copies.lock(key.persona, [seen.photo])
            post = await tx.posts.locked(key)
            if post.photo != seen.photo:
                raise Conflict(f"{post.name} got its photo just now; try again")
            check_cancellable(post)
            now = self._clock.now()
            cancelled = [
                _cancelled(publication, now)
                for publication in post.publications
                if publication.state is not PublicationState.CANCELLED
            ]
            if post.publications:
                post = await record(tx, post, cancelled, now)
                await self._release_copies(tx, post.photo, cancelled, now)
            elif post.state is not PostState.CANCELLED:
                post = await move(tx, post, PostState.CANCELLED, now)
            await tx.requests.record(request.id, post.name)
            await tx.commit()
        return post

    async def _release_copies(
        self, tx: Changing, photo: str, cancelled: Sequence[Publication], now: datetime
    ) -> None:
        # Whatever is held for another picture goes on showing that.
        copies = (await tx.copies.of([photo])).get(photo)
        for gone in cancelled if copies else ():
            lead, where = self._pace.lead(gone.provider), Key(gone.persona, gone.channel)
            await tx.publications.release_held(where, now, lead, REPEAT_HELD, copies)


def _cancelled(publication: Publication, now: datetime) -> Publication:
    is_in_review = publication.state is PublicationState.NEEDS_REVIEW
    return publication.moved(
        PublicationState.CANCELLED,
        now,
        next_attempt_at=None,
        in_doubt=is_in_review or publication.is_in_blind_doubt,
        problem=None,
    )
