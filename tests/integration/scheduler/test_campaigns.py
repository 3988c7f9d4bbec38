"""Posts that come with a campaign: they wait for their photos, then for their times."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1.photo_pb2 import UsageRights
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post
from google.protobuf.message import Message

from libs.errors import FailedPrecondition, InvalidArgument, Unavailable
from libs.events.stream import Event, Reject
from libs.ids import uuid7
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

CAMPAIGN = "personas/nora/campaigns/00000000-0000-0000-0000-0000000000aa"


def suggestion(number: int) -> str:
    return f"personas/nora/suggestions/{uuid.UUID(int=number)}"


def planned(world: World, number: int, *, after: float | None = None, **fields: Any) -> Any:
    values = {"pillar": "personas/nora/pillars/light", "caption": f"c{number}", **fields}
    post = event_pb2.CampaignImportedPost(suggestion=suggestion(number), **values)
    if after is not None:
        post.scheduled_time.FromDatetime(world.now() + timedelta(seconds=after))
    return post


async def hear(world: World, kind: str, message: Message, id: str = "") -> None:
    await world.hear(
        Event(id or uuid7(), kind, "", "", message.SerializeToString(), datetime.now(UTC))
    )


async def bring_in(world: World, *posts: Any, id: str = "") -> list[Post]:
    """The posts of the campaign once it is heard of, by their captions."""
    await hear(
        world, "campaign.imported", event_pb2.CampaignImported(campaign=CAMPAIGN, posts=posts), id
    )
    return await posts_of(world)


async def posts_of(world: World) -> list[Post]:
    request = pb.ListPostsRequest(parent="personas/nora", filter=f'campaign = "{CAMPAIGN}"')
    found = (await world.stub.ListPosts(request)).posts
    return sorted(found, key=lambda post: post.caption)


async def make_photo(world: World, number: int, id: str = "", **fields: Any) -> str:
    """A photo that was made for a suggestion; its name."""
    photo = world.catalog.add_photo(**fields)
    message = event_pb2.PhotoCreated(photo=photo, suggestion=suggestion(number))
    await hear(world, "photo.created", message, id)
    return photo


async def test_a_campaign_becomes_posts_that_wait_for_their_photos(world: World) -> None:
    channel = await world.connect()
    posts = await bring_in(
        world, planned(world, 1, after=3600, hashtags=["#tea"]), planned(world, 2)
    )
    assert [post.state for post in posts] == [Post.STATE_AWAITING_IMAGE] * 2
    first, second = posts
    assert (first.suggestion, first.campaign) == (suggestion(1), CAMPAIGN)
    assert first.pillar == "personas/nora/pillars/light"
    assert (first.photo, first.final_text) == ("", "c1\n\n#tea")
    assert (first.strategy, first.state_reason) == ("campaign", "waits for its photo")
    assert first.HasField("scheduled_time")
    assert not second.HasField("scheduled_time")
    assert list(first.publications) == []
    assert await world.get(first) == first
    await world.pass_time(7200, step=1800)
    assert await world.buffer.admin.posts() == []
    assert channel.name


async def test_a_photo_completes_its_post_and_schedules_it_if_its_time_is_ahead(
    world: World,
) -> None:
    channel = await world.connect()
    await bring_in(world, planned(world, 1, after=600), planned(world, 2))
    photos = [await make_photo(world, n, pillar="tea") for n in (1, 2)]
    first, second = await posts_of(world)
    assert first.state == Post.STATE_SCHEDULED
    assert (first.photo, first.state_reason) == (photos[0], "")
    assert first.alt_text == "waves of light"
    assert first.pillar == "personas/nora/pillars/tea"
    [publication] = first.publications
    assert publication.channel == channel.name
    assert (second.state, second.photo) == (Post.STATE_READY, photos[1])
    assert list(second.publications) == []
    await world.work()
    await world.advance(600)
    await world.pass_time(120)
    assert (await world.get(first)).state == Post.STATE_POSTED
    [remote] = await world.buffer.admin.posts()
    assert remote["text"] == "c1"
    outbox = await world.sql(
        "SELECT payload FROM scheduler.outbox WHERE subject = :post ORDER BY id", post=first.name
    )
    events = [event_pb2.PostChanged.FromString(bytes(row.payload)) for row in outbox]
    assert [event.state for event in events][:3] == ["AWAITING_IMAGE", "READY", "SCHEDULED"]
    assert [event.photo for event in events][:2] == ["", photos[0]]


async def test_news_that_come_twice_make_nothing_twice(world: World) -> None:
    await world.connect()
    id = uuid7()
    posts = [planned(world, n, after=600) for n in (1, 2)]
    first = await bring_in(world, *posts, id=id)
    assert await bring_in(world, *posts, id=id) == first
    # Told again under another id, as after a replay, with one that was not there.
    again = await bring_in(world, *posts, planned(world, 3))
    assert [post.name for post in again[:2]] == [post.name for post in first]
    assert len(again) == 3
    photo_event = uuid7()
    photo = await make_photo(world, 1, photo_event)
    done = await world.get(first[0])
    message = event_pb2.PhotoCreated(photo=photo, suggestion=suggestion(1))
    await hear(world, "photo.created", message, photo_event)
    await hear(world, "photo.created", message)
    assert await world.get(first[0]) == done
    await make_photo(world, 1)
    assert await world.get(first[0]) == done


async def test_what_stands_against_its_time_is_said_and_can_be_mended(world: World) -> None:
    posts = await bring_in(
        world,
        planned(world, 1, after=60),
        planned(world, 2, after=6000),
        planned(world, 3, after=6000),
        planned(world, 4, after=6000, caption="x" * 2200, hashtags=["longer"]),
    )
    await world.advance(600)
    await make_photo(world, 1)
    await make_photo(world, 2)
    await world.connect()
    await make_photo(world, 3, rights=UsageRights(held=True))
    await make_photo(world, 4)
    found = await posts_of(world)
    assert [post.state for post in found] == [Post.STATE_READY] * 4
    reasons = [post.state_reason for post in found]
    assert "is in the past" in reasons[0]
    assert "has no channel" in reasons[1]
    assert "held back" in reasons[2]
    assert "at most 2200" in reasons[3]
    at = world.now() + timedelta(seconds=900)
    request = pb.SchedulePostRequest(name=posts[0].name, request_id=str(uuid.uuid4()))
    request.scheduled_time.FromDatetime(at)
    scheduled = (await world.stub.SchedulePost(request)).post
    assert (scheduled.state, scheduled.state_reason) == (Post.STATE_SCHEDULED, "")
    assert scheduled.scheduled_time.ToDatetime(UTC) == at
    assert (await world.stub.SchedulePost(request)).post == scheduled
    request.name, request.request_id = found[2].name, ""
    with pytest.raises(FailedPrecondition) as caught:
        await world.stub.SchedulePost(request)
    assert caught.value.reason == "RIGHTS"
    request.name = posts[0].name
    with pytest.raises(FailedPrecondition) as caught:
        await world.stub.SchedulePost(request)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    request.scheduled_time.FromDatetime(world.now() - timedelta(days=1))
    with pytest.raises(InvalidArgument, match="in the past"):
        await world.stub.SchedulePost(request)


async def test_a_post_without_a_photo_can_get_another_time(world: World) -> None:
    await world.connect()
    [post] = await bring_in(world, planned(world, 1))
    request = pb.SchedulePostRequest(name=post.name)
    request.scheduled_time.FromDatetime(world.now() + timedelta(seconds=900))
    timed = (await world.stub.SchedulePost(request)).post
    assert timed.state == Post.STATE_AWAITING_IMAGE
    await make_photo(world, 1)
    [post] = await posts_of(world)
    assert post.state == Post.STATE_SCHEDULED
    assert post.scheduled_time == request.scheduled_time


async def test_a_waiting_post_can_be_called_off_and_takes_no_photo_then(world: World) -> None:
    await world.connect()
    first, second = await bring_in(world, planned(world, 1, after=600), planned(world, 2))
    cancelled = (await world.stub.CancelPost(pb.CancelPostRequest(name=first.name))).post
    assert cancelled.state == Post.STATE_CANCELLED
    again = (await world.stub.CancelPost(pb.CancelPostRequest(name=first.name))).post
    assert again == cancelled
    await make_photo(world, 1)
    assert (await world.get(first)).photo == ""
    photo = await make_photo(world, 2)
    await world.stub.CancelPost(pb.CancelPostRequest(name=second.name))
    assert (await world.schedule(photo)).state == Post.STATE_SCHEDULED
    with pytest.raises(FailedPrecondition):
        await world.stub.RetryPost(pb.RetryPostRequest(name=first.name))


async def test_a_photo_that_another_post_has_leaves_its_post_waiting(world: World) -> None:
    await world.connect()
    [post] = await bring_in(world, planned(world, 1, after=600))
    photo = world.catalog.add_photo()
    taken = await world.schedule(photo)
    message = event_pb2.PhotoCreated(photo=photo, suggestion=suggestion(1))
    await hear(world, "photo.created", message)
    found = await world.get(post)
    assert found.state == Post.STATE_AWAITING_IMAGE
    assert taken.name in found.state_reason


async def test_a_silent_catalog_delays_and_other_news_are_no_matter(world: World) -> None:
    await world.connect()
    [post] = await bring_in(world, planned(world, 1, after=600))
    photo = world.catalog.add_photo()
    message = event_pb2.PhotoCreated(photo=photo, suggestion=suggestion(1))
    id = uuid7()
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await hear(world, "photo.created", message, id)
    await hear(world, "photo.created", event_pb2.PhotoCreated(photo=photo))
    message.suggestion = suggestion(7)
    await hear(world, "photo.created", message)
    world.catalog.is_down = False
    message.suggestion = suggestion(1)
    await hear(world, "photo.created", message, id)
    assert (await world.get(post)).state == Post.STATE_SCHEDULED
    world.catalog.add_persona("otto")
    foreign = world.catalog.add_photo("otto")
    await bring_in(world, planned(world, 2))
    await hear(
        world, "photo.created", event_pb2.PhotoCreated(photo=foreign, suggestion=suggestion(2))
    )
    assert (await posts_of(world))[1].state == Post.STATE_AWAITING_IMAGE


async def test_campaigns_that_cannot_be_meant_are_rejected(world: World) -> None:
    with pytest.raises(Reject, match="not the name of a campaign"):
        await hear(world, "campaign.imported", event_pb2.CampaignImported(campaign="c"))
    with pytest.raises(Reject, match="without a suggestion"):
        await bring_in(world, event_pb2.CampaignImportedPost(caption="c"))


async def test_posts_without_a_time_are_listed_where_they_were_made(world: World) -> None:
    await world.connect()
    await bring_in(world, planned(world, 1), planned(world, 2, after=7200))
    await world.schedule(after=3600, caption="s")
    captions: list[str] = []
    token = ""
    while True:
        request = pb.ListPostsRequest(parent="personas/nora", page_size=1, page_token=token)
        page = await world.stub.ListPosts(request)
        captions += [post.caption for post in page.posts]
        token = page.next_page_token
        if not token:
            break
    assert captions == ["c2", "s", "c1"]
