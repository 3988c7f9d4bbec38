"""Decoding what was uploaded, in a few threads."""

import io
from collections.abc import Collection
from datetime import UTC, datetime
from hashlib import sha256 as new_sha256
from typing import BinaryIO
from zoneinfo import ZoneInfo

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngImageFile

from libs.aio import BlockingPool
from libs.errors import InvalidArgument
from libs.image_formats import opener, sniff
from libs.images import ImageLimits, inspect, thumbnail_jpeg
from services.catalog.domain.measures import CAPTION, MEASURED, Measures, completed, to_repeat
from services.catalog.domain.photo import Picture
from services.catalog.ports import Examined
from services.catalog.quality import measures_of

THUMBNAIL_SIDE = 512
THUMBNAIL_QUALITY = 80
PUBLISH_SIDE = 2048
PUBLISH_QUALITY = 90

_EXIF_TIME = "%Y:%m:%d %H:%M:%S"
_EXIF_TIME_WITH_ZONE = "%Y:%m:%d %H:%M:%S%z"


class PooledPictures:
    """See ``ports.Pictures``. A file is in memory only while a thread of ``pool`` works on it.

    ``captions``: what new photos show is said later, by a model.
    """

    def __init__(self, pool: BlockingPool, limits: ImageLimits, *, captions: bool = False) -> None:
        self._pool = pool
        self._limits = limits
        self._later = (CAPTION,) if captions else ()

    async def examine(self, file: BinaryIO, sha256: str, zone: ZoneInfo) -> Examined:
        """See Pictures."""
        return await self._pool.run(examine, file, sha256, zone, self._limits, self._later)

    async def thumbnail(self, data: bytes) -> bytes:
        """See Pictures."""
        return await self._pool.run(
            thumbnail_jpeg, data, THUMBNAIL_SIDE, THUMBNAIL_QUALITY, self._limits
        )

    async def measure(
        self, thumbnail: bytes, picture: Picture, wanted: Collection[str]
    ) -> Measures:
        """See Pictures."""
        return await self._pool.run(measure, thumbnail, picture.width, picture.height, wanted)

    async def for_publishing(self, data: bytes) -> bytes:
        """See Pictures."""
        return await self._pool.run(
            thumbnail_jpeg, data, PUBLISH_SIDE, PUBLISH_QUALITY, self._limits
        )


def examine(
    file: BinaryIO,
    sha256: str,
    zone: ZoneInfo,
    limits: ImageLimits,
    later: Collection[str] = (),
) -> Examined:
    """Everything that an import needs of the picture in ``file``, but for measures of ``later``.

    Blocks.
    """
    file.seek(0)
    data = file.read()
    info = inspect(data, limits)
    thumbnail = thumbnail_jpeg(data, THUMBNAIL_SIDE, THUMBNAIL_QUALITY, limits)
    measured = completed(measure(thumbnail, info.width, info.height, MEASURED))
    picture = Picture(
        sha256=sha256,
        mime_type=info.mime,
        size_bytes=len(data),
        width=info.width,
        height=info.height,
        thumbnail_sha256=new_sha256(thumbnail).hexdigest(),
        taken_time=taken_time(data, zone),
        measures=to_repeat(measured, later) if later else measured,
    )
    return Examined(picture, thumbnail)


def measure(thumbnail: bytes, width: int, height: int, wanted: Collection[str]) -> Measures:
    """These measures of a picture of this upright size. Blocks."""
    try:
        with Image.open(io.BytesIO(thumbnail)) as small:
            small.draft("YCbCr", small.size)  # as it is measured, so that nothing is converted
            small.load()
            return measures_of(small, width, height, wanted)
    except (OSError, SyntaxError) as error:
        raise InvalidArgument.of(
            "thumbnail", f"cannot be decoded: {error}", reason="DAMAGED_IMAGE"
        ) from error


def taken_time(data: bytes, zone: ZoneInfo) -> datetime | None:
    """When the camera says the picture was taken; None if it does not, or not legibly.

    Most cameras write local time without a zone: it is taken as a time in ``zone``.
    """
    try:
        with opener(sniff(data))(io.BytesIO(data), "") as image:
            if isinstance(image, PngImageFile) and "exif" not in image.info:
                return None  # Pillow would decode all pixels to look for a chunk behind them
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
    except Exception:  # broken metadata must not cost the picture
        return None
    text = _text(exif.get(ExifTags.Base.DateTimeOriginal))
    return moment_of(text, _text(exif.get(ExifTags.Base.OffsetTimeOriginal)), zone)


def moment_of(text: str, offset: str, zone: ZoneInfo) -> datetime | None:
    """The moment of an EXIF time such as ``2024:05:31 18:00:00`` and an offset or none."""
    try:
        if offset:
            return datetime.strptime(text + offset, _EXIF_TIME_WITH_ZONE).astimezone(UTC)
        return datetime.strptime(text, _EXIF_TIME).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""
