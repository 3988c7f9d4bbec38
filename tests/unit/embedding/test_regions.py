"""Parts of pictures: widening, nesting, cutting."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.embedding.regions import WHOLE, Region, crop_jpeg, shrunk

SHARES = st.floats(0.0, 1.0)
REGIONS = st.builds(
    lambda a, b, c, d: Region(min(a, b), min(c, d), max(a, b), max(c, d)),
    SHARES, SHARES, SHARES, SHARES,
).filter(lambda region: region.left < region.right and region.top < region.bottom)  # fmt: skip


def test_context_is_a_quarter_on_each_side_and_ends_at_the_picture() -> None:
    wide = Region(0.4, 0.4, 0.6, 0.8).widened()
    assert sides(wide) == pytest.approx((0.35, 0.3, 0.65, 0.9))
    assert sides(Region(0.1, 0.0, 0.9, 0.5).widened()) == (0.0, 0.0, 1.0, 0.625)


def test_a_region_of_a_region_lies_in_it() -> None:
    inner = Region(0.5, 0.0, 1.0, 0.5).inside(Region(0.2, 0.4, 0.4, 0.8))
    assert sides(inner) == pytest.approx((0.3, 0.4, 0.4, 0.6))


@given(REGIONS, st.integers(1, 50), st.integers(1, 50))
def test_a_cut_is_never_empty_and_never_leaves_the_picture(
    region: Region, width: int, height: int
) -> None:
    cut = region.cut(Image.new("RGB", (width, height)))
    assert 1 <= cut.width <= width
    assert 1 <= cut.height <= height
    wide = region.widened()
    assert 0 <= wide.left <= region.left < region.right <= wide.right <= 1
    assert 0 <= wide.top <= region.top < region.bottom <= wide.bottom <= 1


def test_a_cut_shows_what_is_there() -> None:
    image = Image.new("RGB", (100, 100), "black")
    image.paste("white", (50, 20, 100, 40))
    cut = Region(0.5, 0.2, 1.0, 0.4).cut(image)
    assert cut.size == (50, 20)
    assert cut.getextrema() == ((255, 255),) * 3


def test_crops_are_small_jpegs() -> None:
    image = Image.new("RGB", (3000, 1500), "white")
    crop = Image.open(io.BytesIO(crop_jpeg(image, Region(0.0, 0.0, 0.5, 0.5))))
    assert (crop.format, crop.size) == ("JPEG", (512, 256))
    assert shrunk(image, 4000) is image


def test_regions_have_keys_of_their_own() -> None:
    assert WHOLE.key == ()
    assert Region(0.1, 0.1, 0.2, 0.2).key != Region(0.1, 0.1, 0.2, 0.2).widened().key


def sides(region: Region) -> tuple[float, float, float, float]:
    return region.left, region.top, region.right, region.bottom
