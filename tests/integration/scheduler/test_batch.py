"""Many photos at once, each at a time of its own."""

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import BatchPost, Post, PostResult
from colonnade.type.v1.time_window_pb2 import WEEKDAY_TUESDAY, TimeWindow

from libs.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    Unavailable,
)
from libs.rpc.status import from_status
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

LISBON = ZoneInfo("Europe/Lisbon")


def set_cadence(world: World, **cadence: Any) -> None:
    persona = Persona(name="personas/nora", time_zone="Europe/Lisbon", state=Persona.STATE_ACTIVE)
    for field in ("windows", "blackout_dates"):
        getattr(persona.cadence, field).extend(cadence.pop(field, ()))
    for field, value in cadence.items():
        setattr(persona.cadence, field, value)
    world.catalog.personas[persona.name] = persona


async def plan(world: World, *photos: str, **fields: Any) -> list[PostResult]:
    start, spacing = fields.pop("start", None), fields.pop("spacing", None)
    request = pb.BatchCreatePostsRequest(
        parent=fields.pop("parent", "personas/nora"),
        posts=fields.pop("posts", [BatchPost(photo=photo) for photo in photos]),
        **fields,
    )
    if start is not None:
        request.start_time.FromDatetime(start)
    if spacing is not None:
        request.spacing.FromTimedelta(spacing)
    return list((await world.stub.BatchCreatePosts(request)).results)


def times(results: list[PostResult]) -> list[datetime]:
    assert all(result.status.code == 0 for result in results)
    return [result.post.scheduled_time.ToDatetime(UTC) for result in results]


async def test_thirty_photos_get_thirty_slots_that_keep_the_cadence(world: World) -> None:
    await world.connect()
    set_cadence(world, posts_per_week=5, min_gap_hours=20)
    photos = [world.catalog.add_photo() for _ in range(30)]
    # The clocks of Lisbon change within the next sixty days.
    start = datetime.combine(next_change(world.now().date()), datetime.min.time(), UTC)
    results = await plan(world, *photos, start=start - timedelta(days=20), caption="Light")
    found = times(results)
    assert [result.photo for result in results] == photos
    assert len(set(found)) == 30
    assert all(b - a >= timedelta(hours=20) for a, b in pairwise(found))
    for at in found:
        local = at.astimezone(LISBON)
        assert 5 <= local.hour < 8 or 10 <= local.hour < 15
    assert found[0] < start < found[-1]
    post = results[0].post
    assert (post.state, post.strategy, post.caption) == (Post.STATE_SCHEDULED, "cadence", "Light")
    assert post.slot_reason.endswith("Europe/Lisbon")
    assert len(post.publications) == 1
    assert [task for task, _ in world.queue.waiting] == ["scheduler.prepare"] * 30


def next_change(day: date) -> date:
    """The next day after 30 days from ``day`` on which Lisbon changes its clocks."""
    day += timedelta(days=30)
    while len({offset(day), offset(day + timedelta(days=1))}) == 1:
        day += timedelta(days=1)
    return day


def offset(day: date) -> timedelta | None:
    return datetime.combine(day, datetime.min.time(), LISBON).utcoffset()


async def test_each_photo_has_a_result_of_its_own_and_a_failed_one_takes_no_slot(
    world: World,
) -> None:
    await world.connect()
    set_cadence(world)
    good = [world.catalog.add_photo() for _ in range(3)]
    taken, tall = world.catalog.add_photo(), world.catalog.add_photo(width=48, height=96)
    held = world.catalog.add_photo()
    world.catalog.photos[held].rights.held = True
    world.catalog.add_persona("otto")
    foreign = world.catalog.add_photo("otto")
    gone = f"personas/nora/photos/{uuid.uuid4()}"
    existing = await world.schedule(taken, after=200 * 86400)
    mixed = [good[0], taken, tall, gone, foreign, held, good[1], good[0], good[2]]
    results = await plan(world, *mixed)
    errors = [from_status(r.status) if r.status.code else None for r in results]
    kinds = [None, AlreadyExists, FailedPrecondition, NotFound, NotFound, FailedPrecondition]
    kinds += [None, AlreadyExists, None]
    assert [type(error) if error else None for error in errors] == kinds
    reasons = [error.reason if error else "" for error in errors]
    assert reasons[1:3] == ["PHOTO_ALREADY_SCHEDULED", "PHOTO_RATIO"]
    assert reasons[5] == "RIGHTS"
    assert errors[1] is not None
    assert errors[1].metadata["existing_post"] == existing.name
    assert errors[7] is not None
    assert errors[7].metadata["existing_post"] == results[0].post.name
    mixed_times = times([results[n] for n in (0, 6, 8)])
    for result in (results[n] for n in (0, 6, 8)):
        await world.stub.CancelPost(pb.CancelPostRequest(name=result.post.name))
    assert times(await plan(world, *good)) == mixed_times
    [(count,)] = await world.sql("SELECT count(*) FROM scheduler.posts WHERE state = 'scheduled'")
    assert count == 4


