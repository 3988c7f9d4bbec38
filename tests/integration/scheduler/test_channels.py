"""Connecting accounts, and how their keys are kept."""

import asyncio
import logging
import uuid

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel

from libs.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    Unavailable,
)
from tests.support.buffer import INSTAGRAM_ID, MASTODON_ID
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def delete(world: World, name: str, **fields: str) -> None:
    await world.stub.DeleteChannel(pb.DeleteChannelRequest(name=name, **fields))


async def test_a_channel_is_connected_as_the_provider_knows_it(world: World) -> None:
    channel = await world.connect(display_name="")
    assert channel.name == "personas/nora/channels/colonnade"
    assert channel.display_name == "Colonnade"
    assert channel.service == "instagram"
    assert channel.provider == Channel.PROVIDER_BUFFER
    assert channel.provider_channel_id == INSTAGRAM_ID
    assert channel.endpoint == world.buffer.url
    assert channel.state == Channel.STATE_CONNECTED
    assert channel.access_token == ""
    assert channel.create_time == channel.update_time
    found = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert found == channel
    named = await world.connect(MASTODON_ID, channel_id="my-masto", display_name="Masto")
    assert named.name == "personas/nora/channels/my-masto"


async def test_the_key_is_in_no_answer_no_row_and_no_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = world.buffer.token
    await world.connect()
    await world.schedule(after=0)
    await world.buffer.admin.fault("errors", code="UNAUTHORIZED", message=f"bad key {token}")
    await world.pass_time(10)
    with pytest.raises(FailedPrecondition):
        await world.connect(token="a-wrong-token-of-mine")
    rows = []
    for table in ("channels", "posts", "publications", "attempts", "post_events", "request_log"):
        rows += await world.sql(f"SELECT * FROM scheduler.{table}")
    assert "bad key ***" in str(rows)
    assert caplog.text
    for text in (str(rows), caplog.text, repr(world.out.publishers)):
        assert token not in text
        assert "a-wrong-token-of-mine" not in text
    media_tokens = [
        row.media_token for row in await world.sql("SELECT * FROM scheduler.publications")
    ]
    assert all(media_token not in caplog.text for media_token in media_tokens)


async def test_the_provider_must_accept_the_key_and_know_the_account(world: World) -> None:
    with pytest.raises(FailedPrecondition, match="refuses the key") as caught:
        await world.connect(token="wrong")
    assert caught.value.reason == "CREDENTIALS_REFUSED"
    with pytest.raises(FailedPrecondition, match=INSTAGRAM_ID) as caught:
        await world.connect("ffffffffffffffffffffffff")
    assert caught.value.reason == "UNKNOWN_PROVIDER_CHANNEL"
    # Longer than we are ready to wait within a call.
    await world.buffer.admin.fault("rate_limit", operation="account", seconds=300)
    with pytest.raises(OutOfQuota) as throttled:
        await world.connect()
    assert throttled.value.retry_after == pytest.approx(300, abs=5)
    assert await world.sql("SELECT * FROM scheduler.channels") == []


async def test_an_account_that_is_disconnected_there_needs_attention(world: World) -> None:
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=True)
    channel = await world.connect()
    assert channel.state == Channel.STATE_NEEDS_ATTENTION
    assert "reconnect" in channel.state_reason
    with pytest.raises(FailedPrecondition, match="cannot be used") as caught:
        await world.schedule(channels=[channel.name])
    assert caught.value.reason == "NO_CHANNEL"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"provider": Channel.PROVIDER_UNSPECIFIED}, "channel.provider"),
        ({"provider": Channel.PROVIDER_MASTODON, "endpoint": ""}, "channel.endpoint"),
        ({"provider": Channel.PROVIDER_WEBHOOK, "endpoint": ""}, "channel.endpoint"),
        ({"access_token": ""}, "channel.access_token"),
        ({"access_token": "two\nlines"}, "channel.access_token"),
        ({"provider_channel_id": ""}, "channel.provider_channel_id"),
        ({"endpoint": "http://buffer.example"}, "channel.endpoint"),
        ({"endpoint": "https://user:pw@buffer.example"}, "channel.endpoint"),
        ({"endpoint": "ftp://127.0.0.1"}, "channel.endpoint"),
    ],
)
async def test_what_is_wrong_with_a_channel_is_named(
    world: World, fields: dict[str, object], field: str
) -> None:
    right = {
        "provider": Channel.PROVIDER_BUFFER,
        "provider_channel_id": INSTAGRAM_ID,
        "access_token": world.buffer.token,
        "endpoint": world.buffer.url,
    }
    request = pb.CreateChannelRequest(
        parent="personas/nora", channel=Channel(**{**right, **fields})
    )
    with pytest.raises(InvalidArgument) as caught:
        await world.stub.CreateChannel(request)
    assert [violation.field for violation in caught.value.violations] == [field]
    if field == "channel.provider":
        assert "PROVIDER_BUFFER" in caught.value.message


