import io

import pytest
from PIL import Image as Pillow

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import Image, NotSent
from services.scheduler.providers.pictures import Pictures
from tests.support.pictures import encoded, speckles
from tests.support.scheduler_fakes import MemoryBlobs

IMAGE = Image("", "a cup", "image/jpeg", 0, 1200, 1200, "k")


@pytest.fixture
def pictures() -> Pictures:
    blobs = MemoryBlobs()
    blobs.kept["k"] = encoded(speckles(1200, 1200), "JPEG", quality=95)
    return Pictures(blobs)


async def test_a_picture_that_fits_goes_as_it_is(pictures: Pictures) -> None:
    stored = await pictures.read(IMAGE)
    assert await pictures.within(IMAGE, len(stored.data)) == stored


async def test_a_heavy_one_is_made_smaller_and_the_same_each_time(pictures: Pictures) -> None:
    limit = len((await pictures.read(IMAGE)).data) // 3
    first, second = await pictures.within(IMAGE, limit), await pictures.within(IMAGE, limit)
    assert first == second
    assert len(first.data) <= limit
    with Pillow.open(io.BytesIO(first.data)) as made:
        assert made.size == (first.width, first.height)
        assert "exif" not in made.info


async def test_what_cannot_be_made_small_enough_is_refused(pictures: Pictures) -> None:
    with pytest.raises(NotSent, match="however small") as caught:
        await pictures.within(IMAGE, 100)
    assert caught.value.kind is FailureKind.PERMANENT
