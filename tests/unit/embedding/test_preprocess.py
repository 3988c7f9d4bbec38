"""From files to tensors: geometry, normalisation, and odd files."""

import csv
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from libs.errors import ColonnadeError
from libs.images import ImageLimits
from services.embedding.card import Preprocessing
from services.embedding.preprocess import tensor_of
from tests.support.pictures import checkers, encoded, meadow, waves
from tests.support.reference_pixels import cropped, letterboxed, resized
from tests.support.shared import SHARED, needs_shared

LIMITS = ImageLimits()
IDENTITY = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def rules(**changes: Any) -> Preprocessing:
    values: dict[str, Any] = {
        "size": (32, 24),
        "mode": "stretch",
        "filter": "bicubic",
        "short_side": 24,
        "mean": IDENTITY[0],
        "std": IDENTITY[1],
    }
    return Preprocessing(**{**values, **changes})


def test_channels_come_first_and_are_normalised_one_by_one() -> None:
    data = encoded(Image.new("RGB", (50, 40), (10, 20, 30)))
    tensor = tensor_of(data, rules(mean=(10.0, 10.0, 10.0), std=(1.0, 2.0, 4.0)), LIMITS)
    assert tensor.shape == (3, 24, 32)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert [float(plane.max()) for plane in tensor] == [0.0, 5.0, 5.0]
    assert float(np.ptp(tensor, axis=(1, 2)).max()) == 0.0


@pytest.mark.parametrize("mode", ["stretch", "centre_crop", "pad"])
def test_the_numbers_are_those_of_the_formula_to_the_last_bit(mode: str) -> None:
    data = encoded(meadow(320, 240), "PNG")
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    plain = tensor_of(data, rules(mode=mode), LIMITS)
    tensor = tensor_of(data, rules(mode=mode, mean=mean, std=std), LIMITS)
    asked = (plain.transpose(1, 2, 0) - np.float32(mean)) / np.float32(std)
    # What is not picture is filled before the mean is taken off, so it follows the formula too.
    assert np.array_equal(tensor, asked.transpose(2, 0, 1))


def test_stretching_uses_the_whole_picture() -> None:
    image = Image.new("RGB", (320, 60), "black")
    image.paste("white", (0, 0, 160, 60))
    tensor = tensor_of(encoded(image), rules(), LIMITS)
    assert tensor[0, :, :14].min() > 250
    assert tensor[0, :, 18:].max() < 5


def test_the_centre_crop_cuts_the_middle_at_the_scale_of_the_short_side() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (124, 24, 176, 76))
    crop = rules(mode="centre_crop", size=(50, 50), short_side=100)
    tensor = tensor_of(encoded(image), crop, LIMITS)
    assert tensor.shape == (3, 50, 50)
    assert tensor.min() > 250
    wider = rules(mode="centre_crop", size=(50, 50), short_side=50)
    bright = tensor_of(encoded(image), wider, LIMITS)[0] > 128
    assert (bright.sum(), bool(bright[25, 25])) == (26 * 26, True)


def test_padding_keeps_the_ratio_and_centres_the_picture_on_the_fill() -> None:
    data = encoded(Image.new("RGB", (320, 120), "white"))
    padded = rules(mode="pad", fill=(10.0, 20.0, 30.0), mean=(10.0, 0.0, 0.0))
    tensor = tensor_of(data, padded, LIMITS)
    assert tensor.shape == (3, 24, 32)
    assert np.array_equal(tensor[:, 6:18].min(axis=(1, 2)), [245, 255, 255])
    for border in (tensor[:, :6], tensor[:, 18:]):
        assert np.array_equal(border.min(axis=(1, 2)), [0, 20, 30])
        assert np.array_equal(border.max(axis=(1, 2)), [0, 20, 30])


def test_padding_leaves_a_line_of_the_narrowest_picture() -> None:
    data = encoded(Image.new("RGB", (1, 3000), "white"))
    tensor = tensor_of(data, rules(mode="pad"), LIMITS)
    assert np.array_equal(np.flatnonzero(tensor[0].max(axis=0)), [15])


