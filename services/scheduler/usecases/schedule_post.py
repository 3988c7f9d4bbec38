"""Giving a time to a post that has none, or whose time passed before it was complete."""

from dataclasses import replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import Conflict
from libs.rpc.requests import RequestKey
from services.scheduler.domain.names import Key, post_key
from services.scheduler.domain.post import Post, PostState, check_scheduled_time, check_unscheduled
from services.scheduler.ports import Catalog, Store
from services.scheduler.usecases.placing import Placing
from services.scheduler.usecases.recording import move
from services.scheduler.usecases.requests import answered, claimed


class SchedulePost:
    """Schedules what is complete; what waits for its photo is scheduled once that is there."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock, placing: Placing) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._placing = placing

    async def __call__(self, key: Key, at: datetime, request: RequestKey) -> Post:
        """The post with its time, on all channels that are connected if it is complete.

        Raises InvalidArgument, NotFound, AlreadyExists (PHOTO_ALREADY_SCHEDULED, PHOTO_REPEATED),
        FailedPrecondition (ILLEGAL_STATE_MOVE, RIGHTS, NO_CHANNEL, and what a network refuses, such
        as PHOTO_RATIO), Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            key = post_key(name)
        seen = await self._read(key)
        if name is not None:
            return seen
        check_scheduled_time(at, self._clock.now(), field="scheduled_time")
        check_unscheduled(seen)
        photo = await self._catalog.photo(seen.photo) if seen.photo else None
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is not None:
                return await tx.posts.get(post_key(name))
            await tx.channels.pinned(key.persona, None)
            await tx.copies.lock(key.persona, [seen.photo])
            known = await self._placing.known(tx, photo) if photo else None
            post = await tx.posts.locked(key)
            check_unscheduled(post)
            if post.state is PostState.AWAITING_IMAGE:
                timed = replace(post, scheduled_time=at)
                post = await move(tx, timed, post.state, self._clock.now())
            elif known is None:
                raise Conflict(f"{post.name} got its photo just now; try again")
            else:
                post = await self._placing.place(tx, post, known, at)
            await tx.requests.record(request.id, post.name)
            await tx.commit()
        return post

    async def _read(self, key: Key) -> Post:
        async with self._store.reading() as view:
            return await view.posts.get(key)
