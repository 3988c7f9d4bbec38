import asyncio

import pytest

from libs.errors import Unavailable
from services.scheduler.usecases.publish_several import PublishSeveral, bundles


def test_bundles_keep_the_order() -> None:
    ids = [str(number) for number in range(17)]
    assert list(bundles(ids)) == [" ".join(ids[:8]), " ".join(ids[8:16]), "16"]
    assert list(bundles([])) == []


async def test_a_bundle_goes_out_side_by_side() -> None:
    all_here = asyncio.Barrier(3)

    async def publish(id: str) -> None:
        await all_here.wait()

    await asyncio.wait_for(PublishSeveral(publish)("a b c"), 60)


async def test_what_one_raises_keeps_no_other_back(caplog: pytest.LogCaptureFixture) -> None:
    published = []

    async def publish(id: str) -> None:
        if id in "bd":
            raise Unavailable(f"{id} is away")
        await asyncio.sleep(0)
        published.append(id)

    with pytest.raises(Unavailable, match="b is away"):
        await PublishSeveral(publish)("a b c d")
    assert published == ["a", "c"]
    assert "d is away" in caplog.text
