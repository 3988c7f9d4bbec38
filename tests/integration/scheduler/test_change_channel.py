"""Renaming channels, replacing their keys, and pausing them."""

import uuid

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from tests.support.buffer import INSTAGRAM_ID
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def update(world: World, *mask: str, request_id: str = "", **fields: object) -> Channel:
    channel = Channel(**{"name": "personas/nora/channels/insta", **fields})
    request = pb.UpdateChannelRequest(
        channel=channel, update_mask=FieldMask(paths=mask), request_id=request_id
    )
    return await world.stub.UpdateChannel(request)


async def pause(world: World, channel: Channel, **fields: str) -> Channel:
    request = pb.PauseChannelRequest(name=channel.name, **fields)
    return (await world.stub.PauseChannel(request)).channel


async def resume(world: World, channel: Channel, **fields: str) -> Channel:
    request = pb.ResumeChannelRequest(name=channel.name, **fields)
    return (await world.stub.ResumeChannel(request)).channel


async def test_a_channel_gets_another_name_and_keeps_the_rest(world: World) -> None:
    channel = await world.connect()
    id = str(uuid.uuid4())
    changed = await update(world, display_name="Our light", request_id=id)
    assert changed.display_name == "Our light"
    assert (changed.name, changed.service, changed.state) == (
        channel.name,
        channel.service,
        channel.state,
    )
    assert changed.etag != channel.etag
    assert await update(world, display_name="Our light", request_id=id) == changed
    with pytest.raises(Conflict) as caught:
        await update(world, display_name="Late", etag=channel.etag)
    assert caught.value.reason == "STALE_ETAG"
    with pytest.raises(InvalidArgument, match=r"channel.display_name"):
        await update(world, "display_name")
    with pytest.raises(InvalidArgument, match=r"channel.endpoint"):
        await update(world, endpoint="https://elsewhere.example")
    with pytest.raises(NotFound):
        await update(world, name="personas/nora/channels/none", display_name="x")
    await world.schedule(after=0)
    await world.pass_time(60)
    assert len(await world.buffer.admin.posts()) == 1


async def test_a_key_is_tried_before_it_replaces_the_old_one(world: World) -> None:
    await world.connect()
    [(before,)] = await world.sql("SELECT sealed_token FROM scheduler.channels")
    with pytest.raises(FailedPrecondition) as caught:
        await update(world, access_token="a-wrong-key")
    assert caught.value.reason == "CREDENTIALS_REFUSED"
    with pytest.raises(InvalidArgument, match=r"channel.access_token: is empty"):
        await update(world, "access_token")
    with pytest.raises(InvalidArgument, match=r"characters that no key has"):
        await update(world, access_token="schlüssel")
    assert await world.sql("SELECT sealed_token FROM scheduler.channels") == [(before,)]
    changed = await update(world, access_token=world.buffer.token)
    assert changed.access_token == ""
    [(after,)] = await world.sql("SELECT sealed_token FROM scheduler.channels")
    assert after != before
    assert world.buffer.token not in after


async def test_a_new_key_mends_a_channel_and_sends_what_waited(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault("errors", code="UNAUTHORIZED", message="bad key")
    await world.work()
    channel = await world.stub.GetChannel(pb.GetChannelRequest(name=post.channels[0]))
    assert channel.state == Channel.STATE_NEEDS_ATTENTION
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_SCHEDULED
    changed = await update(world, access_token=world.buffer.token)
    assert (changed.state, changed.state_reason) == (Channel.STATE_CONNECTED, "")
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert len(await world.buffer.admin.posts()) == 1


async def test_posts_of_a_paused_channel_wait_and_go_out_when_it_is_resumed(world: World) -> None:
    channel = await world.connect()
    post = await world.schedule(after=120)
    paused = await pause(world, channel, etag=channel.etag)
    assert (paused.state, paused.state_reason) == (Channel.STATE_PAUSED, "paused by a person")
    assert await pause(world, channel) == paused
    with pytest.raises(Conflict):
        await resume(world, channel, etag=channel.etag)
    await world.pass_time(3600, step=300)
    found = await world.get(post)
    assert found.state == Post.STATE_SCHEDULED
    [publication] = found.publications
    assert publication.state == Publication.STATE_READY
    assert publication.state_reason == "paused by a person"
    with pytest.raises(FailedPrecondition, match="resume it") as caught:
        await world.schedule(channels=[channel.name])
    assert caught.value.reason == "NO_CHANNEL"
    assert await world.buffer.admin.posts() == []

    resumed = await resume(world, channel)
    assert (resumed.state, resumed.state_reason) == (Channel.STATE_CONNECTED, "")
    assert await resume(world, channel) == resumed
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    with pytest.raises(NotFound):
        await pause(world, Channel(name="personas/nora/channels/none"))


async def test_posts_of_a_channel_that_stays_paused_are_missed(world: World) -> None:
    channel = await world.connect()
    post = await world.schedule(after=0)
    await pause(world, channel)
    await world.pass_time(25 * 3600, step=3600)
    [publication] = (await world.get(post)).publications
    assert publication.state == Publication.STATE_MISSED
    assert "paused by a person" in publication.error.message
    await resume(world, channel)
    await world.pass_time(600, step=60)
    assert await world.buffer.admin.posts() == []


async def test_a_paused_channel_is_not_mended_by_a_check(world: World) -> None:
    channel = await world.connect()
    await world.schedule(after=0)
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=True)
    await world.work()
    await pause(world, channel)
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=False)
    await world.pass_time(4000, step=400)
    found = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert found.state == Channel.STATE_PAUSED
