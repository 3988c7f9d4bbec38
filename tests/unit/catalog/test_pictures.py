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
from libs.image_quality import colourfulness, exposure, sharpness
from libs.images import ImageLimits
from services.catalog.domain.measures import MEASURED, MeasureState
from services.catalog.pictures import examine, measure, moment_of, taken_time
from services.catalog.quality import measures_of
from services.catalog.spool import PIECE, Spool
from tests.support.pictures import checkers, encoded, speckles, waves

LISBON = ZoneInfo("Europe/Lisbon")
UTC_ZONE = ZoneInfo("UTC")


def measured(image: Image.Image) -> dict[str, float]:
    found = measures_of(image, image.width, image.height)
    return {m.id: m.value for m in found if m.value is not None}


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


def test_colourfulness_by_hand() -> None:
    red, green = [200.0, 0.0, 0.0], [0.0, 200.0, 0.0]
    # Opponent colours: red - green is 200 and -200, the mean of both less blue is 100 twice.
    half = np.array([[red, green]], np.float32)
    assert colourfulness(half) == 1.0, "200 + 0.3 * 100 is more than anybody calls extreme"
    pale = np.array([[red, green]], np.float32) / np.float32(10)
    assert colourfulness(pale) == pytest.approx((20 + 0.3 * 10) / 109, abs=1e-4)
    one = np.array([[[10, 20, 30]] * 3] * 3, np.float32)
    assert colourfulness(one) == pytest.approx(0.3 * np.hypot(-10, -15) / 109, abs=1e-4)


def test_grey_pictures_have_no_colour() -> None:
    grey = waves().convert("L").convert("RGB")
    assert measured(grey)["colourfulness"] < 0.02 < measured(waves())["colourfulness"]


def test_a_measure_that_fails_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_grey: object) -> float:
        raise ZeroDivisionError("a picture that nobody thought of")

    monkeypatch.setattr("libs.image_quality.exposure", broken)
    found = {m.id: m for m in measures_of(checkers(), 300, 200)}
    failed = found.pop("exposure")
    assert (failed.state, failed.value) == (MeasureState.FAILED, None)
    assert failed.error_reason == "MEASURE_FAILED"
    assert failed.error_message == "ZeroDivisionError: a picture that nobody thought of"
    assert {m.state for m in found.values()} == {MeasureState.READY}
    assert examine(io.BytesIO(encoded(checkers())), "d", UTC_ZONE, ImageLimits()).picture.quality


def test_a_damaged_thumbnail_is_told() -> None:
    with pytest.raises(InvalidArgument) as raised:
        measure(encoded(checkers(), "JPEG")[:200], 300, 200, MEASURED)
    assert raised.value.reason == "DAMAGED_IMAGE"


def test_measures_are_finite_and_in_range() -> None:
    pictures = [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (1, 3000), "white"),
        Image.new("RGB", (50, 50), (128, 128, 128)),
        speckles(),
    ]
    for image in pictures:
        values = measured(image)
        assert tuple(values) == MEASURED
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
        assert spool.content() == spool.content() == data


async def test_a_large_spool_is_read_in_pieces() -> None:
    data = encoded(speckles(200, 200), "PNG") + bytes(PIECE)
    with Spool(max_bytes=len(data), in_memory=1000) as spool:
        await spool.fill(pieces_of(data))
        for _ in range(2):
            content = spool.content()
            assert not isinstance(content, bytes)
            pieces = [piece async for piece in content]
            assert b"".join(pieces) == data and len(pieces) == 2


async def test_spool_refuses_early() -> None:
    with Spool(max_bytes=1000, in_memory=100) as spool, pytest.raises(OutOfQuota):
        await spool.fill(pieces_of(b"x" * 500, b"x" * 501))
    with Spool(max_bytes=10_000, in_memory=100) as spool, pytest.raises(InvalidArgument) as raised:
        await spool.fill(pieces_of(b"<html>" * 100))
    assert raised.value.reason == "UNSUPPORTED_IMAGE"
