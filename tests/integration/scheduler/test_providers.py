"""Every provider behind the whole scheduler: connected, published on, in doubt, mended."""

from collections.abc import Callable
from typing import Any

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from prometheus_client import CollectorRegistry

from libs.errors import AlreadyExists, FailedPrecondition
from services.scheduler.channel_metrics import ChannelMetrics
from services.scheduler.domain.channel import Provider
from services.scheduler.usecases.tasks import RENEW_TOKENS
from tests.support.scheduler_sites import KINDS, Site
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


ALL = pytest.mark.parametrize("name", sorted(KINDS))


async def only(world: World, post: Post) -> Publication:
    [publication] = (await world.get(post)).publications
    return publication


@ALL
async def test_a_post_goes_out_at_its_time_and_not_before(
    world: World, site: Callable[[str], Site], name: str
) -> None:
    place = site(name)
    channel = await place.connect()
    assert (channel.state, channel.service) == (Channel.STATE_CONNECTED, place.kind.service)
    post = await world.schedule(after=600)
    await world.pass_time(530, step=530)
    assert place.posts == 0
    if not Provider(name).keeps_posts:
        await world.pass_time(60, step=60)
        assert place.posts == 0
    await world.pass_time(120, step=10)
    assert (await world.get(post)).state == Post.STATE_POSTED
    publication = await only(world, post)
    assert publication.attempts == 1
    assert publication.permalink.startswith("http")
    assert publication.HasField("posted_time")
    assert place.posts == 1


@ALL
async def test_a_lost_answer_leaves_exactly_one_post(
    world: World, site: Callable[[str], Site], name: str
) -> None:
    place = site(name)
    await place.connect()
    post = await world.schedule(after=0)
    place.stand_in.fault("drop_after")
    await world.work()
    assert (await only(world, post)).state == Publication.STATE_UNKNOWN
    await world.pass_time(180, step=20)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert place.posts == 1


@ALL
async def test_a_key_that_is_revoked_stops_the_channel_and_a_new_one_mends_it(
    world: World, site: Callable[[str], Site], name: str
) -> None:
    place = site(name)
    channel = await place.connect()
    post = await world.schedule(after=0)
    place.stand_in.disconnect()
    await world.work()
    found = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert found.state == Channel.STATE_NEEDS_ATTENTION
    assert place.kind.token not in found.state_reason
    assert (await only(world, post)).error.reason == "CHANNEL_HELD"
    assert place.posts == 0
    changed = Channel(name=channel.name, access_token=_present_token(place.stand_in))
    found = await world.stub.UpdateChannel(
        pb.UpdateChannelRequest(channel=changed, update_mask={"paths": ["access_token"]})
    )
    assert found.state == Channel.STATE_CONNECTED
    await world.pass_time(120, step=10)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert place.posts == 1


def _present_token(stand_in: Any) -> str:
    for name in ("token", "password", "secret", "key"):
        if hasattr(stand_in, name):
            return str(getattr(stand_in, name))
    raise AssertionError(stand_in)


@ALL
async def test_a_wrong_key_and_an_account_that_is_not_there_are_refused(
    site: Callable[[str], Site], name: str
) -> None:
    place = site(name)
    with pytest.raises(FailedPrecondition) as caught:
        await place.connect(token="of-somebody-else")
    assert caught.value.reason == "CREDENTIALS_REFUSED"
    if name in ("mastodon", "postiz"):
        with pytest.raises(FailedPrecondition) as caught:
            await place.connect(account="@bob")
        assert caught.value.reason == "UNKNOWN_PROVIDER_CHANNEL"


