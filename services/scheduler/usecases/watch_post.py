"""Watching a post until nothing more happens to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from time import monotonic

from libs.errors import Unavailable
from services.scheduler.domain.names import Key
from services.scheduler.domain.post import ENDED, Post
from services.scheduler.ports import Store


class WatchPost:
    """Tells of every change that lasts longer than ``poll``, and at least every ``heartbeat``."""

    def __init__(
        self,
        store: Store,
        *,
        poll: timedelta,
        heartbeat: timedelta,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._poll = poll.total_seconds()
        self._heartbeat = heartbeat.total_seconds()
        self._is_stopping = is_stopping

    async def __call__(self, key: Key) -> AsyncIterator[Post]:
        """Yields the post as it is, and again after changes, until it is posted, failed, cancelled.

        Raises NotFound, and Unavailable when this server stops.
        """
        while True:
            async with self._store.reading() as view:
                post = await view.posts.get(key)
            yield post
            if post.state in ENDED:
                return
            await self._change(post)

    async def _change(self, post: Post) -> None:
        """Returns when there is another version, or when it is time for a sign of life."""
        deadline = monotonic() + self._heartbeat
        while monotonic() + self._poll < deadline:
            await asyncio.sleep(self._poll)
            if self._is_stopping():
                raise Unavailable("this server stops; watch again")
            async with self._store.reading() as view:
                if await view.posts.version(post.key) != post.version:
                    return
        await asyncio.sleep(max(0.0, deadline - monotonic()))
