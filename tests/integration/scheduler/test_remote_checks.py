"""Posts that are out, and what people do to them on the provider's own pages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post, Publication, RemoteCheck

from libs.errors import InvalidArgument, NotFound
from services.scheduler.usecases.tasks import WATCH_REMOTE
from tests.support.scheduler_sites import Site
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

HOUR, DAY = 3600.0, 86_400.0
TEXT = "Light\n\nhttps://studio.example/a?b=1 #tea"


@dataclass
class Pages:
    """A provider's own pages, on which people edit and delete posts."""

    connect: Callable[[], Awaitable[object]]
    edit: Callable[[str, str], Awaitable[None]]
    remove: Callable[[str], Awaitable[None]]


def pages_of(world: World, site: Callable[[str], Site], name: str) -> Pages:
    if name == "buffer":
        admin = world.buffer.admin
        return Pages(
            world.connect, lambda id, text: admin.change_post(id, text=text), admin.delete_post
        )
    place = site(name)

    async def edit(id: str, text: str) -> None:
        place.stand_in.edit(id, text)

    async def remove(id: str) -> None:
        place.stand_in.remove(id)

    return Pages(place.connect, edit, remove)


async def publish(world: World, *captions: str, **fields: Any) -> list[Post]:
    """Posts that are out since just now."""
    posts = [
        await world.schedule(after=0, caption=caption, alt_text="a cup", **fields)
        for caption in captions or (TEXT,)
    ]
    await world.work()
    await world.pass_time(80, step=40)
    found = [await world.get(post) for post in posts]
    assert {post.state for post in found} == {Post.STATE_POSTED}
    return found


async def watch(world: World) -> None:
    """The minute's look for work, and what it finds."""
    await world.tasks[WATCH_REMOTE]()
    await world.work(tick=False)


async def only(world: World, post: Post) -> Publication:
    [publication] = (await world.get(post)).publications
    assert publication.state == Publication.STATE_POSTED
    return publication


async def sync(world: World) -> pb.SyncPostsResponse:
    return await world.stub.SyncPosts(pb.SyncPostsRequest(parent="personas/nora"))


async def drifted(world: World) -> list[str]:
    """The posts that the list says differ."""
    request = pb.ListPostsRequest(parent="personas/nora", filter='remote != "UNCHANGED"')
    return [post.name for post in (await world.stub.ListPosts(request)).posts]


# What the others tell of their posts is in ``tests/contract/providers``.
@pytest.mark.parametrize("name", ["buffer", "mastodon", "instagram"])
async def test_what_is_edited_or_removed_there_is_seen_in_one_pass(
    world: World, site: Callable[[str], Site], name: str
) -> None:
    pages = pages_of(world, site, name)
    await pages.connect()
    kept, edited, removed = await publish(world, *(f"{TEXT}{n}" for n in range(3)))
    await world.advance(HOUR + 16 * 60)
    await pages.edit((await only(world, edited)).provider_post_id, "Another text")
    await pages.remove((await only(world, removed)).provider_post_id)
    await watch(world)
    checks = [(await only(world, post)).remote for post in (kept, edited)]
    assert [check.state for check in checks] == [
        RemoteCheck.STATE_UNCHANGED,
        RemoteCheck.STATE_EDITED,
    ]
    assert [check.text for check in checks] == ["", "Another text"]
    # One miss is not a removal; the look a minute later is.
    assert (await only(world, removed)).remote.state == RemoteCheck.STATE_UNCHANGED
    await world.advance(60)
    await watch(world)
    remote = (await only(world, removed)).remote
    assert remote.state == RemoteCheck.STATE_REMOVED
    assert remote.change_time == remote.check_time
    assert sorted(await drifted(world)) == sorted([edited.name, removed.name])
    # Another look finds the same, and says so.
    before = [await world.get(post) for post in (kept, edited, removed)]
    answer = await sync(world)
    assert (answer.checked_count, answer.differing_count, answer.missing_count) == (3, 2, 0)
    assert not answer.changed_publications
    assert [post.etag for post in before] == [(await world.get(post)).etag for post in before]


async def test_what_is_put_right_there_is_unchanged_again(
    world: World, site: Callable[[str], Site]
) -> None:
    pages = pages_of(world, site, "mastodon")
    await pages.connect()
    [post] = await publish(world)
    id = (await only(world, post)).provider_post_id
    await pages.edit(id, "Another text")
    answer = await sync(world)
    [publication] = answer.changed_publications
    assert publication.remote.text == "Another text"
    await pages.edit(id, TEXT)
    answer = await sync(world)
    [publication] = answer.changed_publications
    assert publication.remote.state == RemoteCheck.STATE_UNCHANGED
    assert publication.remote.HasField("change_time")
    assert answer.differing_count == 0
    assert await drifted(world) == []


