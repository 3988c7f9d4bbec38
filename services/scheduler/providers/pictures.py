"""The bytes of pictures, for providers that want them sent."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from libs.errors import ColonnadeError
from libs.images import ImageLimits, inspect, thumbnail_jpeg
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import Image, NotSent

# Tried in turn, best first: the longer side in pixels, and the quality of the JPEG.
_STEPS: Final = ((2048, 85), (2000, 78), (1600, 80), (1600, 70), (1200, 75), (1000, 70), (800, 60))


class Blobs(Protocol):
    """The part of the blob store that is needed."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes. Raises ColonnadeError."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG without metadata, and its size in pixels."""

    width: int
    height: int
    data: bytes = field(repr=False)


class Pictures:
    """Reads the pictures of posts, as they were stored for publishing: upright, no metadata."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def read(self, image: Image) -> Picture:
        """The picture as it was stored. Raises ``NotSent``."""
        try:
            data = b"".join([chunk async for chunk in self._blobs.stream(image.key)])
        except ColonnadeError as error:
            raise NotSent(FailureKind.NOT_SENT, f"the picture: {error.message}") from None
        return Picture(image.width, image.height, data)

    async def within(self, image: Image, max_bytes: int) -> Picture:
        """The picture, made smaller until it has ``max_bytes``: each time the same bytes.

        Raises ``NotSent`` (PERMANENT) if that would leave nothing to be seen.
        """
        picture = await self.read(image)
        return await asyncio.to_thread(_shrunk, picture, max_bytes)


def _shrunk(picture: Picture, max_bytes: int) -> Picture:
    if len(picture.data) <= max_bytes:
        return picture
    limits = ImageLimits()
    for max_side, quality in _STEPS:
        data = thumbnail_jpeg(picture.data, max_side, quality, limits)
        if len(data) <= max_bytes:
            size = inspect(data, limits)
            return Picture(size.width, size.height, data)
    text = f"the picture does not fit into {max_bytes} bytes, however small it is made"
    raise NotSent(FailureKind.PERMANENT, text)