async def test_what_a_receiver_never_answers_is_for_a_person_and_keeps_its_photo(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("webhook")
    await place.connect()
    post = await world.schedule(after=0)
    # "In flight", for ever.
    place.stand_in.fault("refuse", status=409, times=99)
    await world.pass_time(2400, step=300)
    await world.pass_time(30_600, step=1800)
    publication = await only(world, post)
    assert publication.state == Publication.STATE_NEEDS_REVIEW
    assert publication.error.reason == "OUTCOME_UNKNOWN"
    assert publication.attempts == 6
    await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    with pytest.raises(AlreadyExists):
        await world.schedule(post.photo, after=0)


async def test_a_refusal_after_a_lost_answer_proves_nothing_of_a_receiver(
    world: World, site: Callable[[str], Site]
) -> None:
    """It took the message; that it refuses the next does not undo it."""
    place = site("webhook")
    await place.connect()
    post = await world.schedule(after=0)
    place.stand_in.fault("drop_after")
    place.stand_in.fault("refuse", status=400)
    await world.pass_time(60, step=20)
    assert (await only(world, post)).state == Publication.STATE_UNKNOWN
    await world.pass_time(600, step=20)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert place.posts == 1


async def test_what_a_receiver_only_accepted_is_out_when_it_says_so(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("webhook")
    place.stand_in.accepts = True
    await place.connect()
    post = await world.schedule(after=0)
    await world.work()
    assert (await world.get(post)).state == Post.STATE_SCHEDULED
    await world.pass_time(20, step=5)
    assert (await world.get(post)).state == Post.STATE_POSTING
    [key] = place.stand_in.outcomes
    place.stand_in.outcomes[key] = {"state": "failed", "message": "out of paper"}
    await world.pass_time(60, step=20)
    publication = await only(world, post)
    assert publication.state == Publication.STATE_FAILED
    assert (publication.error.reason, publication.error.message) == (
        "PUBLISH_FAILED",
        "out of paper",
    )
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    await world.work()
    place.stand_in.publish_accepted(key)
    answer = await world.stub.SyncPosts(pb.SyncPostsRequest(parent="personas/nora"))
    assert (answer.checked_count, list(answer.unread_channels)) == (1, [])
    assert (await world.get(post)).state == Post.STATE_POSTED
    again = await world.stub.SyncPosts(pb.SyncPostsRequest(parent="personas/nora"))
    assert "cannot be asked" in again.unread_channels[0].reason
    assert (await only(world, post)).permalink == f"{place.stand_in.url}/posts/{key}"
    assert (place.posts, place.stand_in.calls["publish"]) == (1, 2)


async def test_a_server_tells_how_long_texts_may_be(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    place.stand_in.settings.max_characters = 20
    await place.connect()
    with pytest.raises(FailedPrecondition) as caught:
        await world.schedule(caption="a text of more than twenty characters")
    assert caught.value.reason == "TEXT_TOO_LONG"
    assert caught.value.metadata["allowed"] == "20"


async def test_a_token_that_ends_is_renewed_before_and_its_end_is_told(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("instagram")
    channel = await place.connect()
    assert not channel.HasField("token_expire_time")
    await world.tasks[RENEW_TOKENS]()
    first = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    left = first.token_expire_time.ToDatetime() - world.now().replace(tzinfo=None)
    assert 59 <= left.days <= 60
    assert place.stand_in.token != place.kind.token

    registry = CollectorRegistry()
    metrics = ChannelMetrics(world.out.store, world.clock, registry)
    await metrics()
    labels = {"provider": "instagram"}
    seconds = registry.get_sample_value("colonnade_channel_token_seconds", labels)
    assert seconds == pytest.approx(left.total_seconds(), abs=60)
    connected = {**labels, "state": "connected"}
    assert registry.get_sample_value("colonnade_channels", connected) == 1

    await world.tasks[RENEW_TOKENS]()
    assert place.stand_in.calls["renew"] == 1
    await world.advance(31 * 86_400)
    await world.tasks[RENEW_TOKENS]()
    assert place.stand_in.calls["renew"] == 2
    second = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert second.token_expire_time.seconds > first.token_expire_time.seconds
    post = await world.schedule(after=0)
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED
