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


class Media:
    """Makes publishing independent of the catalog."""

    def __init__(self, store: Store, catalog: Catalog, blobs: Blobs) -> None:
        self._store = store
        self._catalog = catalog
        self._blobs = blobs

    async def prepare(self, name: str) -> None:
        """Takes over the picture of the post called ``name``; see ``ensure`` for errors."""
        async with self._store.reading() as view:
            post = await view.posts.get(post_key(name))
        if post.state not in ENDED:
            await self.ensure(post)

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
        await self._blobs.put(snapshot.key, rendition.data)
        async with self._store.changing() as tx:
            await tx.posts.keep_media(post.id, snapshot)
            await tx.commit()
        return replace(post, media=snapshot)


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
