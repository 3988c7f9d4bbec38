"""Trying again what failed, and looking up what is in doubt."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import FailedPrecondition
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Channel, ChannelState
from services.scheduler.domain.names import CHANNEL, Key, post_key
from services.scheduler.domain.photo import check_rights
from services.scheduler.domain.post import (
    Post,
    check_retryable,
    check_scheduled_time,
    is_retryable,
)
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.ports import Catalog, Changing, Store
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import record
from services.scheduler.usecases.repeats import repetition
from services.scheduler.usecases.requests import answered, claimed

_S = PublicationState


class RetryPost:
    """Sets posts in motion again."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._pace = pace

    async def __call__(self, key: Key, at: datetime | None, request: RequestKey) -> Post:
        """The post, to be tried at ``at`` (None: now). What is in doubt is looked up first.

        Raises InvalidArgument, NotFound, AlreadyExists (PHOTO_REPEATED), FailedPrecondition
        (ILLEGAL_STATE_MOVE, RIGHTS, NO_CHANNEL), Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            return await self._read(post_key(name))
        now = self._clock.now()
        if at is not None:
            check_scheduled_time(at, now, field="scheduled_time")
        post = await self._read(key)
        check_retryable(post)
        photo = await self._catalog.photo(post.photo)
        check_rights(photo.name, photo.rights, at or now)
        return await self._set_in_motion(post, at or now, request)

    async def _read(self, key: Key) -> Post:
        async with self._store.reading() as view:
            return await view.posts.get(key)

    async def _set_in_motion(self, seen: Post, at: datetime, request: RequestKey) -> Post:
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            now = self._clock.now()
            channels = await _checked_channels(tx, seen.publications, now)
            await tx.copies.lock(seen.persona, [seen.photo])
            post = await tx.posts.locked(seen.key)
            check_retryable(post)
            await _check_copies(tx, post, at, channels)
            again = [self._again(p, at, now) for p in post.publications if is_retryable(p)]
            post = await record(tx, post, again, now, scheduled_time=at)
            await tx.requests.record(request.id, post.name)
            await tx.commit()
        return post

    def _again(self, publication: Publication, at: datetime, now: datetime) -> Publication:
        first = self._pace.first_attempt(at, now, publication.provider)
        match publication.state:
            case _S.FAILED | _S.MISSED:
                fresh = publication.moved(_S.READY, now, due_at=at, next_attempt_at=first)
                return _with_new_chances(fresh)
            case _S.NEEDS_REVIEW:
                # It keeps the provider's id: the post may be there still.
                looked_up = publication.moved(_S.RECONCILING, now, due_at=at, next_attempt_at=now)
                return _with_new_chances(replace(looked_up, was_unknown=True))
            case _S.UNKNOWN:
                return publication.moved(_S.RECONCILING, now, due_at=at, next_attempt_at=now)
            case _S.RECONCILING:
                # The look in flight would write back the time that it knows.
                token = publication.token + 1
                return replace(publication, due_at=at, next_attempt_at=now, token=token)
            case _S.RETRY_WAIT:
                # What the provider asked us to wait stands.
                waits = max(first, publication.next_attempt_at or first)
                return replace(publication, due_at=at, next_attempt_at=waits)
            case _:
                return replace(publication, due_at=at, next_attempt_at=first, state_reason="")


def _with_new_chances(publication: Publication) -> Publication:
    return replace(
        publication,
        tries=0,
        retried_once=False,
        duplicate_refusal=False,
        provider_state="",
        permalink="",
        problem=None,
    )


async def _check_copies(
    tx: Changing, post: Post, at: datetime, channels: Sequence[Channel]
) -> None:
    """Refuses what is surely not out, if a copy of it is or is to be by now."""
    unsent = {p.channel for p in post.publications if p.state in (_S.FAILED, _S.MISSED)}
    if not post.repeat_reason:
        there = [channel for channel in channels if channel.id in unsent]
        await repetition(tx, post.photo, at, there, "", post.id)


async def _checked_channels(
    tx: Changing, publications: Sequence[Publication], now: datetime
) -> Sequence[Channel]:
    """The channels of what is tried again. Refuses what has none any more; has one that needs
    attention looked at at once."""
    channels = []
    for publication in publications:
        if not is_retryable(publication):
            continue
        key = Key(publication.persona, publication.channel)
        channel = await tx.channels.locked(key)
        if channel is None:
            name = CHANNEL.format(*key)
            raise FailedPrecondition(
                f"{name} is gone; cancel the post and schedule the photo on another channel",
                reason="NO_CHANNEL",
                metadata={"channel": name},
            )
        if channel.state is ChannelState.NEEDS_ATTENTION:
            await tx.channels.save(replace(channel, check_at=now))
        channels.append(channel)
    return channels
