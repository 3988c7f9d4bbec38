"""Posts are changed until a provider has them, and go out as they were approved or not at all."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Approval, Post, Publication

from libs.errors import ColonnadeError, Conflict, FailedPrecondition, InvalidArgument
from tests.support.buffer import MASTODON_ID
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

GIVEN, NONE, VOID = Approval.STATE_GIVEN, Approval.STATE_NONE, Approval.STATE_VOID


async def update(world: World, post: Post, *paths: str, etag: str = "", **fields: Any) -> Post:
    request = pb.UpdatePostRequest(post=Post(name=post.name, etag=etag, **fields))
    request.update_mask.paths.extend(paths or fields)
    return await world.stub.UpdatePost(request)


async def move(world: World, post: Post, seconds: float) -> Post:
    request = pb.UpdatePostRequest(post=Post(name=post.name))
    request.post.scheduled_time.FromDatetime(world.now() + timedelta(seconds=seconds))
    request.update_mask.paths.append("scheduled_time")
    return await world.stub.UpdatePost(request)


async def approve(world: World, post: Post) -> Post:
    request = pb.ApprovePostRequest(name=post.name, etag=post.etag)
    return (await world.stub.ApprovePost(request)).post


async def withdraw(world: World, post: Post) -> Post:
    request = pb.WithdrawPostApprovalRequest(name=post.name)
    return (await world.stub.WithdrawPostApproval(request)).post


async def asking(world: World) -> str:
    """A channel on which only approved posts go out."""
    channel = await world.connect()
    channel.approval_required = True
    request = pb.UpdateChannelRequest(channel=channel)
    request.update_mask.paths.append("approval_required")
    return (await world.stub.UpdateChannel(request)).name


async def live(world: World) -> int:
    return len(await world.buffer.admin.posts())


async def test_text_and_time_are_changed_until_a_provider_has_the_post(world: World) -> None:
    await world.connect()
    post = await world.schedule(caption="First", hashtags=["one"], after=3600)
    changed = await update(world, post, caption="Second", hashtags=["two", "three"])
    assert changed.final_text == "Second\n\n#two #three"
    assert (await update(world, post, "hashtags")).final_text == "Second"
    moved = await move(world, post, 300)
    [publication] = moved.publications
    assert moved.strategy == "manual"
    assert publication.next_attempt_time.ToDatetime() < post.scheduled_time.ToDatetime()
    await world.pass_time(400)
    out = await world.get(post)
    assert out.state == Post.STATE_POSTED
    assert out.final_text == "Second"
    with pytest.raises(FailedPrecondition) as refused:
        await update(world, post, caption="Third")
    assert refused.value.reason == "ILLEGAL_STATE_MOVE"


async def test_what_a_provider_has_is_not_changed(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=70)
    await world.advance(20)
    await world.work()
    assert (await world.get(post)).publications[0].state == Publication.STATE_SCHEDULED
    with pytest.raises(FailedPrecondition) as refused:
        await update(world, post, caption="Too late")
    assert refused.value.reason == "POST_SENT"


async def test_now_is_a_time_as_well(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=7200)
    await move(world, post, 0)
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_a_change_is_checked_like_a_new_post(world: World) -> None:
    await world.connect()
    post = await world.schedule()
    with pytest.raises(InvalidArgument, match="past"):
        await move(world, post, -3600)
    with pytest.raises(InvalidArgument, match="update_mask"):
        await update(world, post, "photos", caption="x")
    with pytest.raises(InvalidArgument, match=r"channels"):
        other = "personas/nora/channels/other"
        await update(world, post, "channels", channels=[other])
    with pytest.raises(Conflict):
        await update(world, post, "caption", caption="x", etag="77")
    with pytest.raises(ColonnadeError, match="hashtags"):
        await update(world, post, caption=" ".join(f"#t{n}" for n in range(31)))
    assert (await world.get(post)).caption == "Light"


async def test_nothing_goes_out_that_nobody_approved(world: World) -> None:
    await asking(world)
    post = await world.schedule(after=300)
    assert post.approval.state == NONE
    assert "approve" in post.publications[0].state_reason
    await world.pass_time(600)
    waiting = await world.get(post)
    assert waiting.state == Post.STATE_SCHEDULED
    assert waiting.publications[0].error.reason == "APPROVAL_HELD"
    assert not await live(world)

    approved = await approve(world, waiting)
    assert approved.approval.state == GIVEN
    assert approved.approval.approver
    assert not approved.publications[0].error.reason
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert await live(world) == 1


@pytest.mark.parametrize("field", ["caption", "hashtags", "alt_text", "scheduled_time"])
async def test_a_change_voids_the_approval(world: World, field: str) -> None:
    await asking(world)
    post = await approve(world, await world.schedule(after=300))
    if field == "scheduled_time":
        changed = await move(world, post, 200)
    else:
        value: Any = ["new"] if field == "hashtags" else "new"
        changed = await update(world, post, **{field: value})
    assert changed.approval.state == VOID
    assert "again" in changed.publications[0].state_reason
    await world.pass_time(500)
    assert not await live(world)
    await approve(world, await world.get(post))
    await world.pass_time(120)
    assert await live(world) == 1


async def test_a_change_back_makes_it_what_was_approved(world: World) -> None:
    await asking(world)
    post = await approve(world, await world.schedule())
    assert (await update(world, post, caption="Other")).approval.state == VOID
    again = await update(world, post, caption="Light")
    assert again.approval.state == GIVEN
    assert not again.publications[0].state_reason


async def test_an_approval_can_be_taken_back(world: World) -> None:
    await asking(world)
    post = await approve(world, await world.schedule(after=300))
    assert (await withdraw(world, post)).approval.state == NONE
    await world.pass_time(500)
    assert not await live(world)


async def test_nobody_approves_what_was_changed_since_it_was_looked_at(world: World) -> None:
    await asking(world)
    post = await world.schedule()
    await update(world, post, caption="Changed meanwhile")
    with pytest.raises(Conflict):
        await approve(world, post)


async def test_a_channel_that_asks_no_more_lets_go_what_waited(world: World) -> None:
    name = await asking(world)
    post = await world.schedule(after=300)
    await world.pass_time(400)
    assert not await live(world)
    request = pb.UpdateChannelRequest()
    request.channel.name = name
    request.update_mask.paths.append("approval_required")
    await world.stub.UpdateChannel(request)
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_of_an_edit_and_a_hand_over_at_once_never_an_unapproved_text_goes_out(
    world: World,
) -> None:
    await asking(world)
    for number in range(6):
        post = await approve(world, await world.schedule(after=70, caption=f"Approved {number}"))
        await world.advance(20)
        edit = update(world, post, caption=f"Edited {number}")
        await asyncio.gather(world.work(), edit, return_exceptions=True)
        await world.pass_time(120)
    texts = [post["text"] for post in await world.buffer.admin.posts()]
    assert not [text for text in texts if text.startswith("Edited")]
    assert len(texts) == len(set(texts))


async def test_what_still_waits_can_be_approved_whatever_is_out_already(world: World) -> None:
    name = await asking(world)
    other = (await world.connect(MASTODON_ID)).name
    post = await world.schedule(after=300)
    await world.pass_time(500)
    half = await world.get(post)
    states = {p.channel: p.state for p in half.publications}
    assert states[other] == Publication.STATE_POSTED
    assert states[name] == Publication.STATE_READY
    await approve(world, half)
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert await live(world) == 2


async def test_what_is_tried_again_can_be_approved_again(world: World) -> None:
    await asking(world)
    post = await approve(world, await world.schedule(after=300))
    await world.buffer.admin.change_settings(scheduledPosts=0)
    await world.pass_time(500)
    assert (await world.get(post)).state == Post.STATE_FAILED
    await world.buffer.admin.change_settings(scheduledPosts=100)
    retried = (await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))).post
    assert retried.approval.state == VOID
    await world.pass_time(60)
    assert not await live(world)
    await approve(world, await world.get(post))
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_waiting_changes_nothing_that_people_look_at(world: World) -> None:
    await asking(world)
    post = await world.schedule(after=300)
    await world.pass_time(400)
    seen = await world.get(post)
    await world.pass_time(4000, step=400)
    assert (await world.get(post)).etag == seen.etag
    await approve(world, seen)


async def test_what_is_over_is_not_approved(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=120)
    await world.pass_time(300)
    with pytest.raises(FailedPrecondition):
        await approve(world, await world.get(post))
