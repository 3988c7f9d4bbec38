"""Laying one picture over another."""

import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from libs.image_match import Match, match
from tests.support.scenes import scene

_SAME = 0.97


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return scene(1, (512, 384))


def test_a_picture_is_all_of_itself(picture: Image.Image) -> None:
    found = match(picture, picture, 1)
    assert found.structure > 0.999
    assert found.agreement == 1.0
    assert found.overlap > 0.99
    assert found.colour < 0.01


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.4])
def test_a_part_is_found_in_the_whole_and_told_by_its_share(
    picture: Image.Image, share: float
) -> None:
    width, height = picture.size
    left, top = 0.7 * share * width, 0.2 * share * height
    box = (left, top, left + (1 - share) * width, top + (1 - share) * height)
    part = picture.crop(tuple(round(side) for side in box))  # type: ignore[arg-type]
    for found in (match(picture, part, 1), match(part, picture, 1)):
        assert found.structure > _SAME
        assert found.overlap == pytest.approx((1 - share) ** 2, abs=0.04)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_the_second_is_turned_as_exif_says(
    picture: Image.Image, orientation: int, turn: Image.Transpose
) -> None:
    assert match(picture, picture.transpose(turn), orientation).structure > _SAME
    assert match(picture, picture.transpose(turn), 1).structure < 0.5


def test_a_border_is_left_aside(picture: Image.Image) -> None:
    found = match(picture, ImageOps.expand(picture, 48, "white"), 1)
    assert found.structure > _SAME
    assert found.overlap > 0.9


def test_light_does_not_count_as_colour(picture: Image.Image) -> None:
    bright = ImageEnhance.Brightness(picture).enhance(1.15)
    found, grey = (
        match(picture, bright, 1),
        match(picture, ImageOps.grayscale(picture).convert("RGB"), 1),
    )
    assert found.structure > _SAME
    assert found.colour < 0.3 < 0.6 < grey.colour


def test_writing_shows_where_it_is(picture: Image.Image) -> None:
    written = picture.copy()
    ImageDraw.Draw(written).rectangle((0, 280, 512, 350), fill="#808080")
    found = match(picture, written, 1)
    assert 0.5 < found.agreement < 0.9
    assert found.structure < _SAME


@pytest.mark.parametrize("seed", range(2, 8))
def test_other_pictures_have_little_in_common(picture: Image.Image, seed: int) -> None:
    found = match(picture, scene(seed, (384, 512)), 1)
    assert found.structure < 0.5
    assert found.agreement < 0.3


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 2), (7, 5)])
def test_odd_sizes_are_compared_too(picture: Image.Image, size: tuple[int, int]) -> None:
    odd = Image.new("RGB", size, "red")
    for found in (match(picture, odd, 1), match(odd, picture, 6), match(odd, odd, 1)):
        assert isinstance(found, Match)
        assert -1.0 <= found.structure <= 1.0
        assert 0.0 <= found.overlap <= 1.0
