"""Changing posts that nobody handed to a provider yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import Conflict, InvalidArgument
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key, post_key
from services.scheduler.domain.post import (
    MANUAL,
    Post,
    check_changeable,
    check_justifiable,
    check_scheduled_time,
    final_text,
)
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.ports import Catalog, Changing, Store
from services.scheduler.usecases.approving import shown
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.placing import KnownPhoto, Placing, Wanted
from services.scheduler.usecases.recording import move, record
from services.scheduler.usecases.repeats import released, repetition
from services.scheduler.usecases.requests import answered, claimed


@dataclass(frozen=True, slots=True)
class PostChange:
    """What a post shall be like."""

    caption: str
    hashtags: tuple[str, ...]
    alt_text: str
    scheduled_time: datetime | None
    repeat_reason: str = ""


class ChangePost:
    """Changes text and time of posts."""

    def __init__(
        self, store: Store, catalog: Catalog, clock: Clock, placing: Placing, pace: Pace
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._placing = placing
        self._pace = pace

    async def __call__(
        self, key: Key, change: Callable[[Post], PostChange], etag: str, request: RequestKey
    ) -> Post:
        """The post, changed; an approval that it had is void unless everything is as it was.

        Raises InvalidArgument, NotFound, AlreadyExists (PHOTO_REPEATED) for a time at which a copy
        of the photo is in the way, Conflict (STALE_ETAG), FailedPrecondition (POST_SENT,
        ILLEGAL_STATE_MOVE, RIGHTS, and what a network refuses, such as TEXT_TOO_LONG), Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            return await self._read(post_key(name))
        seen = await self._read(key)
        _check_state(seen, change(seen))
        self._check(seen, change(seen))
        photo = await self._catalog.photo(seen.photo) if seen.publications else None
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            channels = await self._channels(tx, seen)
            await tx.copies.lock(key.persona, [seen.photo])
            known = await self._placing.known(tx, photo) if photo else None
            post = await tx.posts.locked(key)
            check_etag(post, etag)
            _check_state(post, change(post))
            if photo is not None and post.photo != photo.name:
                raise Conflict(f"{post.name} got another photo just now; try again")
            post = await self._changed(tx, post, change(post), known, channels)
            await tx.requests.record(request.id, post.name)
            await tx.commit()
        return post

    def _check(self, post: Post, asked: PostChange) -> None:
        final_text(asked.caption, asked.hashtags)
        if asked.scheduled_time is None and post.scheduled_time is not None:
            raise InvalidArgument.of("post.scheduled_time", "is required; when is it due?")
        if post.generation > 1 and not asked.repeat_reason:
            raise InvalidArgument.of(
                "post.repeat_reason", f"is required: {post.photo} is out with {post.repeats}"
            )
        if asked.scheduled_time is not None and asked.scheduled_time != post.scheduled_time:
            check_scheduled_time(asked.scheduled_time, self._clock.now())

    async def _channels(self, tx: Changing, post: Post) -> Sequence[Channel]:
        ids = [publication.channel for publication in post.publications if publication.channel]
        return await tx.channels.pinned(post.persona, ids) if ids else ()

    async def _changed(
        self,
        tx: Changing,
        post: Post,
        asked: PostChange,
        known: KnownPhoto | None,
        channels: Sequence[Channel],
    ) -> Post:
        now = self._clock.now()
        is_moved = asked.scheduled_time != post.scheduled_time
        new = replace(
            post,
            caption=asked.caption,
            hashtags=asked.hashtags,
            final_text=final_text(asked.caption, asked.hashtags),
            alt_text=asked.alt_text,
            scheduled_time=asked.scheduled_time,
            repeat_reason=asked.repeat_reason,
            strategy=MANUAL if is_moved else post.strategy,
            slot_reason="" if is_moved else post.slot_reason,
        )
        if known is not None and new.scheduled_time is not None:
            wanted = Wanted(known.photo, new.final_text, new.alt_text, new.scheduled_time)
            self._placing.judge(wanted, known.rights, channels)
            if post.generation == 1 and (is_moved or new.repeat_reason != post.repeat_reason):
                new = await self._compared(tx, new, new.scheduled_time, channels)
        asking = {channel.id for channel in channels if channel.approval_required}
        # What is sent again may be due later than what is out: neither moves with a reason alone.
        due = [
            shown(self._due(p, new, now) if is_moved else p, new, p.channel in asking)
            for p in new.publications
            if p.state is not PublicationState.CANCELLED
        ]
        if not due:
            return await move(tx, new, new.state, now)
        fields = ("caption", "hashtags", "final_text", "alt_text", "scheduled_time")
        others = ("strategy", "slot_reason", "repeat_reason", "repeats")
        return await record(
            tx, post, due, now, **{name: getattr(new, name) for name in (*fields, *others)}
        )

    async def _compared(
        self, tx: Changing, post: Post, at: datetime, channels: Sequence[Channel]
    ) -> Post:
        """The post with what it repeats, and without what stood against that."""
        repeats = await repetition(tx, post.photo, at, channels, post.repeat_reason, post.id)
        now = self._clock.now()
        let_go = tuple(released(each, self._pace, now) for each in post.publications)
        return replace(post, publications=let_go, repeats=repeats.of)

    def _due(self, publication: Publication, post: Post, now: datetime) -> Publication:
        at = post.scheduled_time
        if at is None or at == publication.due_at:
            return publication
        first = self._pace.first_attempt(at, now, publication.provider)
        return replace(publication, due_at=at, next_attempt_at=first)

    async def _read(self, key: Key) -> Post:
        async with self._store.reading() as view:
            return await view.posts.get(key)


def _check_state(post: Post, asked: PostChange) -> None:
    """Passes a post of which no provider was ever asked to publish what is changed."""
    if asked.repeat_reason and replace(asked, repeat_reason="") == _as_it_is(post):
        check_justifiable(post)
    else:
        check_changeable(post)


def _as_it_is(post: Post) -> PostChange:
    return PostChange(post.caption, post.hashtags, post.alt_text, post.scheduled_time)


def check_etag(post: Post, etag: str) -> None:
    """Passes an etag that is empty, or the post's. Raises Conflict (STALE_ETAG)."""
    if etag and etag != str(post.version):
        raise Conflict("the post has changed; read it again", reason="STALE_ETAG")