async def test_slots_are_found_beside_the_posts_that_are_there(world: World) -> None:
    await world.connect()
    set_cadence(world, posts_per_week=7)
    first = times(await plan(world, *(world.catalog.add_photo() for _ in range(4))))
    second = times(await plan(world, *(world.catalog.add_photo() for _ in range(4))))
    both = sorted([*first, *second])
    assert len(set(both)) == 8
    assert all(b - a >= timedelta(hours=24) for a, b in pairwise(both))


async def test_batches_at_the_same_time_share_no_slot(world: World) -> None:
    await world.connect()
    set_cadence(world, posts_per_week=7)
    photos = [[world.catalog.add_photo() for _ in range(3)] for _ in range(4)]
    batches = await asyncio.gather(*(plan(world, *some) for some in photos))
    found = sorted(at for results in batches for at in times(results))
    assert all(b - a >= timedelta(hours=24) for a, b in pairwise(found))


async def test_without_a_slot_in_sixty_days_the_rest_is_told_so(world: World) -> None:
    await world.connect()
    tuesdays = [TimeWindow(weekday=WEEKDAY_TUESDAY, start_minute=600, end_minute=660)]
    set_cadence(world, windows=tuesdays)
    results = await plan(world, *(world.catalog.add_photo() for _ in range(12)))
    made = [result for result in results if result.HasField("post")]
    assert len(made) in (8, 9)
    assert results[: len(made)] == made
    assert all(at.astimezone(LISBON).isoweekday() == 2 for at in times(made))
    error = from_status(results[-1].status)
    assert isinstance(error, OutOfQuota)
    assert (error.reason, error.metadata["persona"]) == ("NO_SLOT", "personas/nora")


async def test_a_fixed_spacing_ignores_the_cadence(world: World) -> None:
    await world.connect()
    set_cadence(world, blackout_dates=["2027-01-01"])
    photos = [world.catalog.add_photo() for _ in range(3)]
    start = (world.now() + timedelta(days=2)).replace(microsecond=0)
    posts = [
        BatchPost(photo=photos[0], caption="mine", hashtags=["own"]),
        BatchPost(photo=photos[1]),
        BatchPost(photo=photos[2], alt_text="a cup"),
    ]
    results = await plan(
        world,
        posts=posts,
        start=start,
        spacing=timedelta(minutes=90),
        caption="all",
        hashtags=["tea"],
    )
    assert times(results) == [start + n * timedelta(minutes=90) for n in range(3)]
    texts = [result.post.final_text for result in results]
    assert texts == ["mine\n\n#own", "all\n\n#tea", "all\n\n#tea"]
    assert results[2].post.alt_text == "a cup"
    assert results[0].post.strategy == "spacing"


async def test_a_batch_sent_again_gets_the_first_answer(world: World) -> None:
    await world.connect()
    set_cadence(world)
    photos = [world.catalog.add_photo() for _ in range(2)]
    gone = f"personas/nora/photos/{uuid.uuid4()}"
    id = str(uuid.uuid4())
    first = await plan(world, *photos, gone, request_id=id)
    world.catalog.is_down = True
    assert await plan(world, *photos, gone, request_id=id) == first
    [(count,)] = await world.sql("SELECT count(*) FROM scheduler.posts")
    assert count == 2
    with pytest.raises(AlreadyExists) as caught:
        await plan(world, *photos, request_id=id)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_what_a_batch_needs_must_be_there(world: World) -> None:
    photo = world.catalog.add_photo()
    with pytest.raises(FailedPrecondition) as caught:
        await plan(world, photo)
    assert caught.value.reason == "NO_CHANNEL"
    await world.connect()
    with pytest.raises(NotFound, match="persona"):
        await plan(world, photo, parent="personas/nobody")
    with pytest.raises(InvalidArgument, match="posts"):
        await plan(world)
    with pytest.raises(InvalidArgument, match="posts"):
        await plan(world, *[photo] * 201)
    with pytest.raises(InvalidArgument, match="start_time"):
        await plan(world, photo, start=world.now() - timedelta(days=1))
    with pytest.raises(NotFound, match="channel"):
        await plan(world, photo, channels=["personas/nora/channels/none"])
    [result] = await plan(
        world, posts=[BatchPost(photo=photo, caption="x" * 2195)], hashtags=["longer"]
    )
    assert isinstance(from_status(result.status), InvalidArgument)
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await plan(world, photo)
