"""Scheduling a photo: once, on its channels, at a time."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Channel, ChannelState, check_connected
from services.scheduler.domain.names import PERSONA, PHOTO, Key, no_channel, post_key
from services.scheduler.domain.photo import Photo, check_rights
from services.scheduler.domain.post import Post, check_scheduled_time, final_text
from services.scheduler.domain.publication import Publication
from services.scheduler.ports import Catalog, Changing, Store
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.requests import answered, claimed
from services.scheduler.usecases.tasks import PREPARE, QUEUE

# 192 bits: nobody guesses it.
_TOKEN_BYTES: Final = 24
# The message that follows the creation comes first; this is for when it gets lost.
_PREPARE_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class NewPost:
    """A photo to be scheduled. ``channels`` None: on all that are connected."""

    persona: str
    photo: str
    scheduled_time: datetime | None
    caption: str = ""
    hashtags: tuple[str, ...] = ()
    alt_text: str = ""
    channels: tuple[Key, ...] | None = None


class CreatePost:
    """Schedules photos."""

    def __init__(
        self, store: Store, catalog: Catalog, queue: JobQueue, clock: Clock, pace: Pace
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._queue = queue
        self._clock = clock
        self._pace = pace

    async def __call__(self, new: NewPost, request: RequestKey) -> Post:
        """The post, scheduled.

        Raises InvalidArgument, NotFound (persona, photo, channel), AlreadyExists
        (PHOTO_ALREADY_SCHEDULED), FailedPrecondition (RIGHTS, NO_CHANNEL, ARCHIVED), Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            return await self._existing(name)
        text = final_text(new.caption, new.hashtags)
        at = self._checked_time(new)
        photo = await self._photo(new, at)
        post = await self._add(new, photo, text, at, request)
        await self._queue.enqueue(PREPARE, post.name, QUEUE)
        return post

    def _checked_time(self, new: NewPost) -> datetime:
        if new.scheduled_time is None:
            raise InvalidArgument.of("post.scheduled_time", "is required; when is it due?")
        check_scheduled_time(new.scheduled_time, self._clock.now())
        return new.scheduled_time

    async def _photo(self, new: NewPost, at: datetime) -> Photo:
        if not new.photo:
            raise InvalidArgument.of("post.photo", "is required; which photo is it about?")
        owner, _ = PHOTO.parse(new.photo, "post.photo")
        await self._catalog.check_persona(new.persona)
        if owner != new.persona:
            raise NotFound("photo", new.photo)
        photo = await self._catalog.photo(new.photo)
        check_rights(photo, at)
        return photo

    async def _add(
        self, new: NewPost, photo: Photo, text: str, at: datetime, request: RequestKey
    ) -> Post:
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            now = self._clock.now()
            post = self._post(new, photo, text, at, await _channels(tx, new))
            await tx.posts.add(post, prepare_at=now + _PREPARE_AFTER)
            await tx.history.post_moved(post, None)
            tx.post_events.changed(post)
            await tx.requests.record(request.id, post.name)
            await tx.commit()
        return post

    def _post(
        self, new: NewPost, photo: Photo, text: str, at: datetime, channels: Sequence[Channel]
    ) -> Post:
        id, now = uuid7(), self._clock.now()
        return Post(
            persona=new.persona,
            id=id,
            photo=photo.name,
            photo_sha256=photo.sha256,
            pillar=photo.pillar,
            caption=new.caption,
            hashtags=new.hashtags,
            final_text=text,
            alt_text=new.alt_text or photo.alt_text,
            scheduled_time=at,
            create_time=now,
            update_time=now,
            publications=tuple(self._publication(id, photo, at, c) for c in channels),
        )

    def _publication(self, post: str, photo: Photo, at: datetime, channel: Channel) -> Publication:
        return Publication(
            id=uuid7(),
            persona=channel.persona,
            post=post,
            channel=channel.id,
            provider=channel.provider,
            photo_sha256=photo.sha256,
            due_at=at,
            media_token=secrets.token_urlsafe(_TOKEN_BYTES),
            next_attempt_at=self._pace.first_attempt(at, self._clock.now()),
        )

    async def _existing(self, name: str) -> Post:
        async with self._store.reading() as view:
            return await view.posts.get(post_key(name))


async def _channels(tx: Changing, new: NewPost) -> list[Channel]:
    if new.channels is None:
        return await _connected(tx, new.persona)
    for key in new.channels:
        if key.persona != new.persona:
            raise no_channel(key)
    found = await tx.channels.pinned(new.persona, [key.id for key in new.channels])
    for key in new.channels:
        if key.id not in {channel.id for channel in found}:
            raise no_channel(key)
    for channel in found:
        check_connected(channel)
    return list(found)


async def _connected(tx: Changing, persona: str) -> list[Channel]:
    channels = await tx.channels.pinned(persona, None)
    if found := [c for c in channels if c.state is ChannelState.CONNECTED]:
        return found
    name = PERSONA.format(persona)
    why = "none of its channels can be used now" if channels else "it has none"
    raise FailedPrecondition(
        f"{name} has no channel to publish on: {why}; connect one first",
        reason="NO_CHANNEL",
        metadata={"persona": name},
    )