@pytest.mark.parametrize("filter", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(("width", "height"), [(320, 240), (211, 401), (40, 30), (597, 503)])
def test_pixels_are_those_of_the_reference(filter: str, width: int, height: int) -> None:
    data, pixels = (part(meadow(width, height)) for part in (encoded, np.asarray))
    stretched = tensor_of(data, rules(filter=filter), LIMITS)
    padded = tensor_of(data, rules(filter=filter, mode="pad", fill=(9.0, 9.0, 9.0)), LIMITS)
    expected = {
        "stretch": (stretched, resized(pixels, (32, 24), filter)),
        "pad": (padded, letterboxed(pixels, (32, 24), filter, (9.0, 9.0, 9.0))),
    }
    for mode, (tensor, reference) in expected.items():
        assert np.abs(tensor - reference.transpose(2, 0, 1)).mean() < 1.0, mode


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_shrinking_at_load_shifts_nothing(format: str, orientation: int) -> None:
    # Sides that no factor divides: a pixel more at one end would move all others by parts of one.
    stored = meadow(607, 501) if orientation < 5 else meadow(501, 607)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    tensor = tensor_of(encoded(stored, format, exif=exif, **options), rules(), LIMITS)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(stored, exif=exif))))
    reference = resized(np.asarray(upright), (32, 24), "bicubic").transpose(2, 0, 1)
    assert np.abs(tensor - reference).mean() < 1.0


@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
def test_the_crop_is_that_of_the_reference_but_for_parts_of_a_pixel(filter: str) -> None:
    crop = rules(mode="centre_crop", size=(64, 64), short_side=72, filter=filter)
    tensor = tensor_of(encoded(meadow()), crop, LIMITS)
    reference = cropped(np.asarray(meadow()), (64, 64), 72, filter).transpose(2, 0, 1)
    shifted = np.abs(tensor[:, :, 1:] - reference[:, :, :-1]).mean()
    assert np.abs(tensor - reference).mean() < min(4.0, shifted / 2)


@pytest.mark.parametrize("mode", ["stretch", "centre_crop"])
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (6000, 20), (33, 24)])
def test_extreme_pictures_have_finite_tensors(mode: str, size: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", size, (200, 100, 50)))
    tensor = tensor_of(data, rules(mode=mode), LIMITS)
    assert np.array_equal(tensor[:, 3, 3], [200, 100, 50])
    assert float(np.ptp(tensor, axis=(1, 2)).max()) == 0.0


def test_the_filter_matters_and_is_antialiased() -> None:
    data = encoded(checkers(960, 720, cell=4))
    results = {name: tensor_of(data, rules(filter=name), LIMITS) for name in ("bicubic", "lanczos")}
    assert not np.array_equal(results["bicubic"], results["lanczos"])
    corner = results["bicubic"][:, :4, :4]
    assert np.abs(corner - np.array([120, 95, 130])[:, None, None]).max() < 12


def test_formats_and_orientations_of_one_picture_agree() -> None:
    image = waves(640, 480)
    reference = tensor_of(encoded(image), rules(), LIMITS)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = image.transpose(Image.Transpose.ROTATE_90)
    for data in (
        encoded(image, "JPEG", quality=95),
        encoded(image, "WEBP", quality=95),
        encoded(sideways, "JPEG", quality=95, exif=exif),
        encoded(image.convert("RGBA"), "PNG"),
        encoded(image, "TIFF"),
    ):
        assert np.abs(tensor_of(data, rules(), LIMITS) - reference).mean() < 3.0


@needs_shared
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_awkward_files_are_finite_or_refused_by_name() -> None:
    refused = []
    with (SHARED / "photos/awkward/expected.csv").open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            try:
                tensor = tensor_of((SHARED / "photos" / row["file"]).read_bytes(), rules(), LIMITS)
            except ColonnadeError as error:
                refused.append((row["file"], error.reason))
            else:
                assert np.isfinite(tensor).all(), row["file"]
    assert {reason for _, reason in refused} == {
        "DAMAGED_IMAGE",
        "IMAGE_TOO_LARGE",
        "UNSUPPORTED_IMAGE",
    }
    assert len(refused) == 10
