"""The pictures of posts: taken over from the catalog once, served to whoever has the token."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from libs.blobs.store import sha256
from libs.clock import Clock
from libs.errors import NotFound, Unavailable
from services.scheduler.domain.names import post_key
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import ENDED, Post
from services.scheduler.ports import Blobs, Catalog, ServedMedia, Store
from services.scheduler.usecases.media_address import MediaAddresses, key_of

log = logging.getLogger(__name__)

CHUNK: Final = 256 * 1024
SERVED_AFTER_END: Final = timedelta(hours=24)
_KEPT_AFTER_END: Final = 2 * SERVED_AFTER_END
_SWEPT_AT_ONCE: Final = 100
# A provider that fetches a picture waits for ten seconds or so.
DATABASE_PATIENCE: Final = 2.0


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
            key=key_of(digest),
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
    """Serves pictures by their addresses, also while the database is away.

    Then nobody knows which publications have ended, and what was signed counts: an address opens
    its picture until the grant in it ends, and no longer than ``SweepMedia`` leaves the picture.
    """

    def __init__(self, store: Store, blobs: Blobs, addresses: MediaAddresses, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._addresses = addresses
        self._clock = clock

    async def find(self, text: str) -> Snapshot:
        """The picture that the address, without what is the same in all, opens.

        Raises NotFound for an unknown one, and a day after the publication ended; Unavailable if
        the database is away and the address says too little, or its grant has ended.
        """
        address = self._addresses.read(text)
        try:
            served = await self._served(address.token)
        except Unavailable as error:
            grant = address.grant
            if grant is None or grant.ends_at <= self._clock.now():
                raise
            log.warning("a picture is served as its address says: %s", error.message)
            return grant.snapshot
        if served is None or self._is_over(served.ended_at):
            # The message must not repeat the token.
            raise NotFound("picture", "", "there is no picture at this address, or no longer")
        return served.snapshot

    async def _served(self, token: str) -> ServedMedia | None:
        try:
            async with asyncio.timeout(DATABASE_PATIENCE), self._store.reading() as view:
                return await view.publications.served(token)
        except TimeoutError:
            raise Unavailable("the database does not answer") from None

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
