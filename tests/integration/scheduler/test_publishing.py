"""From a scheduled photo to a post that is out, and what can go wrong between."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post, Publication

from libs.errors import FailedPrecondition
from tests.support.buffer import INSTAGRAM_ID, MASTODON_ID
from tests.support.buffer.clock import to_wire
from tests.support.scheduler_world import Stage, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def retry(world: World, post: Post) -> Post:
    return (await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))).post


async def test_a_due_post_is_published_once_and_followed_until_it_is_out(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=600, caption="Morning light", hashtags=["cats"])
    assert post.state == Post.STATE_SCHEDULED
    assert await world.work() == ["scheduler.prepare"]
    await world.advance(530)
    assert await world.work() == []
    assert await world.buffer.admin.posts() == []

    await world.advance(11)
    assert await world.work() == ["scheduler.publish"]
    assert await world.work() == []
    [remote] = await world.buffer.admin.posts()
    assert remote["channelId"] == INSTAGRAM_ID
    assert remote["text"] == "Morning light\n\n#cats"
    assert remote["assets"][0]["altText"] == "waves of light"
    found = await world.get(post)
    assert found.state == Post.STATE_SCHEDULED
    assert found.publications[0].state == Publication.STATE_SCHEDULED
    assert found.publications[0].provider_post_id == remote["id"]
    assert found.publications[0].attempts == 1

    await world.pass_time(80)
    [remote] = await world.buffer.admin.posts()
    found = await world.get(post)
    assert found.state == Post.STATE_POSTED
    assert found.publications[0].state == Publication.STATE_POSTED
    assert found.publications[0].permalink == remote["externalLink"]
    assert found.posted_time == found.publications[0].posted_time
    assert not found.publications[0].HasField("next_attempt_time")
    assert await world.buffer.admin.calls() == {"received": 1, "processed": 1}


async def test_every_move_is_in_the_history_and_every_move_of_the_post_is_told(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.pass_time(60)
    rows = await world.sql(
        "SELECT publication_id IS NULL, from_state, to_state FROM scheduler.post_events ORDER BY id"
    )
    post_moves = [(was, to) for is_post, was, to in rows if is_post]
    moves = [(was, to) for is_post, was, to in rows if not is_post]
    assert post_moves[:2] == [("", "scheduled"), ("scheduled", "posting")]
    assert post_moves[-1] == ("posting", "posted")
    assert moves[:2] == [("ready", "submitting"), ("submitting", "scheduled")]
    assert moves[-1][1] == "posted"

    outbox = await world.sql("SELECT type, subject, payload FROM scheduler.outbox ORDER BY id")
    events = [event_pb2.PostChanged.FromString(bytes(row.payload)) for row in outbox]
    assert {(row.type, row.subject) for row in outbox} == {("post.changed", post.name)}
    assert [event.state for event in events] == [to.upper() for _, to in post_moves]
    assert {event.photo for event in events} == {post.photo}
    versions = [event.version for event in events]
    assert versions == sorted(set(versions))
    assert str(versions[-1]) == (await world.get(post)).etag
    assert [event.HasField("posted_time") for event in events[-2:]] == [False, True]


async def test_the_provider_fetches_the_very_picture_that_was_taken_over(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    await world.schedule(photo, after=0)
    await world.pass_time(50)
    [remote] = await world.buffer.admin.posts()
    [fetched] = remote["fetched"]
    assert fetched["sha256"] == hashlib.sha256(world.catalog.renditions[photo]).hexdigest()
    assert fetched["contentType"] == "image/jpeg"
    [(key, width, height)] = await world.sql(
        "SELECT media_key, media_width, media_height FROM scheduler.posts"
    )
    assert key.startswith("publications/")
    assert key.endswith(f"{fetched['sha256']}.jpg")
    assert (width, height) == (64, 48)


async def test_a_post_is_posted_when_it_is_out_on_every_channel(world: World) -> None:
    await world.connect_both()
    post = await world.schedule(after=0)
    assert len(post.publications) == 2
    await world.buffer.admin.change_channel(MASTODON_ID, isQueuePaused=True)
    await world.pass_time(60)
    found = await world.get(post)
    assert found.state == Post.STATE_POSTING
    assert {p.state for p in found.publications} == {
        Publication.STATE_POSTED,
        Publication.STATE_SCHEDULED,
    }
    await world.buffer.admin.change_channel(MASTODON_ID, isQueuePaused=False)
    await world.pass_time(200, step=20)
    assert (await world.get(post)).state == Post.STATE_POSTED
    remotes = await world.buffer.admin.posts()
    assert {remote["channelId"] for remote in remotes} == {INSTAGRAM_ID, MASTODON_ID}
    assert len(remotes) == 2


async def test_publishing_goes_on_without_the_catalog(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=300)
    await world.work()
    world.catalog.is_down = True
    await world.advance(300)
    await world.pass_time(80)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_without_a_picture_the_post_waits_for_the_catalog(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    world.queue.waiting.clear()
    world.catalog.is_down = True
    await world.work()
    [publication] = (await world.get(post)).publications
    assert publication.state == Publication.STATE_READY
    assert publication.state_reason == "the catalog is away"
    assert publication.attempts == 0
    world.catalog.is_down = False
    await world.pass_time(100)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_a_lost_preparation_is_announced_again(world: World) -> None:
    await world.connect()
    await world.schedule(after=600)
    world.queue.waiting.clear()
    assert await world.work() == []
    await world.advance(31)
    assert await world.work() == ["scheduler.prepare"]
    await world.advance(100)
    assert await world.work() == []


async def test_a_photo_that_is_gone_fails_its_post(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    world.queue.waiting.clear()
    world.catalog.renditions.clear()
    await world.work()
    found = await world.get(post)
    assert found.state == Post.STATE_FAILED
    assert "there is no photo named" in found.publications[0].error.message
    assert await world.buffer.admin.posts() == []


async def test_a_throttled_call_is_made_again_when_the_provider_says_and_does_not_count(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault("rate_limit", seconds=120)
    await world.work()
    [publication] = (await world.get(post)).publications
    assert publication.state == Publication.STATE_RETRY_WAIT
    assert publication.attempts == 0
    assert publication.error.reason == "THROTTLED"
    assert publication.error.retryable
    wait = publication.next_attempt_time.ToDatetime().timestamp()
    assert 100 < wait - world.now().replace(tzinfo=None).timestamp() < 140
    await world.pass_time(110, step=10)
    assert (await world.buffer.admin.calls())["received"] == 1
    await world.pass_time(90)
    found = await world.get(post)
    assert found.state == Post.STATE_POSTED
    assert found.publications[0].attempts == 1
    assert not found.publications[0].HasField("error")
    assert len(await world.buffer.admin.posts()) == 1


async def test_a_refusal_fails_the_post_with_the_providers_words_and_it_can_be_retried(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.change_settings(scheduledPosts=0)
    await world.work()
    found = await world.get(post)
    assert found.state == Post.STATE_FAILED
    [publication] = found.publications
    assert publication.error.reason == "PERMANENT"
    assert publication.error.message == "You have reached your limit of scheduled posts."
    assert not publication.error.retryable
    await world.pass_time(60, step=20)
    assert (await world.buffer.admin.calls())["received"] == 1

    await world.buffer.admin.change_settings(scheduledPosts=10)
    found = await retry(world, post)
    assert found.state == Post.STATE_SCHEDULED
    assert found.publications[0].state == Publication.STATE_READY
    assert not found.publications[0].HasField("error")
    await world.pass_time(60)
    found = await world.get(post)
    assert found.state == Post.STATE_POSTED
    assert found.publications[0].attempts == 2
    assert len(await world.buffer.admin.posts()) == 1


async def test_a_picture_that_cannot_be_fetched_fails_the_post_and_a_retry_leaves_one(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    world.host.is_gone = True
    await world.pass_time(60)
    found = await world.get(post)
    assert found.state == Post.STATE_FAILED
    [publication] = found.publications
    assert publication.error.reason == "PUBLISH_FAILED"
    assert "could not fetch your image" in publication.error.message
    assert publication.error.support_uri == "https://support.buffer.example/failed-posts"

    world.host.is_gone = False
    await retry(world, post)
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED
    remotes = await world.buffer.admin.posts()
    assert [remote["status"] for remote in remotes] == ["sent"]


async def test_a_failed_post_that_a_person_sent_again_at_the_provider_is_not_sent_twice(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    world.host.is_gone = True
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_FAILED
    [remote] = await world.buffer.admin.posts()
    world.host.is_gone = False
    due = to_wire(world.now() + timedelta(seconds=30))
    again = {"status": "scheduled", "dueAt": due, "fetched": [], "error": None}
    await world.buffer.admin.change_post(remote["id"], **again)
    await retry(world, post)
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    [remote] = await world.buffer.admin.posts()
    assert remote["status"] == "sent"


async def test_a_disconnected_channel_holds_its_posts_until_it_is_mended(world: World) -> None:
    channel = await world.connect()
    first = await world.schedule(after=0)
    second = await world.schedule(after=90)
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=True)
    await world.work()
    await world.advance(40)
    await world.work()
    channel = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert channel.state == Channel.STATE_NEEDS_ATTENTION
    assert "disconnected" in channel.state_reason
    for post in (first, second):
        found = await world.get(post)
        assert found.state == Post.STATE_SCHEDULED
        assert found.publications[0].state == Publication.STATE_READY
        assert "disconnected" in found.publications[0].state_reason
    assert (await world.buffer.admin.calls())["received"] == 1
    with pytest.raises(FailedPrecondition, match="none of its channels can be used") as caught:
        await world.schedule()
    assert caught.value.reason == "NO_CHANNEL"

    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=False)
    await world.pass_time(120)
    assert (await world.buffer.admin.calls())["received"] == 1
    await retry(world, second)
    assert "scheduler.check_channel" in await world.work()
    await world.pass_time(60)
    for post in (first, second):
        assert (await world.get(post)).state == Post.STATE_POSTED
    channel = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert (channel.state, channel.state_reason) == (Channel.STATE_CONNECTED, "")


async def test_a_mended_channel_is_found_without_help(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=True)
    await world.work()
    await world.advance(1700)
    assert "scheduler.check_channel" not in await world.work()
    await world.advance(110)
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=False)
    assert "scheduler.check_channel" in await world.work()
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_what_was_deleted_at_the_provider_is_for_a_person(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=20)
    await world.work()
    [remote] = await world.buffer.admin.posts()
    await world.buffer.admin.delete_post(remote["id"])
    await world.pass_time(40, step=20)
    assert (await world.get(post)).publications[0].state == Publication.STATE_SCHEDULED
    await world.pass_time(120, step=20)
    found = await world.get(post)
    assert found.state == Post.STATE_POSTING
    assert found.publications[0].state == Publication.STATE_NEEDS_REVIEW
    assert found.publications[0].error.reason == "REMOTE_DELETED"
    found = await retry(world, post)
    assert found.publications[0].state == Publication.STATE_RECONCILING
    await world.pass_time(420, step=20)
    assert (await world.get(post)).state == Post.STATE_POSTED
    [again] = await world.buffer.admin.posts()
    assert again["id"] != remote["id"]


async def test_a_post_that_was_given_another_time_at_the_provider_is_followed(
    world: World,
) -> None:
    await world.connect()
    post = await world.schedule(after=30)
    await world.work()
    [remote] = await world.buffer.admin.posts()
    due = to_wire(world.now() + timedelta(hours=2))
    await world.buffer.admin.change_post(remote["id"], dueAt=due)
    await world.pass_time(60, step=20)
    reads = await world.buffer.admin.calls("posts")
    await world.pass_time(6000, step=600)
    assert await world.buffer.admin.calls("posts") == reads
    await world.pass_time(1200, step=60)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_a_post_that_hangs_at_the_provider_is_asked_for_less_and_less(world: World) -> None:
    await world.connect()
    await world.buffer.admin.change_channel(INSTAGRAM_ID, isQueuePaused=True)
    post = await world.schedule(after=0)
    await world.pass_time(2 * 3600, step=300)
    await world.pass_time(600, step=300)
    [publication] = (await world.get(post)).publications
    assert publication.state == Publication.STATE_SCHEDULED
    assert "has not sent it yet" in publication.state_reason
    reads = (await world.buffer.admin.calls("posts"))["received"]
    assert reads <= 10
    await world.pass_time(24 * 3600, step=1800)
    assert (await world.buffer.admin.calls("posts"))["received"] <= reads + 5


async def test_overdue_posts_go_out_oldest_first_and_those_of_yesterday_are_missed(
    world: World,
) -> None:
    await world.connect()
    too_late = await world.schedule(after=0, caption="too late")
    await world.advance(2 * 3600)
    posts = [await world.schedule(after=60 * n, caption=f"number {n}") for n in (2, 0, 1)]
    world.queue.waiting.clear()
    await world.advance(23 * 3600)
    await world.work()
    found = await world.get(too_late)
    assert found.state == Post.STATE_FAILED
    assert found.publications[0].state == Publication.STATE_MISSED
    assert found.publications[0].error.reason == "OVERDUE"
    remotes = await world.buffer.admin.posts()
    assert [remote["text"] for remote in remotes] == ["number 0", "number 1", "number 2"]
    await world.pass_time(60)
    for post in posts:
        assert (await world.get(post)).state == Post.STATE_POSTED
    assert (await retry(world, too_late)).state == Post.STATE_SCHEDULED


async def test_reads_that_can_wait_leave_the_rest_of_the_day_to_publishing(world: World) -> None:
    await world.connect()
    quotas = {"900": 100, "86400": 8, "2592000": 7500}
    await world.buffer.admin.change_settings(quotas=quotas)
    post = await world.schedule(after=0)
    await world.schedule(after=0)
    await world.schedule(after=0)
    await world.pass_time(120)
    assert (await world.buffer.admin.calls())["received"] == 3
    assert (await world.get(post)).state != Post.STATE_FAILED
    assert (await world.buffer.admin.calls("posts"))["received"] <= 3


async def test_a_short_refusal_does_not_keep_back_for_long_what_is_out(world: World) -> None:
    await world.connect()
    first = await world.schedule(after=0)
    await world.work()
    await world.buffer.admin.fault("rate_limit", seconds=300)
    await world.schedule(after=0)
    await world.work()
    await world.pass_time(100, step=20)
    assert (await world.get(first)).state == Post.STATE_SCHEDULED
    await world.pass_time(320, step=20)
    assert (await world.get(first)).state == Post.STATE_POSTED


async def test_a_provider_that_fails_again_and_again_is_left_alone_for_as_long_as_is_set(
    stage: Stage, tmp_path: Path
) -> None:
    async with open_world(stage, tmp_path, breaker_pause=600.0) as world:
        await world.connect()
        await world.buffer.admin.fault("drop_before", times=6)
        # Those of one bundle are sent side by side; the one that comes after them is kept back.
        for posts in (5, 1):
            for _ in range(posts):
                await world.schedule(after=0)
            await world.work()
        assert (await world.buffer.admin.calls())["received"] == 5
        [(left,)] = await world.sql(
            "SELECT extract(epoch FROM next_attempt_time)::float FROM scheduler.publications"
            " WHERE state = 'retry_wait'"
        )
        assert 300 < left - world.now().timestamp() < 661
