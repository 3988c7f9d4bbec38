"""Nothing goes out that its photo's rights forbid, whenever they change."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1.photo_pb2 import Photo, UsageRights
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from google.protobuf.message import Message

from libs.errors import FailedPrecondition
from libs.events.stream import Event, Reject
from libs.ids import uuid7
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def tell(world: World, kind: str, message: Message, id: str = "") -> None:
    """What the catalog tells, as the consumer hears it."""
    event = Event(id or uuid7(), kind, "", "", message.SerializeToString(), datetime.now(UTC))
    await world.hear(event)


async def change_rights(world: World, photo: str, version: int, **rights: Any) -> None:
    """The rights of a photo from now on, here and in the catalog."""
    message = event_pb2.PhotoUpdated(photo=photo, version=version)
    message.rights.held = rights.pop("held", False)
    message.rights.archived = rights.pop("archived", False)
    for field, at in rights.items():
        getattr(message.rights, field).FromDatetime(at)
    await tell(world, "photo.updated", message)


async def only(world: World, post: Post) -> Publication:
    [publication] = (await world.get(post)).publications
    return publication


async def sent(world: World) -> Sequence[Any]:
    posts: Sequence[Any] = await world.buffer.admin.posts()
    return posts


async def test_an_expired_licence_holds_scheduled_posts_and_a_release_sends_them_once(
    world: World,
) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=600)
    await world.work()
    end = world.now() + timedelta(seconds=300)
    await change_rights(world, photo, 2, expire_time=end)
    found = await world.get(post)
    assert found.state == Post.STATE_SCHEDULED
    [publication] = found.publications
    assert publication.state == Publication.STATE_READY
    assert "must not go out from" in publication.state_reason
    assert publication.error.reason == "RIGHTS_HELD"
    assert publication.error.retryable

    await world.advance(600)
    await world.pass_time(3600, step=300)
    publication = await only(world, post)
    assert (publication.state, publication.attempts) == (Publication.STATE_READY, 0)
    assert await world.buffer.admin.calls() == {"received": 0, "processed": 0}

    await change_rights(world, photo, 3)
    assert (await only(world, post)).state_reason == ""
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert len(await sent(world)) == 1
    assert (await world.buffer.admin.calls())["received"] == 1


@pytest.mark.parametrize("rights", [{"held": True}, {"archived": True}])
async def test_a_photo_that_is_held_or_archived_is_not_sent_and_missed_after_a_day(
    world: World, rights: dict[str, bool]
) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=0)
    await change_rights(world, photo, 2, **rights)
    await world.pass_time(23 * 3600, step=1800)
    assert (await only(world, post)).state == Publication.STATE_READY
    await world.pass_time(2 * 3600, step=1800)
    publication = await only(world, post)
    assert publication.state == Publication.STATE_MISSED
    assert "held back" in publication.error.message or "archived" in publication.error.message
    await change_rights(world, photo, 3)
    await world.pass_time(600, step=60)
    assert (await only(world, post)).state == Publication.STATE_MISSED
    assert await sent(world) == []


async def test_rights_that_end_while_a_post_waits_hold_it_without_any_event(world: World) -> None:
    """The licence was known when the post was made; the outage that made it late was not."""
    await world.connect()
    rights = UsageRights()
    rights.expire_time.FromDatetime(world.now() + timedelta(seconds=700))
    photo = world.catalog.add_photo(rights=rights)
    post = await world.schedule(photo, after=600)
    await world.work()
    await world.advance(800)
    await world.pass_time(60)
    publication = await only(world, post)
    assert publication.state == Publication.STATE_READY
    assert "must not go out from" in publication.state_reason
    assert await sent(world) == []


async def test_an_embargo_holds_a_post_until_its_end_and_not_longer(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=120)
    await world.work()
    await change_rights(world, photo, 2, embargo_time=world.now() + timedelta(seconds=1000))
    await world.pass_time(900, step=60)
    assert (await only(world, post)).state == Publication.STATE_READY
    assert await sent(world) == []
    await world.pass_time(240)
    assert (await world.get(post)).state == Post.STATE_POSTED
    [remote] = await sent(world)
    assert remote["dueAt"] >= (world.now() - timedelta(seconds=240)).isoformat()[:19]


async def test_older_news_and_news_that_come_twice_change_nothing(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=600)
    message = event_pb2.PhotoUpdated(photo=photo, version=5)
    message.rights.held = True
    id = uuid7()
    await tell(world, "photo.updated", message, id)
    await change_rights(world, photo, 4)
    assert (await only(world, post)).error.reason == "RIGHTS_HELD"
    await change_rights(world, photo, 6)
    await tell(world, "photo.updated", message, id)
    assert not (await only(world, post)).HasField("error")
    await tell(world, "photo.updated", event_pb2.PhotoUpdated(photo=photo, version=7))
    assert not (await only(world, post)).HasField("error")


async def test_rights_that_are_told_before_the_post_is_there_count(world: World) -> None:
    """The catalog's answer is older than the event that overtook it."""
    await world.connect()
    photo = world.catalog.add_photo()
    await change_rights(world, photo, 9, held=True)
    with pytest.raises(FailedPrecondition, match="held back") as caught:
        await world.schedule(photo)
    assert caught.value.reason == "RIGHTS"
    assert caught.value.metadata == {"photo": photo, "rule": "HELD"}


async def test_an_archived_photo_is_not_scheduled(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    world.catalog.photos[photo].state = Photo.STATE_ARCHIVED
    with pytest.raises(FailedPrecondition, match="is archived") as caught:
        await world.schedule(photo)
    assert (caught.value.reason, caught.value.metadata["rule"]) == ("RIGHTS", "ARCHIVED")


async def test_a_deleted_photo_fails_what_was_not_sent(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=600)
    out = await world.schedule(after=0)
    await world.pass_time(80)
    await tell(world, "photo.deleted", event_pb2.PhotoDeleted(photo=photo))
    await tell(world, "photo.deleted", event_pb2.PhotoDeleted(photo=out.photo))
    found = await world.get(post)
    assert found.state == Post.STATE_FAILED
    assert found.publications[0].error.reason == "PHOTO_DELETED"
    assert (await world.get(out)).state == Post.STATE_POSTED
    await change_rights(world, photo, 50)
    await world.pass_time(900, step=60)
    assert len(await sent(world)) == 1


async def test_a_release_leaves_alone_what_waits_for_its_channel(world: World) -> None:
    channel = await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=0)
    await world.stub.PauseChannel(pb.PauseChannelRequest(name=channel.name))
    await world.work()
    assert (await only(world, post)).error.reason == "CHANNEL_HELD"
    await change_rights(world, photo, 2, held=True)
    assert (await only(world, post)).error.reason == "CHANNEL_HELD"
    await change_rights(world, photo, 3)
    assert (await only(world, post)).error.reason == "CHANNEL_HELD"
    assert await sent(world) == []


async def test_events_that_cannot_be_meant_are_rejected(world: World) -> None:
    with pytest.raises(Reject, match="not the name of a photo"):
        await tell(world, "photo.deleted", event_pb2.PhotoDeleted(photo="photos/1"))
    event = Event("1", "photo.updated", "", "", b"\xff", datetime.now(UTC))
    with pytest.raises(Reject, match="cannot be read"):
        await world.hear(event)
