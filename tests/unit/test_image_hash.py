"""The perceptual hash: copies, orientations, borders, and pictures that say too little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from libs.image_hash import BITS, BYTES, content_box, distance, hash_of, turned
from libs.images import ImageLimits, open_upright
from tests.support.scenes import jpeg, scene

# By EXIF value: what has to be done to a picture that is stored with it.
_TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FEW = 8
_FAR = 36


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS[orientation]
    return image if turn is None else image.transpose(turn)


def _bits(image: Image.Image) -> bytes:
    found = hash_of(image)
    assert found is not None
    return found


@given(seed=st.integers(0, 10_000), orientation=st.integers(1, 8))
@settings(max_examples=40, derandomize=True)
def test_the_hash_of_a_turned_picture_follows_from_that_of_the_picture(
    seed: int, orientation: int
) -> None:
    image = scene(seed, (96, 96))
    expected = turned(_bits(image))[orientation - 1]
    found = _bits(_turned(image, orientation))
    # Rounding of single grey levels may turn over a frequency that is next to nothing.
    assert (int.from_bytes(expected) ^ int.from_bytes(found)).bit_count() <= _FEW


@given(seed=st.integers(0, 10_000), orientation=st.integers(1, 8))
@settings(max_examples=40, derandomize=True)
def test_the_orientation_that_makes_two_pictures_alike_is_found(
    seed: int, orientation: int
) -> None:
    image = scene(seed, (96, 96))
    stored = _turned(image, orientation)
    bits, found = distance(_bits(image), _bits(stored))
    assert bits <= _FEW
    # Turned as that EXIF value says, it looks like the picture again.
    again, _ = distance(_bits(image), _bits(_turned(stored, found)))
    assert again <= _FEW
    upright = int.from_bytes(_bits(_turned(stored, found))) ^ int.from_bytes(_bits(image))
    assert upright.bit_count() <= _FEW


@given(bits=st.binary(min_size=BYTES, max_size=BYTES))
def test_eight_orientations_are_a_group(bits: bytes) -> None:
    every = turned(bits)
    assert every[0] == _without_mean(bits)
    for each in every:
        assert {*turned(each)} == {*every}
    for orientation in (2, 3, 4, 5, 7):
        assert turned(every[orientation - 1])[orientation - 1] == every[0]
    assert turned(every[5])[7] == every[0]


def _without_mean(bits: bytes) -> bytes:
    return bits  # the mean has no odd frequency, so that its bit stays wherever it is turned


@given(
    one=st.binary(min_size=BYTES, max_size=BYTES), other=st.binary(min_size=BYTES, max_size=BYTES)
)
def test_the_distance_is_the_same_from_both_sides(one: bytes, other: bytes) -> None:
    assert distance(one, other)[0] == distance(other, one)[0] <= BITS
    assert distance(one, one) == (0, 1)


@pytest.mark.parametrize("seed", range(5))
def test_copies_are_near(seed: int) -> None:
    image = scene(seed, (640, 480))
    bits = _bits(image)
    small = image.resize((160, 120), Image.Resampling.BICUBIC)
    for copy in (small, _reread(image, 30), _reread(small, 40), ImageOps.grayscale(image)):
        assert distance(bits, _bits(copy))[0] <= _FEW


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("colour", ["white", "black", "#336699"])
def test_a_border_changes_little(seed: int, colour: str) -> None:
    image = scene(seed, (640, 480))
    bordered = ImageOps.expand(image, (40, 64), colour)
    assert distance(_bits(image), _bits(_reread(bordered, 85)))[0] <= _FAR


def test_other_pictures_are_far() -> None:
    every = [_bits(scene(seed, (320, 240))) for seed in range(40)]
    apart = [distance(a, b)[0] for n, a in enumerate(every) for b in every[:n]]
    assert min(apart) > _FAR


def test_pictures_with_too_little_detail_have_no_hash() -> None:
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (256, 1)))
    flat = Image.new("RGB", (300, 200), "#c81e1e")
    dot = flat.copy()
    dot.paste("white", (150, 100, 153, 103))
    for image in (ramp, flat, dot, Image.new("L", (1, 1)), Image.new("RGB", (1, 3000), "blue")):
        assert hash_of(image) is None


def test_a_picture_that_is_all_border_is_left_whole() -> None:
    assert content_box(Image.new("RGB", (300, 200), "red")) == (0.0, 0.0, 300.0, 200.0)


def test_a_border_is_not_part_of_the_content() -> None:
    image = ImageOps.expand(scene(3, (400, 400)), 100, "white")
    left, top, right, bottom = content_box(image)
    for found, expected in ((left, 100), (top, 100), (right, 500), (bottom, 500)):
        assert abs(found - expected) <= 10


def _reread(image: Image.Image, quality: int) -> Image.Image:
    return open_upright(jpeg(image, quality), ImageLimits())
