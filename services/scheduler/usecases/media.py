"""The pictures of posts: taken over from the catalog once, served to whoever has the token."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from libs.blobs.store import content_key, sha256
from libs.clock import Clock
from libs.errors import NotFound
from services.scheduler.domain.names import post_key
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import ENDED, Post
from services.scheduler.ports import Blobs, Catalog, Store

FOLDER: Final = "publications"
CHUNK: Final = 256 * 1024
SERVED_AFTER_END: Final = timedelta(hours=24)
_KEPT_AFTER_END: Final = 2 * SERVED_AFTER_END
_SWEPT_AT_ONCE: Final = 100


class Media:
    """Makes publishing independent of the catalog."""

    def __init__(self, store: Store, catalog: Catalog, blobs: Blobs) -> None:
        self._store = store
        self._catalog = catalog
        self._blobs = blobs

    async def prepare(self, name: str) -> Post | None:
        """Takes over the picture of the post called ``name``; see ``ensure`` for errors.

        None if there is nothing to take over: it ended, or has no photo yet.
        """
        async with self._store.reading() as view:
            post = await view.posts.get(post_key(name))
        return await self.ensure(post) if post.photo and post.state not in ENDED else None

    async def ensure(self, post: Post) -> Post:
        """The post with its picture in the blob store.

        Raises NotFound if the photo is gone, InvalidArgument if it is none, Unavailable.
        """
        if post.media is not None and await self._blobs.exists(post.media.key):
            return post
        rendition = await self._catalog.rendition(post.photo)
        digest = sha256(rendition.data)
        snapshot = Snapshot(
            key=content_key(FOLDER, digest, "jpg"),
            sha256=digest,
            mime_type=rendition.mime_type,
            size_bytes=len(rendition.data),
            width=rendition.width,
            height=rendition.height,
        )
        async with self._store.changing() as tx:
            await tx.posts.lock_media(snapshot.key)
            await self._blobs.put(snapshot.key, rendition.data)
            await tx.posts.keep_media(post.id, snapshot)
            await tx.commit()
        return replace(post, media=snapshot)


class SweepMedia:
    """Removes pictures that are served to nobody any more."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock

    async def __call__(self) -> None:
        """Removes those of which all publications ended long ago. Raises Unavailable.

        A failed post that is tried again gets its picture from the catalog anew.
        """
        before = self._clock.now() - _KEPT_AFTER_END
        while True:
            async with self._store.reading() as view:
                keys = await view.posts.spent_media(before, _SWEPT_AT_ONCE)
            for key in keys:
                await self._remove(key, before)
            if len(keys) < _SWEPT_AT_ONCE:
                return

    async def _remove(self, key: str, before: datetime) -> None:
        async with self._store.changing() as tx:
            await tx.posts.lock_media(key)
            if await tx.posts.forget_media(key, before):
                await self._blobs.delete(key)
                await tx.commit()


class ReadMedia:
    """Serves pictures by their tokens."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock

    async def find(self, token: str) -> Snapshot:
        """The picture that the token opens.

        Raises NotFound for an unknown token, and a day after the publication ended.
        """
        async with self._store.reading() as view:
            served = await view.publications.served(token)
        if served is None or self._is_over(served.ended_at):
            # The message must not repeat the token.
            raise NotFound("picture", "", "there is no picture at this address, or no longer")
        return served.snapshot

    async def stream(
        self, snapshot: Snapshot, offset: int, length: int | None
    ) -> AsyncIterator[bytes]:
        """Its bytes from ``offset``, up to ``length`` of them, in chunks of 256 KiB at most.

        Raises InvalidArgument if ``offset`` lies beyond the end.
        """
        async for piece in self._blobs.stream(snapshot.key, offset, length):
            for start in range(0, len(piece), CHUNK):
                yield piece[start : start + CHUNK]

    def _is_over(self, ended_at: datetime | None) -> bool:
        return ended_at is not None and ended_at + SERVED_AFTER_END <= self._clock.now()
