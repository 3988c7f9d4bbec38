"""What is due soon is looked over while people can still mend it."""

from datetime import timedelta

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post, Publication

from services.scheduler.usecases.tasks import PRECHECK
from tests.support.buffer import INSTAGRAM_ID
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

HOUR = 3600.0


async def look_over(world: World) -> int:
    """The task; answers how often Buffer was asked for its channels."""
    before = (await world.buffer.admin.calls("channels"))["received"]
    await world.tasks[PRECHECK]()
    return (await world.buffer.admin.calls("channels"))["received"] - before


async def publication_of(world: World, post: Post) -> Publication:
    [publication] = (await world.get(post)).publications
    return publication


async def channel_of(world: World, name: str) -> Channel:
    return await world.stub.GetChannel(pb.GetChannelRequest(name=name))


async def test_a_day_and_an_hour_before_its_time_the_account_is_looked_at(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=30 * HOUR)
    await world.schedule(after=30 * HOUR + 60)
    await world.work()
    assert await look_over(world) == 0, "there is time"
    await world.advance(7 * HOUR)
    assert await look_over(world) == 1, "once for both posts"
    assert await look_over(world) == 0
    await world.advance(21 * HOUR)
    assert await look_over(world) == 0, "not before the last hour"
    await world.advance(1.5 * HOUR)
    assert await look_over(world) == 1
    assert await look_over(world) == 0
    await world.pass_time(0.7 * HOUR, step=120)
    assert (await world.get(post)).state == Post.STATE_POSTED


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("isDisconnected", "disconnected"), ("isLocked", "locked"), ("isQueuePaused", "paused")],
)
async def test_an_account_that_cannot_be_used_is_told_before_anything_is_due(
    world: World, trouble: str, words: str
) -> None:
    channel = await world.connect()
    post = await world.schedule(after=20 * HOUR)
    await world.work()
    await world.buffer.admin.change_channel(INSTAGRAM_ID, **{trouble: True})
    await world.tasks[PRECHECK]()
    found = await channel_of(world, channel.name)
    assert found.state == Channel.STATE_NEEDS_ATTENTION
    assert words in found.state_reason
    await world.buffer.admin.change_channel(INSTAGRAM_ID, **{trouble: False})
    await world.advance(0.6 * HOUR)
    assert "scheduler.check_channel" in await world.work()
    assert (await channel_of(world, channel.name)).state == Channel.STATE_CONNECTED
    assert (await world.get(post)).state == Post.STATE_SCHEDULED
    assert await world.buffer.admin.posts() == []


async def test_a_key_that_is_revoked_shows_before_anything_is_due(world: World) -> None:
    channel = await world.connect()
    await world.schedule(after=20 * HOUR)
    await world.work()
    await world.buffer.admin.fault("errors", operation="organizations", code="UNAUTHORIZED")
    await world.buffer.admin.fault("errors", operation="account", code="UNAUTHORIZED")
    await world.tasks[PRECHECK]()
    assert (await channel_of(world, channel.name)).state == Channel.STATE_NEEDS_ATTENTION


async def test_a_picture_that_cannot_be_fetched_is_told_and_keeps_nothing_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.connect()
    post = await world.schedule(after=20 * HOUR)
    await world.work()
    token = (await world.sql("SELECT media_token FROM scheduler.publications"))[0][0]
    world.host.is_gone = True
    await world.tasks[PRECHECK]()
    told = await publication_of(world, post)
    assert (told.state, told.error.reason) == (Publication.STATE_READY, "MEDIA_UNREACHABLE")
    assert "HTTP 410" in told.error.message
    assert token not in told.error.message + caplog.text
    world.host.is_gone = False
    await world.advance(19.5 * HOUR)
    await world.tasks[PRECHECK]()
    assert not (await publication_of(world, post)).HasField("error")
    await world.pass_time(0.7 * HOUR, step=120)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_a_picture_that_was_never_made_is_told(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=20 * HOUR)
    await world.tasks[PRECHECK]()
    assert "has not been made yet" in (await publication_of(world, post)).error.message


async def test_a_post_that_gets_another_time_is_looked_over_again(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=2 * HOUR)
    await world.work()
    assert await look_over(world) == 1
    later = Post(name=post.name)
    later.scheduled_time.FromDatetime(world.now() + timedelta(hours=40))
    await world.stub.UpdatePost(pb.UpdatePostRequest(post=later))
    assert await look_over(world) == 0
    await world.advance(17 * HOUR)
    assert await look_over(world) == 1


async def test_what_a_person_must_do_first_is_not_covered_up(world: World) -> None:
    channel = await world.connect()
    asking = Channel(name=channel.name, approval_required=True)
    request = pb.UpdateChannelRequest(channel=asking)
    request.update_mask.paths.append("approval_required")
    await world.stub.UpdateChannel(request)
    post = await world.schedule(after=20 * HOUR)
    world.host.is_gone = True
    await world.tasks[PRECHECK]()
    assert (await publication_of(world, post)).error.reason == "APPROVAL_HELD"
