"""The bytes of photos and of candidates."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from libs.blobs.store import BlobStore
from libs.errors import InvalidArgument, NotFound
from services.catalog.domain.blobs import (
    JPEG,
    Rendition,
    original_key,
    publish_key,
    thumbnail_key,
)
from services.catalog.domain.names import CandidateKey, Key
from services.catalog.domain.photo import Picture
from services.catalog.ports import Catalog, Pictures

MAX_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Media:
    """One rendition of a picture: what there is in all, and the bytes that were asked for."""

    mime_type: str
    size_bytes: int
    etag: str
    create_time: datetime
    chunks: AsyncIterator[bytes]


class MediaCases:
    """Reads the bytes of photos and of candidates."""

    def __init__(self, catalog: Catalog, blobs: BlobStore, pictures: Pictures) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._pictures = pictures

    async def read(self, key: Key, rendition: Rendition, offset: int, length: int) -> Media:
        """The bytes from ``offset``, ``length`` of them, 0 for all that follow.

        Raises NotFound, InvalidArgument for an offset beyond the end.
        """
        async with self._catalog.reading() as catalog:
            photo = await catalog.photos.get(key)
        return await self._media(photo.picture, photo.create_time, rendition, offset, length)

    async def read_candidate(
        self, key: CandidateKey, rendition: Rendition, offset: int, length: int
    ) -> Media:
        """The same of a candidate."""
        async with self._catalog.reading() as catalog:
            candidate = await catalog.candidates.get(key)
        return await self._media(
            candidate.picture, candidate.create_time, rendition, offset, length
        )

    async def _media(
        self,
        picture: Picture,
        create_time: datetime,
        rendition: Rendition,
        offset: int,
        length: int,
    ) -> Media:
        blob, size = await self._blob(picture, rendition)
        if offset > size:
            raise InvalidArgument.of("offset", f"there are {size} bytes; start before their end")
        return Media(
            mime_type=picture.mime_type if rendition is Rendition.ORIGINAL else JPEG,
            size_bytes=size,
            etag=_etag(picture, rendition),
            create_time=create_time,
            chunks=_small(self._blobs.stream(blob, offset, length or None)),
        )

    async def _blob(self, picture: Picture, rendition: Rendition) -> tuple[str, int]:
        """Where a rendition is, and how many bytes it has."""
        if rendition is Rendition.ORIGINAL:
            return original_key(picture), picture.size_bytes
        if rendition is Rendition.THUMBNAIL:
            key = thumbnail_key(picture)
            return key, await self._blobs.head(key)
        return await self._published(picture)

    async def _published(self, picture: Picture) -> tuple[str, int]:
        """Where the form for publishing is; made when it is asked for the first time."""
        key = publish_key(picture)
        try:
            return key, await self._blobs.head(key)
        except NotFound:
            original = await self._blobs.get(original_key(picture))
        data = await self._pictures.for_publishing(original)
        await self._blobs.put(key, data)
        return key, len(data)


def _etag(picture: Picture, rendition: Rendition) -> str:
    match rendition:
        case Rendition.ORIGINAL:
            return picture.sha256
        case Rendition.THUMBNAIL:
            return picture.thumbnail_sha256
        case Rendition.PUBLISH:
            return f"{picture.sha256}-publish"


async def _small(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at most 256 KiB."""
    async for piece in pieces:
        for start in range(0, len(piece), MAX_CHUNK):
            yield piece[start : start + MAX_CHUNK]