async def test_a_difference_is_told_and_written_down_once(
    world: World, site: Callable[[str], Site]
) -> None:
    pages = pages_of(world, site, "mastodon")
    await pages.connect()
    [post] = await publish(world)
    count = "SELECT count(*) FROM scheduler.outbox WHERE type = 'post.changed'"
    [[before]] = await world.sql(count)
    await pages.edit((await only(world, post)).provider_post_id, "Another text")
    await sync(world)
    await sync(world)
    assert await world.sql(count) == [(before + 1,)]
    rows = await world.sql(
        "SELECT from_state, to_state, message FROM scheduler.post_events"
        " WHERE reason = 'REMOTE_EDITED'"
    )
    assert rows == [("posted", "posted", "Another text")]
    after = await world.get(post)
    assert int(after.etag) == int(post.etag) + 1
    assert after.state == Post.STATE_POSTED


async def test_looks_become_rarer_and_end_after_thirty_days(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    await place.connect()
    [post] = await publish(world)
    looks = []
    await world.advance(2 * HOUR)
    days = [0, 1, 2, 3, 4, 6, 7, 8, 13, 14, 15, 29, 30, 31]
    for day, before in zip(days, [0, *days], strict=False):
        await world.advance((day - before) * DAY)
        seen = place.stand_in.calls["status"]
        await watch(world)
        if place.stand_in.calls["status"] > seen:
            looks.append(day)
    assert looks == [0, 1, 3, 7, 14, 30]
    assert not (await only(world, post)).remote.HasField("next_check_time")


async def test_a_read_that_fails_changes_nothing_and_is_made_again(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    await place.connect()
    [post] = await publish(world)
    await world.advance(HOUR + 16 * 60)
    place.stand_in.fault("nonsense", operation="status")
    await watch(world)
    assert not (await only(world, post)).HasField("remote")
    await world.advance(31 * 60)
    await watch(world)
    assert (await only(world, post)).remote.state == RemoteCheck.STATE_UNCHANGED


async def test_reads_wait_while_few_requests_are_left(world: World) -> None:
    await world.connect()
    [post] = await publish(world)
    await world.advance(HOUR + 16 * 60)
    state = await world.buffer.admin.state()
    used = sum(call["received"] for call in state["calls"].values())
    quotas = {**state["settings"]["quotas"], "86400": used + 2}
    await world.buffer.admin.change_settings(quotas=quotas)
    await watch(world)  # its answer tells how few are left
    first = (await world.buffer.admin.state())["calls"]
    answer = await sync(world)
    assert (await world.buffer.admin.state())["calls"] == first
    assert answer.checked_count == 0
    [unread] = answer.unread_channels
    assert "kept for sending" in unread.reason
    assert (await only(world, post)).state == Publication.STATE_POSTED


async def test_a_provider_without_reads_is_named_and_never_watched(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("webhook")
    channel: Channel = await place.connect()
    [post] = await publish(world)
    await world.advance(31 * DAY)
    await world.advance(-29 * DAY)
    await watch(world)
    answer = await sync(world)
    assert answer.checked_count == 0
    [unread] = answer.unread_channels
    assert (unread.channel, unread.publication_count) == (channel.name, 1)
    assert "cannot be asked" in unread.reason
    assert not (await only(world, post)).HasField("remote")
    assert await world.sql("SELECT 1 FROM scheduler.remote_checks") == []


async def test_a_key_that_is_refused_is_told_and_stops_the_channel(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    channel = await place.connect()
    await publish(world)
    await world.advance(HOUR + 16 * 60)
    place.stand_in.disconnect()
    answer = await sync(world)
    [unread] = answer.unread_channels
    assert (unread.channel, unread.publication_count) == (channel.name, 1)
    await watch(world)
    found = await world.stub.GetChannel(pb.GetChannelRequest(name=channel.name))
    assert found.state == Channel.STATE_NEEDS_ATTENTION
    answer = await sync(world)
    assert [u.reason for u in answer.unread_channels] == [found.state_reason]


async def test_what_waits_at_the_provider_is_asked_for_too(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=90)
    await world.advance(40)
    await world.work()
    [publication] = (await world.get(post)).publications
    assert publication.state == Publication.STATE_SCHEDULED
    assert (await sync(world)).checked_count == 1
    await world.buffer.admin.delete_post(publication.provider_post_id)
    answer = await sync(world)
    assert (answer.checked_count, answer.missing_count) == (1, 1)
    # A second question at once is no second look.
    assert (await sync(world)).missing_count == 1
    await world.advance(61)
    answer = await sync(world)
    [publication] = answer.changed_publications
    assert publication.state == Publication.STATE_NEEDS_REVIEW
    assert publication.error.reason == "REMOTE_DELETED"


async def test_a_channel_that_was_deleted_is_named_and_its_looks_end(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    channel = await place.connect()
    await publish(world)
    await world.advance(HOUR + 16 * 60)
    await watch(world)
    await world.stub.DeleteChannel(pb.DeleteChannelRequest(name=channel.name))
    answer = await sync(world)
    assert [(u.channel, u.reason) for u in answer.unread_channels] == [
        (channel.name, "the channel that they were sent to was deleted")
    ]
    await world.advance(DAY)
    await watch(world)
    rows = await world.sql("SELECT next_check_time FROM scheduler.remote_checks")
    assert rows == [(None,)]


async def test_another_account_under_the_same_name_is_not_asked_for_what_went_out_before(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    channel = await place.connect()
    [post] = await publish(world)
    await world.stub.DeleteChannel(pb.DeleteChannelRequest(name=channel.name))
    other = site("bluesky")
    assert (await other.connect()).name == channel.name
    await world.advance(HOUR + 16 * 60)
    for _ in range(2):
        await watch(world)
        answer = await sync(world)
        assert (answer.checked_count, answer.missing_count) == (0, 0)
        [unread] = answer.unread_channels
        assert (unread.publication_count, unread.reason[-7:]) == (1, "deleted")
        await world.advance(61)
    assert not (await only(world, post)).HasField("remote")
    await world.stub.DeleteChannel(pb.DeleteChannelRequest(name=channel.name))
    # Nor is another account at the same provider.
    await place.connect()
    asked = place.stand_in.calls["status"]
    await watch(world)
    assert (await sync(world)).unread_channels[0].publication_count == 1
    assert place.stand_in.calls["status"] == asked


async def test_what_could_not_be_looked_at_for_weeks_is_left(
    world: World, site: Callable[[str], Site]
) -> None:
    place = site("mastodon")
    await place.connect()
    [post] = await publish(world)
    await world.advance(29 * DAY)
    place.stand_in.disconnect()
    await watch(world)
    # Not listed as unchanged: nobody knows.
    request = pb.ListPostsRequest(parent="personas/nora", filter='remote = "UNCHANGED"')
    assert not (await world.stub.ListPosts(request)).posts
    due = "SELECT next_check_time IS NULL FROM scheduler.remote_checks"
    assert await world.sql(due) == [(False,)]
    await world.advance(9 * DAY)
    await watch(world)
    assert await world.sql(due) == [(True,)]
    assert (await only(world, post)).state == Publication.STATE_POSTED


async def test_an_unknown_persona_and_an_unknown_state_are_refused(world: World) -> None:
    with pytest.raises(NotFound):
        await world.stub.SyncPosts(pb.SyncPostsRequest(parent="personas/nobody"))
    request = pb.ListPostsRequest(parent="personas/nora", filter='remote = "LOST"')
    with pytest.raises(InvalidArgument, match="remote is one of UNCHANGED, EDITED, REMOVED"):
        await world.stub.ListPosts(request)


async def test_many_are_looked_at_in_several_calls(
    world: World, site: Callable[[str], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = site("mastodon")
    await place.connect()
    await publish(world, "One", "Two", "Three")
    monkeypatch.setattr("services.scheduler.usecases.sync_posts.AT_MOST", 2)
    first = await sync(world)
    assert (first.checked_count, first.remaining_count) == (2, 1)
    await world.advance(1)
    await sync(world)
    rows = await world.sql("SELECT count(*) FROM scheduler.remote_checks")
    assert rows == [(3,)]


async def test_channels_that_cannot_be_asked_keep_no_others_from_it(
    world: World, site: Callable[[str], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    await site("mastodon").connect(channel_id="told")
    await publish(world)
    silent = await site("webhook").connect(channel_id="silent")
    await publish(world, "One", "Two", channels=[silent.name])
    monkeypatch.setattr("services.scheduler.usecases.sync_posts.AT_MOST", 2)
    answer = await sync(world)
    assert (answer.checked_count, answer.remaining_count) == (1, 1)
    assert [unread.channel for unread in answer.unread_channels] == [silent.name]