async def test_an_account_is_connected_once_and_a_request_served_once(world: World) -> None:
    id = str(uuid.uuid4())
    results = await asyncio.gather(*(world.connect(request_id=id) for _ in range(3)))
    assert len({channel.name for channel in results}) == 1
    with pytest.raises(AlreadyExists, match="connected to the persona already"):
        await world.connect(channel_id="other")
    with pytest.raises(AlreadyExists, match="choose another channel_id"):
        await world.connect(MASTODON_ID, channel_id="insta")


async def test_a_persona_must_exist_and_the_catalog_answer(world: World) -> None:
    world.catalog.personas.clear()
    with pytest.raises(NotFound, match="persona"):
        await world.connect()
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await world.connect()


async def test_channels_are_listed_oldest_first_in_pages(world: World) -> None:
    names = await world.connect_both()
    request = pb.ListChannelsRequest(parent="personas/nora", page_size=1)
    first = await world.stub.ListChannels(request)
    request.page_token = first.next_page_token
    second = await world.stub.ListChannels(request)
    assert [c.name for c in (*first.channels, *second.channels)] == names
    assert second.next_page_token == ""
    assert all(c.access_token == "" for c in first.channels)


async def test_a_channel_in_use_stays(world: World) -> None:
    channel = await world.connect()
    post = await world.schedule()
    with pytest.raises(FailedPrecondition) as caught:
        await delete(world, channel.name)
    assert caught.value.reason == "CHANNEL_IN_USE"
    await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    with pytest.raises(Conflict) as stale:
        await delete(world, channel.name, etag="99")
    assert stale.value.reason == "STALE_ETAG"
    id = str(uuid.uuid4())
    await delete(world, channel.name, etag=channel.etag, request_id=id)
    await delete(world, channel.name, etag=channel.etag, request_id=id)
    with pytest.raises(NotFound):
        await delete(world, channel.name)
    with pytest.raises(NotFound):
        await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    # What it published stays readable.
    assert (await world.get(post)).publications[0].channel == channel.name


async def test_a_post_and_the_deletion_of_its_channel_at_once(world: World) -> None:
    for _ in range(5):
        channel = await world.connect()
        made, deleted = await asyncio.gather(
            world.schedule(), delete(world, channel.name), return_exceptions=True
        )
        assert isinstance(made, FailedPrecondition) != isinstance(deleted, FailedPrecondition)
        if deleted is None:
            continue
        await world.stub.CancelPost(pb.CancelPostRequest(name=made.name))
        await delete(world, channel.name)


async def test_a_retry_on_a_deleted_channel_is_refused(world: World) -> None:
    channel = await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.change_settings(scheduledPosts=0)
    await world.work()
    await delete(world, channel.name)
    with pytest.raises(FailedPrecondition) as caught:
        await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    assert caught.value.reason == "NO_CHANNEL"


async def test_a_provider_elsewhere_is_not_connected_while_pictures_are_only_here(
    world: World,
) -> None:
    for endpoint in ("", "https://buffer.example"):
        with pytest.raises(FailedPrecondition, match="MEDIA_BASE_URL") as caught:
            await world.connect(endpoint=endpoint)
        assert caught.value.reason == "FAILED_PRECONDITION"
