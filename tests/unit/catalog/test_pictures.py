"""What an import learns of a picture: size, camera time, thumbnail, quality."""

import hashlib
import io
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFilter

from libs.errors import InvalidArgument, OutOfQuota
from libs.images import ImageLimits
from services.catalog.pictures import examine, moment_of, taken_time
from services.catalog.quality import exposure, measures_of, sharpness
from services.catalog.spool import Spool
from tests.support.pictures import checkers, encoded, speckles, waves

LISBON = ZoneInfo("Europe/Lisbon")
UTC_ZONE = ZoneInfo("UTC")


def measured(image: Image.Image) -> dict[str, float]:
    return {m.id: m.value for m in measures_of(image, image.width, image.height)}


def test_examined_picture_and_thumbnail() -> None:
    data = encoded(waves(1000, 500), "PNG")
    examined = examine(io.BytesIO(data), "digest", UTC_ZONE, ImageLimits())
    picture = examined.picture
    assert (picture.sha256, picture.size_bytes) == ("digest", len(data))
    assert (picture.mime_type, picture.width, picture.height) == ("image/png", 1000, 500)
    assert picture.thumbnail_sha256 == hashlib.sha256(examined.thumbnail).hexdigest()
    with Image.open(io.BytesIO(examined.thumbnail)) as thumbnail:
        assert thumbnail.size == (512, 256)


def test_same_bytes_give_the_same_thumbnail() -> None:
    data = encoded(waves(700, 500), "JPEG")
    one, other = (examine(io.BytesIO(data), "d", UTC_ZONE, ImageLimits()) for _ in range(2))
    assert one == other


def test_blur_costs_sharpness() -> None:
    sharp = checkers(512, 384)
    soft = sharp.filter(ImageFilter.GaussianBlur(3))
    blurred = sharp.filter(ImageFilter.GaussianBlur(8))
    values = [measured(image)["sharpness"] for image in (sharp, soft, blurred)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.5 > values[2]


def test_sharpness_by_hand() -> None:
    grey = np.zeros((4, 4), np.float32)
    grey[1, 1] = 10
    # The Laplacian of the four inner pixels is -40, 10, 10, 0: variance 425 + 25 = 450 - 25.
    variance = np.var([-40.0, 10.0, 10.0, 0.0])
    assert sharpness(grey) == pytest.approx(variance / (variance + 100), abs=1e-4)
    assert sharpness(np.full((9, 9), 77, np.float32)) == 0.0


@pytest.mark.parametrize(
    ("pixels", "value"),
    [
        ([0, 0], 0.0),
        ([255, 255], 0.0),
        ([127, 128], 1.0),
        ([64, 64], 0.752),
        ([0, 128], 0.376),
    ],
)
def test_exposure_by_hand(pixels: list[int], value: float) -> None:
    assert exposure(np.array(pixels, np.uint8)) == pytest.approx(value, abs=2e-3)


def test_measures_are_finite_and_in_range() -> None:
    pictures = [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (1, 3000), "white"),
        Image.new("RGB", (50, 50), (128, 128, 128)),
        speckles(),
    ]
    for image in pictures:
        values = measured(image)
        assert values.keys() == {"sharpness", "exposure", "resolution"}
        assert all(0 <= value <= 1 for value in values.values())


def test_resolution_is_full_from_what_a_feed_shows() -> None:
    small = waves(64, 64)
    values = [
        measures_of(small, *size)[2].value for size in ((1080, 1350), (4000, 3000), (540, 675))
    ]
    assert values == [1.0, 1.0, 0.25]


@pytest.mark.parametrize(
    ("text", "offset", "moment"),
    [
        ("2024:01:31 08:00:00", "", datetime(2024, 1, 31, 8, tzinfo=UTC)),
        ("2024:07:31 08:00:00", "", datetime(2024, 7, 31, 7, tzinfo=UTC)),
        ("2024:07:31 08:00:00", "+09:00", datetime(2024, 7, 30, 23, tzinfo=UTC)),
        ("2024:07:31 08:00:00", "nine", None),
        ("2024-07-31 08:00:00", "", None),
        ("    :  :     :  :  ", "", None),
        ("2024:02:30 08:00:00", "", None),
        ("0001:01:01 00:00:00", "+14:00", None),
        ("", "", None),
    ],
)
def test_camera_times(text: str, offset: str, moment: datetime | None) -> None:
    assert moment_of(text, offset, LISBON) == moment


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_camera_time_is_found_in_every_format(format: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Somebody"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:01:31 08:00:00"
    data = encoded(waves(40, 30), format, exif=exif)
    assert taken_time(data, UTC_ZONE) == datetime(2024, 1, 31, 8, tzinfo=UTC)
    assert taken_time(encoded(waves(40, 30), format), UTC_ZONE) is None


def test_garbage_has_no_camera_time() -> None:
    assert taken_time(b"\xff\xd8\xff garbage", UTC_ZONE) is None


async def pieces_of(*pieces: bytes) -> Any:
    for piece in pieces:
        yield piece


async def test_spool_hashes_and_returns_what_it_took() -> None:
    data = encoded(speckles(200, 200), "PNG")
    with Spool(max_bytes=len(data), in_memory=1000) as spool:
        await spool.fill(pieces_of(data[:700], b"", data[700:]))
        assert (spool.size, spool.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert b"".join([piece async for piece in spool.pieces()]) == data
        assert b"".join([piece async for piece in spool.pieces()]) == data


async def test_spool_refuses_early() -> None:
    with Spool(max_bytes=1000, in_memory=100) as spool, pytest.raises(OutOfQuota):
        await spool.fill(pieces_of(b"x" * 500, b"x" * 501))
    with Spool(max_bytes=10_000, in_memory=100) as spool, pytest.raises(InvalidArgument) as raised:
        await spool.fill(pieces_of(b"<html>" * 100))
    assert raised.value.reason == "UNSUPPORTED_IMAGE"
