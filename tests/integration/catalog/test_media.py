"""Bytes of photos: original, thumbnail, and the form for publishing; whole and in parts."""

import asyncio
import io
import uuid
from typing import Any

import numpy as np
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from PIL import ExifTags, Image

from libs.errors import InvalidArgument, NotFound
from tests.integration.catalog.library import Library
from tests.support.pictures import encoded, speckles, waves

ORIGINAL = pb.ReadPhotoMediaRequest.RENDITION_ORIGINAL
THUMBNAIL = pb.ReadPhotoMediaRequest.RENDITION_THUMBNAIL
PUBLISH = pb.ReadPhotoMediaRequest.RENDITION_PUBLISH


def located(width: int, height: int) -> bytes:
    """A sideways JPEG that tells where it was taken and by whom."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return encoded(waves(width, height), "JPEG", exif=exif, quality=92)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


async def test_original_is_byte_identical_in_small_chunks(lib: Library) -> None:
    persona, _ = await lib.place()
    data = encoded(speckles(700, 700), "PNG")
    assert len(data) > 1024 * 1024, "more than one read of the store"
    photo = await lib.photo(persona, data)
    info, stored, chunks = await lib.media(photo.name, ORIGINAL)
    assert stored == data
    assert max(chunks) == 256 * 1024
    assert (info.mime_type, info.size_bytes) == ("image/png", len(data))
    assert info.etag == photo.sha256
    assert info.create_time == photo.create_time


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (5, 0), (300_000, 600_000), (999, 1), (0, 0)]
)
async def test_ranges(lib: Library, offset: int, length: int) -> None:
    persona, _ = await lib.place()
    data = encoded(speckles(600, 600), "PNG")
    photo = await lib.photo(persona, data)
    info, part, _ = await lib.media(photo.name, ORIGINAL, offset, length)
    assert part == data[offset : offset + length if length else None]
    assert info.size_bytes == len(data)


async def test_range_at_and_beyond_the_end(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    size = photo.size_bytes
    assert (await lib.media(photo.name, ORIGINAL, size - 1, 100))[1] != b""
    assert (await lib.media(photo.name, ORIGINAL, size))[1] == b""
    with pytest.raises(InvalidArgument) as raised:
        await lib.media(photo.name, ORIGINAL, size + 1)
    assert raised.value.violations[0].field == "offset"


async def test_thumbnail_is_upright_small_and_bare(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona, located(1200, 800))
    info, data, _ = await lib.media(photo.name, THUMBNAIL)
    image = opened(data)
    # 341.3, rounded up: a picture at the edge of what a network takes must not leave it.
    assert (image.format, image.size, info.mime_type) == ("JPEG", (342, 512), "image/jpeg")
    assert not image.getexif()
    assert info.size_bytes == len(data)
    assert info.etag != photo.sha256


async def test_publishing_form_is_upright_bounded_and_bare(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona, located(2600, 1300))
    info, data, _ = await lib.media(photo.name, PUBLISH)
    image = opened(data)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (1024, 2048))
    assert not image.getexif()
    assert "icc_profile" not in image.info
    expected = waves(2600, 1300).transpose(Image.Transpose.ROTATE_270).resize((1024, 2048))
    difference = np.abs(np.asarray(image, float) - np.asarray(expected, float))
    assert difference.mean() < 4
    assert (info.mime_type, info.size_bytes) == ("image/jpeg", len(data))


async def test_publishing_form_is_made_once(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    answers = await asyncio.gather(*(lib.media(photo.name, PUBLISH) for _ in range(4)))
    assert len({(info.etag, data) for info, data, _ in answers}) == 1
    (key,) = [key async for key in lib.blobs.list("publish")]
    await lib.blobs.put(key, b"kept")
    assert (await lib.media(photo.name, PUBLISH))[1] == b"kept"


async def test_small_pictures_are_not_enlarged(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona, encoded(waves(30, 20), "PNG"))
    for rendition in (THUMBNAIL, PUBLISH):
        assert opened((await lib.media(photo.name, rendition))[1]).size == (30, 20)


async def test_unknown_photo_and_rendition(lib: Library) -> None:
    persona, _ = await lib.place()
    photo = await lib.photo(persona)
    calls: list[tuple[Any, type[Exception]]] = [
        (lib.media(f"{persona}/photos/{uuid.uuid4()}"), NotFound),
        (lib.media(photo.name, 17), InvalidArgument),
        (lib.media(photo.name, ORIGINAL, -1), InvalidArgument),
    ]
    for call, error in calls:
        with pytest.raises(error):
            await call
