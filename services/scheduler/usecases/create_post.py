"""Scheduling a photo: once, on its channels, at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import PHOTO, Key, post_key
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.post import MANUAL, Post, check_scheduled_time, final_text
from services.scheduler.ports import Catalog, Changing, Store
from services.scheduler.usecases.placing import Placing, Wanted
from services.scheduler.usecases.repeats import Repetition, repetition
from services.scheduler.usecases.requests import answered, claimed
from services.scheduler.usecases.tasks import PREPARE, QUEUE

# The message that follows the creation comes first; this is for when it gets lost.
_PREPARE_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class NewPost:
    """A photo to be scheduled. ``channels`` None: on all that are connected.

    ``strategy`` and ``slot_reason`` tell how its time was chosen, ``repeat_reason`` why its picture
    may be on the channels again.
    """

    persona: str
    photo: str
    scheduled_time: datetime | None
    caption: str = ""
    hashtags: tuple[str, ...] = ()
    alt_text: str = ""
    channels: tuple[Key, ...] | None = None
    strategy: str = MANUAL
    slot_reason: str = ""
    repeat_reason: str = ""


class CreatePost:
    """Schedules photos."""

    def __init__(
        self, store: Store, catalog: Catalog, queue: JobQueue, clock: Clock, placing: Placing
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._queue = queue
        self._clock = clock
        self._placing = placing

    async def __call__(self, new: NewPost, request: RequestKey) -> Post:
        """The post, scheduled.

        Raises InvalidArgument, NotFound (persona, photo, channel), AlreadyExists
        (PHOTO_ALREADY_SCHEDULED, PHOTO_REPEATED), FailedPrecondition (RIGHTS, NO_CHANNEL, ARCHIVED,
        and what a network refuses, such as PHOTO_RATIO), Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            return await self._existing(name)
        final_text(new.caption, new.hashtags)
        self._check_time(new)
        photo = await self._photo(new)
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            channels = await self._placing.channels(tx, new.persona, new.channels)
            await tx.copies.lock(new.persona, [photo.name])
            post = await self.add(tx, new, photo, channels)
            await tx.requests.record(request.id, post.name)
            await tx.commit()
        await self._queue.enqueue(PREPARE, post.name, QUEUE)
        return post

    def _check_time(self, new: NewPost) -> None:
        if new.scheduled_time is None:
            raise InvalidArgument.of("post.scheduled_time", "is required; when is it due?")
        check_scheduled_time(new.scheduled_time, self._clock.now())

    async def _photo(self, new: NewPost) -> Photo:
        if not new.photo:
            raise InvalidArgument.of("post.photo", "is required; which photo is it about?")
        owner, _ = PHOTO.parse(new.photo, "post.photo")
        await self._catalog.check_persona(new.persona)
        if owner != new.persona:
            raise NotFound("photo", new.photo)
        return await self._catalog.photo(new.photo)

    async def add(
        self, tx: Changing, new: NewPost, photo: Photo, channels: Sequence[Channel]
    ) -> Post:
        """The post, stored within ``tx``, for its time, which must be set. Raises as the call."""
        assert new.scheduled_time is not None, "whoever adds it has chosen a time"
        at, reason = new.scheduled_time, new.repeat_reason
        repeats = await repetition(tx, photo.name, at, channels, reason)
        post = self._post(new, photo, at, channels, repeats)
        wanted = Wanted(photo, post.final_text, post.alt_text, at)
        await self._placing.check(tx, wanted, channels)
        async with tx.savepoint():
            await tx.posts.add(post, prepare_at=self._clock.now() + _PREPARE_AFTER)
        await tx.history.post_moved(post, None)
        tx.post_events.changed(post)
        return post

    def _post(
        self,
        new: NewPost,
        photo: Photo,
        at: datetime,
        channels: Sequence[Channel],
        repeats: Repetition,
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
            final_text=final_text(new.caption, new.hashtags),
            alt_text=new.alt_text or photo.alt_text,
            scheduled_time=at,
            create_time=now,
            update_time=now,
            publications=self._placing.publications(id, photo, at, channels, repeats.generation),
            strategy=new.strategy,
            slot_reason=new.slot_reason,
            repeat_reason=new.repeat_reason,
            repeats=repeats.of,
            generation=repeats.generation,
        )

    async def _existing(self, name: str) -> Post:
        async with self._store.reading() as view:
            return await view.posts.get(post_key(name))
