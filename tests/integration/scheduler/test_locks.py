"""Locks are taken in one order, so that no two of those who hold some wait for each other:
channels, the copies of a photo, the calendar, the rights of a photo, posts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import sqlalchemy as sa
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.events.stream import Event
from libs.ids import uuid7
from tests.support.buffer import INSTAGRAM_ID, MASTODON_ID
from tests.support.clock import NOON
from tests.support.scheduler_world import World
from tests.support.wait import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")

NORA = "personas/nora"
RIGHTS = "SELECT photo FROM scheduler.photo_rights WHERE photo = :what FOR UPDATE"
CHANNEL = "SELECT id FROM scheduler.channels WHERE id = :what FOR UPDATE"
NAMED = "SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"
POSTS = "SELECT id FROM scheduler.posts FOR UPDATE NOWAIT"
ZULU = "SELECT id FROM scheduler.channels WHERE id = 'zulu' FOR UPDATE NOWAIT"


class Holder:
    """A transaction that holds a lock."""

    def __init__(self, world: World, connection: AsyncConnection, process: int) -> None:
        self._world = world
        self._connection = connection
        self._process = process

    async def is_waited_for(self) -> bool:
        """Whether somebody waits for what this one holds."""
        rows = "SELECT pid FROM pg_stat_activity WHERE :process = ANY(pg_blocking_pids(pid))"
        return bool(await self._world.sql(rows, process=self._process))

    async def take(self, statement: str) -> int:
        """How many rows are locked now; fails if somebody else holds one of them."""
        return len((await self._connection.execute(sa.text(statement))).all())


@contextlib.asynccontextmanager
async def holding(world: World, statement: str, what: str) -> AsyncIterator[Holder]:
    async with world.database.transaction() as connection:
        process = (await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
        assert (await connection.execute(sa.text(statement), {"what": what})).all()
        yield Holder(world, connection, process)


async def waits(world: World, call: Awaitable[Any], statement: str, what: str, then: str) -> int:
    """Sees that ``call`` waits for a lock, and how many rows ``then`` can lock meanwhile."""
    async with holding(world, statement, what) as holder:
        waiting = asyncio.ensure_future(call)
        await eventually(holder.is_waited_for)
        free = await holder.take(then)
    await waiting
    return free


async def complete(world: World) -> Post:
    """A post that has all it needs but a time."""
    planned = event_pb2.CampaignImportedPost(
        suggestion=f"{NORA}/suggestions/{uuid7()}", pillar=f"{NORA}/pillars/light", caption="Light"
    )
    photo = world.catalog.add_photo()
    campaign = event_pb2.CampaignImported(campaign=f"{NORA}/campaigns/{uuid7()}", posts=[planned])
    made = event_pb2.PhotoCreated(photo=photo, suggestion=planned.suggestion)
    for kind, message in (("campaign.imported", campaign), ("photo.created", made)):
        await world.hear(Event(uuid7(), kind, "", "", message.SerializeToString(), NOON))
    [post] = (await world.stub.ListPosts(pb.ListPostsRequest(parent=NORA))).posts
    assert post.state == Post.STATE_READY
    return post


async def test_a_post_is_changed_under_the_lock_of_its_photos_rights(world: World) -> None:
    """What is told of rights locks them, and then the post."""
    await world.connect()
    post = await world.schedule()
    request = pb.UpdatePostRequest(post=Post(name=post.name, caption="Dusk"))
    request.update_mask.paths.append("caption")
    call = world.stub.UpdatePost(request)
    assert await waits(world, call, RIGHTS, post.photo, POSTS) == 1


async def test_a_post_gets_its_time_under_the_lock_of_its_photos_rights(world: World) -> None:
    await world.connect()
    post = await complete(world)
    request = pb.SchedulePostRequest(name=post.name)
    request.scheduled_time.FromDatetime(world.now())
    call = world.stub.SchedulePost(request)
    assert await waits(world, call, RIGHTS, post.photo, POSTS) == 1


async def test_a_post_is_approved_under_the_lock_of_its_channels(world: World) -> None:
    """Who sends one again locks its channels, and then the post."""
    await world.connect(channel_id="insta")
    post = await world.schedule()
    approve = pb.ApprovePostRequest(name=post.name, etag=post.etag)
    call = world.stub.ApprovePost(approve)
    assert await waits(world, call, CHANNEL, "insta", POSTS) == 1
    withdraw = pb.WithdrawPostApprovalRequest(name=post.name)
    again = world.stub.WithdrawPostApproval(withdraw)
    assert await waits(world, again, CHANNEL, "insta", POSTS) == 1


async def test_the_channels_of_a_post_are_locked_by_name(world: World) -> None:
    """Both by those who use them and by those who send a post again, whichever came first."""
    await world.connect(INSTAGRAM_ID, channel_id="zulu")
    await world.connect(MASTODON_ID, channel_id="alpha")
    create = world.schedule(after=0)
    assert await waits(world, create, CHANNEL, "alpha", ZULU) == 1
    await world.buffer.admin.change_settings(scheduledPosts=0)
    await world.work()
    [post] = (await world.stub.ListPosts(pb.ListPostsRequest(parent=NORA))).posts
    assert post.state == Post.STATE_FAILED
    retry = world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    assert await waits(world, retry, CHANNEL, "alpha", ZULU) == 1


async def test_a_post_is_called_off_under_the_lock_of_its_copies(world: World) -> None:
    """It sets free what is held for it, which may be called off as well just then."""
    await world.connect()
    post = await world.schedule()
    copy = event_pb2.PhotoCopy(photo=world.catalog.add_photo(), verdict="DUPLICATE")
    told = event_pb2.PhotoCopiesFound(photo=post.photo, copies=[copy], version=1)
    event = Event(uuid7(), "photo.copies_found", "", "", told.SerializeToString(), NOON)
    await world.hear(event)
    call = world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    assert await waits(world, call, NAMED, "copies of nora", POSTS) == 1
