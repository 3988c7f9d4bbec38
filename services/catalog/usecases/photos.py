"""Photos that are in the library: read, change, move, delete."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from libs.clock import Clock
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import PHOTO, Key, no_photo, photo_key
from services.catalog.domain.photo import (
    Photo,
    TagCount,
    archived,
    check_rights,
    check_unneeded,
    filed,
    unarchived,
    without_repeats,
)
from services.catalog.domain.texts import check_etag
from services.catalog.ports import Catalog, Changing, Listing
from services.catalog.usecases.requests import answered, finish, touched


class PhotoCases:
    """What can be done with photos. How they come in is told in ``uploads``."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def get(self, key: Key) -> Photo:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.photos.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[Photo]:
        """One page. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.photos.page(persona, listing)

    async def tags(self, persona: str, prefix: str, page: PageRequest) -> Page[TagCount]:
        """One page of the tags that begin with ``prefix``. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.photos.tags(persona, prefix, page)

    async def update(
        self, key: Key, change: Callable[[Photo], Photo], etag: str, request: RequestKey
    ) -> Photo:
        """Applies ``change``. Raises NotFound, InvalidArgument, Conflict."""

        def checked(before: Photo) -> Photo:
            after = change(before)
            check_rights(after.rights)
            return replace(after, tags=without_repeats(after.tags))

        return await self._change(key, checked, etag, request)

    async def move(self, key: Key, pillar: str, request: RequestKey) -> Photo:
        """Files the photo under a pillar of its persona, which settles its filing.

        Raises NotFound.
        """
        return await self._change(key, partial(filed, pillar=pillar), "", request)

    async def archive(self, key: Key, etag: str, request: RequestKey) -> Photo:
        """Puts the photo away; doing it again changes nothing.

        Raises NotFound, Conflict, FailedPrecondition (PHOTO_IN_USE).
        """
        return await self._change(key, archived, etag, request)

    async def unarchive(self, key: Key, etag: str, request: RequestKey) -> Photo:
        """Takes the photo into use again. Raises NotFound, Conflict."""
        return await self._change(key, unarchived, etag, request)

    async def delete(self, key: Key, etag: str, request: RequestKey) -> None:
        """Removes the photo; its bytes are left to the sweep.

        Raises NotFound, Conflict, FailedPrecondition (PHOTO_IN_USE).
        """
        async with self._catalog.changing() as tx:
            if await answered(tx, request) is not None:
                return
            photo = await _locked(tx, key)
            check_etag(etag, photo.version)
            check_unneeded(photo)
            await tx.photos.delete(key)
            tx.photo_events.deleted(photo)
            await finish(tx, request, PHOTO.format(*key))

    async def _change(
        self, key: Key, change: Callable[[Photo], Photo], etag: str, request: RequestKey
    ) -> Photo:
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.photos.get(photo_key(known))
            before = await _locked(tx, key)
            check_etag(etag, before.version)
            after = await self._saved(tx, before, change(before))
            await finish(tx, request, after.name)
        return after

    async def _saved(self, tx: Changing, before: Photo, after: Photo) -> Photo:
        """``after``, kept and told to the world if it differs from ``before``."""
        if after == before:
            return after
        pillar = await tx.pillars.get(Key(after.persona, after.pillar))
        after = touched(after, self._clock.now())
        await tx.photos.save(after)
        tx.photo_events.updated(after, pillar)
        return after


async def _locked(tx: Changing, key: Key) -> Photo:
    photo = await tx.photos.locked(key)
    if photo is None:
        raise no_photo(*key)
    return photo
