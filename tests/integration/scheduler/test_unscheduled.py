"""Which photos are left to schedule."""

import pytest
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb

from libs.errors import InvalidArgument, NotFound, Unavailable
from services.catalog.filters import photo_conditions, photo_order
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def page(world: World, **fields: object) -> pb.ListUnscheduledPhotosResponse:
    asked = {"parent": "personas/nora", **fields}
    return await world.stub.ListUnscheduledPhotos(pb.ListUnscheduledPhotosRequest(**asked))


async def listed(world: World, **fields: object) -> list[str]:
    """The names of all pages."""
    names, token = [], ""
    while True:
        answer = await page(world, page_token=token, **fields)
        names += [photo.name for photo in answer.photos]
        token = answer.next_page_token
        if not token:
            return names


async def test_a_photo_leaves_when_it_is_scheduled_and_returns_when_that_is_cancelled(
    world: World,
) -> None:
    await world.connect()
    photos = [world.catalog.add_photo() for _ in range(3)]
    assert await listed(world) == photos[::-1]
    post = await world.schedule(photos[1])
    # The catalog has not heard of it yet.
    assert world.catalog.photos[photos[1]].usage == Photo.USAGE_UNUSED
    assert await listed(world) == [photos[2], photos[0]]
    await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    assert await listed(world) == photos[::-1]


async def test_photos_come_as_the_catalog_describes_them(world: World) -> None:
    tea = world.catalog.add_photo(pillar="tea", alt_text="a cup")
    world.catalog.add_photo()
    archived = world.catalog.add_photo(pillar="tea")
    world.catalog.photos[archived].state = Photo.STATE_ARCHIVED
    used = world.catalog.add_photo(pillar="tea")
    world.catalog.photos[used].usage = Photo.USAGE_POSTED
    [photo] = (await page(world, pillar="personas/nora/pillars/tea")).photos
    assert photo == world.catalog.photos[tea]
    assert await listed(world, filter='state = "ARCHIVED"') == []


async def test_pages_are_filled_as_far_as_a_few_questions_to_the_catalog_reach(
    world: World,
) -> None:
    await world.connect()
    photos = [world.catalog.add_photo() for _ in range(20)]
    for photo in photos[:8]:
        await world.schedule(photo)
    world.catalog.listed.clear()
    first = await page(world, page_size=5, order_by="create_time")
    assert len(world.catalog.listed) <= 5
    assert len(first.photos) == 5
    assert await listed(world, page_size=3, order_by="create_time") == photos[8:]
    assert await listed(world, page_size=4) == photos[:7:-1]
    for photo in photos[8:]:
        await world.schedule(photo)
    world.catalog.listed.clear()
    short = await page(world, page_size=2)
    assert len(world.catalog.listed) == 5
    assert (len(short.photos), bool(short.next_page_token)) == (0, True)
    assert await listed(world, page_size=2) == []


async def test_what_cannot_be_listed_says_why(world: World) -> None:
    with pytest.raises(NotFound, match="persona"):
        await page(world, parent="personas/nobody")
    with pytest.raises(InvalidArgument, match="filter"):
        await page(world, filter='color = "red"')
    for _ in range(3):
        world.catalog.add_photo()
    token = (await page(world, page_size=1)).next_page_token
    with pytest.raises(InvalidArgument, match="another list"):
        await page(world, page_token=token, order_by="create_time")
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await page(world)


async def test_the_catalog_understands_what_it_is_asked(world: World) -> None:
    world.catalog.add_photo()
    await page(world, pillar="personas/nora/pillars/tea", order_by="quality desc")
    [request] = world.catalog.listed
    assert [c.field for c in photo_conditions(request.filter, "nora")] == [
        "usage",
        "state",
        "pillar",
    ]
    assert photo_order(request.order_by) == ("quality", True)
