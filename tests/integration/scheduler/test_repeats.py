"""No copy of a picture goes out twice on a channel, unless somebody wants it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import BatchPost, Post, Publication
from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from libs.events.stream import Event, Reject
from libs.ids import uuid7
from services.scheduler.deps import planner_cases
from services.scheduler.domain.planning import VarietyRule
from services.scheduler.usecases.plan_calendar import Options
from tests.support.scheduler_sites import Site
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

NORA = "personas/nora"
DAY = 86400.0


async def tell(
    world: World, photo: str, copies: Sequence[str], version: int = 1, verdict: str = "DUPLICATE"
) -> None:
    """What the clustering service tells of one photo, as the consumer hears it."""
    message = event_pb2.PhotoCopiesFound(
        photo=photo,
        copies=[event_pb2.PhotoCopy(photo=copy, verdict=verdict) for copy in copies],
        version=version,
    )
    payload = message.SerializeToString()
    await world.hear(Event(uuid7(), "photo.copies_found", "", "", payload, datetime.now(UTC)))


async def copies(world: World, count: int = 2, **told: Any) -> list[str]:
    """New photos that show one picture."""
    photos = [world.catalog.add_photo() for _ in range(count)]
    for photo in photos:
        await tell(world, photo, [other for other in photos if other != photo], **told)
    return photos


async def refusal(world: World, photo: str, **fields: Any) -> AlreadyExists:
    with pytest.raises(AlreadyExists) as caught:
        await world.schedule(photo, **fields)
    assert caught.value.reason == "PHOTO_REPEATED"
    return caught.value


async def only(world: World, post: Post) -> Publication:
    [publication] = (await world.get(post)).publications
    return publication


async def post_now(world: World, photo: str, **fields: Any) -> Post:
    post = await world.schedule(photo, after=60, **fields)
    await world.pass_time(240, step=30)
    post = await world.get(post)
    assert post.state == Post.STATE_POSTED
    return post


async def cancel(world: World, post: Post) -> None:
    await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))


async def update(world: World, name: str, **fields: Any) -> Post:
    post = Post(name=name, **fields)
    mask = FieldMask(paths=[*fields])
    return await world.stub.UpdatePost(pb.UpdatePostRequest(post=post, update_mask=mask))


async def set_window(world: World, channel: str, days: int) -> None:
    asked = Channel(name=channel, repeat_window_days=days)
    mask = FieldMask(paths=["repeat_window_days"])
    changed = await world.stub.UpdateChannel(
        pb.UpdateChannelRequest(channel=asked, update_mask=mask)
    )
    assert changed.repeat_window_days == days


@pytest.mark.parametrize("verdict", ["DUPLICATE", "VARIANT"])
async def test_a_copy_of_what_is_out_is_refused_and_the_earlier_post_is_shown(
    world: World, verdict: str
) -> None:
    channel = (await world.connect()).name
    first, second = await copies(world, verdict=verdict)
    earlier = await post_now(world, first)
    refused = await refusal(world, second)
    [publication] = earlier.publications
    assert refused.metadata == {
        "resource": "post",
        "name": earlier.name,
        "post": earlier.name,
        "photo": first,
        "channel": channel,
        "verdict": verdict,
        "time": publication.posted_time.ToDatetime(UTC).isoformat(),
    }
    assert earlier.name in refused.message
    with pytest.raises(AlreadyExists) as caught:
        await world.schedule(first)
    assert caught.value.reason == "PHOTO_ALREADY_SCHEDULED"
    assert len(await world.sql("SELECT id FROM scheduler.posts")) == 1


async def test_a_copy_of_what_is_to_go_out_is_refused_before_and_after_it(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    await world.schedule(first, after=100 * DAY)
    for days in (10.1, 100, 189.9):
        await refusal(world, second, after=days * DAY)
    await world.schedule(second, after=9.9 * DAY)


async def test_the_window_is_that_of_the_channel_and_0_switches_it_off(world: World) -> None:
    channel = (await world.connect()).name
    first, second = await copies(world)
    await world.schedule(first, after=DAY)
    assert not (await world.stub.GetChannel(pb.GetChannelRequest(name=channel))).HasField(
        "repeat_window_days"
    )
    await set_window(world, channel, 5)
    await refusal(world, second, after=5.9 * DAY)
    await cancel(world, await world.schedule(second, after=6.1 * DAY))
    await set_window(world, channel, 0)
    await world.schedule(second, after=DAY)


async def test_another_channel_is_another_audience(world: World) -> None:
    insta, masto = await world.connect_both()
    first, second = await copies(world)
    await world.schedule(first, channels=[insta])
    await refusal(world, second)
    post = await world.schedule(second, channels=[masto])
    assert [p.channel for p in post.publications] == [masto]


async def test_what_was_called_off_is_not_in_the_way(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    await cancel(world, await world.schedule(first))
    await world.schedule(second)
    await refusal(world, first)


async def test_a_reason_lets_a_copy_through_and_names_what_it_repeats(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    earlier = await post_now(world, first)
    post = await world.schedule(second, after=60, repeat_reason="asked for by readers")
    assert (post.repeats, post.repeat_reason) == (earlier.name, "asked for by readers")
    await world.pass_time(240, step=30)
    assert (await world.get(post)).state == Post.STATE_POSTED
    free = await world.schedule(repeat_reason="just in case")
    assert free.repeats == ""


async def test_each_photo_of_a_batch_is_judged_alone_and_may_have_a_reason(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    other = world.catalog.add_photo()

    async def batch(*photos: BatchPost, **fields: Any) -> list[Any]:
        request = pb.BatchCreatePostsRequest(parent=NORA, posts=photos, **fields)
        request.spacing.FromSeconds(3600)
        return list((await world.stub.BatchCreatePosts(request)).results)

    results = await batch(*(BatchPost(photo=photo) for photo in (first, second, other)))
    assert [bool(result.status.code) for result in results] == [False, True, False]
    assert "is the same picture as" in results[1].status.message
    [result] = await batch(BatchPost(photo=second), repeat_reason="a series")
    assert result.post.repeats == results[0].post.name


async def test_a_time_at_which_a_copy_is_in_the_way_is_refused(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    await world.schedule(first, after=DAY)
    post = await world.schedule(second, after=200 * DAY)
    later = Post(name=post.name)
    later.scheduled_time.FromDatetime(world.now() + timedelta(days=80))
    with pytest.raises(AlreadyExists) as caught:
        await world.stub.UpdatePost(pb.UpdatePostRequest(post=later))
    assert caught.value.reason == "PHOTO_REPEATED"
    assert (await update(world, post.name, caption="Dusk")).caption == "Dusk"
    later.repeat_reason = "for the anniversary"
    moved = await world.stub.UpdatePost(pb.UpdatePostRequest(post=later))
    assert moved.repeats.startswith(f"{NORA}/posts/")


async def test_a_failed_post_is_not_tried_again_beside_a_copy(world: World) -> None:
    channel = (await world.connect()).name
    first, second = await copies(world)
    post = await world.schedule(first, after=60)
    await world.stub.PauseChannel(pb.PauseChannelRequest(name=channel))
    await world.pass_time(2 * DAY, step=DAY / 2)
    assert (await only(world, post)).state == Publication.STATE_MISSED
    await world.stub.ResumeChannel(pb.ResumeChannelRequest(name=channel))
    other = await world.schedule(second, after=DAY)
    with pytest.raises(AlreadyExists) as caught:
        await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    assert caught.value.metadata["post"] == other.name
    await cancel(world, other)
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))


async def planned_too_early(world: World) -> tuple[Post, Post]:
    """Posts of two photos, of which it shows only afterwards that they are copies."""
    await world.connect()
    first, second = (world.catalog.add_photo() for _ in range(2))
    earlier = await world.schedule(first, after=60)
    later = await world.schedule(second, after=1200)
    await tell(world, second, [first])
    await tell(world, first, [second])
    return earlier, later


async def test_what_shows_to_be_a_copy_later_is_held_when_it_is_due(world: World) -> None:
    earlier, later = await planned_too_early(world)
    shown = await only(world, later)
    assert shown.error.reason == "REPEAT_HELD", "it shows at once"
    assert (await only(world, earlier)).error.reason == "", "the first one goes out"
    await world.pass_time(3000, step=60)
    assert (await world.get(earlier)).state == Post.STATE_POSTED
    held = await only(world, later)
    assert (held.state, held.attempts) == (Publication.STATE_READY, 0)
    assert earlier.name in held.state_reason
    assert (await world.buffer.admin.calls())["received"] == 1

    given = await update(world, later.name, repeat_reason="both are wanted")
    assert given.repeats == earlier.name
    await world.pass_time(300, step=30)
    assert (await world.get(later)).state == Post.STATE_POSTED
    assert (await world.buffer.admin.calls())["received"] == 2


async def test_what_was_tried_and_is_held_goes_out_once_it_has_a_reason(
    world: World, site: Callable[[str], Site]
) -> None:
    """Its answer was lost, and its receiver cannot be asked: it may be out, or not."""
    place = site("webhook")
    await place.connect()
    first, second = (world.catalog.add_photo() for _ in range(2))
    await post_now(world, first)
    post = await world.schedule(second, after=0)
    place.stand_in.fault("drop_before")
    await world.work()
    assert (await only(world, post)).state == Publication.STATE_UNKNOWN
    await tell(world, second, [first])
    await world.pass_time(30 * 3600, step=3600)
    held = await only(world, post)
    assert (held.state, held.error.reason) == (Publication.STATE_RETRY_WAIT, "REPEAT_HELD")
    for fields in ({"caption": "Dusk"}, {"caption": "Dusk", "repeat_reason": "both"}):
        with pytest.raises(FailedPrecondition) as caught:
            await update(world, post.name, **fields)
        assert caught.value.reason == "POST_SENT", "the text must be that of the first call"
    given = await update(world, post.name, repeat_reason="both are wanted")
    assert given.repeat_reason == "both are wanted"
    await world.pass_time(60, step=30)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert place.posts == 2
    with pytest.raises(FailedPrecondition) as caught:
        await update(world, post.name, repeat_reason="too late")
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"


async def test_a_reason_moves_nothing_of_a_post_that_is_out_in_part(world: World) -> None:
    rows = (
        "SELECT state, due_time, next_attempt_time FROM scheduler.publications"
        " ORDER BY state, channel_id"
    )
    await world.connect_both()
    post = await world.schedule(after=60)
    await world.buffer.admin.change_settings(scheduledPosts=1)
    await world.pass_time(240, step=30)
    again = pb.RetryPostRequest(name=post.name)
    again.scheduled_time.FromDatetime(world.now() + timedelta(hours=1))
    await world.stub.RetryPost(again)
    before = await world.sql(rows)
    assert [row.state for row in before] == ["posted", "ready"]
    given = await update(world, post.name, repeat_reason="both are wanted")
    assert given.repeat_reason == "both are wanted"
    assert await world.sql(rows) == before


async def test_what_is_held_goes_out_once_the_other_is_called_off(world: World) -> None:
    earlier, later = await planned_too_early(world)
    await cancel(world, earlier)
    assert (await only(world, later)).error.reason == ""
    await world.pass_time(1500, step=60)
    assert (await world.get(later)).state == Post.STATE_POSTED
    assert (await world.buffer.admin.calls())["received"] == 1


async def test_what_is_held_says_so_when_another_picture_is_called_off(world: World) -> None:
    _, later = await planned_too_early(world)
    await cancel(world, await world.schedule(after=DAY))
    first, _ = await copies(world)
    await cancel(world, await world.schedule(first, after=DAY))
    assert (await only(world, later)).error.reason == "REPEAT_HELD"


async def test_what_may_be_out_is_ahead_of_a_copy_that_is_due_before_it(world: World) -> None:
    earlier, later = await planned_too_early(world)
    in_doubt = "UPDATE scheduler.publications SET was_unknown = true WHERE post_id = :id"
    await world.sql(in_doubt, id=later.name.rpartition("/")[2])
    await world.pass_time(1500, step=60)
    assert (await only(world, earlier)).error.reason == "REPEAT_HELD"
    assert (await world.get(later)).state == Post.STATE_POSTED
    assert (await world.buffer.admin.calls())["received"] == 1


async def test_a_wrong_verdict_that_is_taken_back_holds_nothing(world: World) -> None:
    _, later = await planned_too_early(world)
    await tell(world, later.photo, [], version=2)
    assert (await only(world, later)).error.reason == ""
    await tell(world, later.photo, [world.catalog.add_photo()], version=1)
    await world.pass_time(1500, step=60)
    assert (await world.get(later)).state == Post.STATE_POSTED


async def test_of_two_copies_that_are_due_at_once_one_goes_out(world: World) -> None:
    await world.connect()
    photos = [world.catalog.add_photo() for _ in range(2)]
    at = world.now() + timedelta(seconds=60)
    posts = []
    for photo in photos:
        post = Post(photo=photo, caption="Light")
        post.scheduled_time.FromDatetime(at)
        posts.append(await world.stub.CreatePost(pb.CreatePostRequest(parent=NORA, post=post)))
    for photo, other in (photos, photos[::-1]):
        await tell(world, photo, [other])
    await world.pass_time(300, step=30)
    states = sorted([(await world.get(post)).state for post in posts])
    assert states == [Post.STATE_SCHEDULED, Post.STATE_POSTED]
    assert (await world.buffer.admin.calls())["received"] == 1


async def test_of_many_copies_at_once_one_is_scheduled(world: World) -> None:
    await world.connect()
    for _ in range(5):
        photos = await copies(world, 6)
        outcomes = await asyncio.gather(
            *(world.schedule(photo) for photo in photos), return_exceptions=True
        )
        made = [each for each in outcomes if isinstance(each, Post)]
        refused = [each for each in outcomes if isinstance(each, AlreadyExists)]
        assert (len(made), len(refused)) == (1, 5)
        assert {each.metadata["post"] for each in refused} == {made[0].name}


async def test_a_photo_goes_out_again_on_purpose_once_each_time(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    posts = [await post_now(world, photo)]
    with pytest.raises(AlreadyExists) as caught:
        await world.schedule(photo)
    assert caught.value.reason == "PHOTO_ALREADY_SCHEDULED"
    for time in ("second", "third"):
        outcomes = await asyncio.gather(
            *(world.schedule(photo, after=60, repeat_reason=f"{time} time") for _ in range(50)),
            return_exceptions=True,
        )
        [made] = [each for each in outcomes if isinstance(each, Post)]
        refused = [each for each in outcomes if isinstance(each, AlreadyExists)]
        assert len(refused) == 49
        assert {(each.reason, each.metadata["existing_post"]) for each in refused} == {
            ("PHOTO_ALREADY_SCHEDULED", made.name)
        }
        assert made.repeats == posts[-1].name
        with pytest.raises(InvalidArgument, match="repeat_reason"):
            await update(world, made.name, repeat_reason="")
        await world.pass_time(240, step=30)
        posts.append(await world.get(made))
        assert posts[-1].state == Post.STATE_POSTED
    assert (await world.buffer.admin.calls())["received"] == 3
    counted = await world.sql("SELECT generation FROM scheduler.posts ORDER BY generation")
    assert [row.generation for row in counted] == [1, 2, 3]


async def test_a_repetition_that_is_called_off_leaves_its_place_to_another(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    first = await post_now(world, photo)
    await cancel(world, await world.schedule(photo, repeat_reason="once more"))
    again = await world.schedule(photo, repeat_reason="now really")
    assert again.repeats == first.name


async def test_a_copy_that_is_deleted_was_seen_all_the_same(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    await post_now(world, first)
    gone = event_pb2.PhotoDeleted(photo=first).SerializeToString()
    await world.hear(Event(uuid7(), "photo.deleted", "", "", gone, datetime.now(UTC)))
    await tell(world, second, [], version=2)
    await refusal(world, second)


async def test_what_does_not_say_what_photos_are_to_each_other_is_rejected(world: World) -> None:
    photo = world.catalog.add_photo()
    with pytest.raises(Reject, match="BURST"):
        await tell(world, photo, [world.catalog.add_photo()], verdict="BURST")
    with pytest.raises(Reject, match="not the name of a photo"):
        await tell(world, "personas/nora", [])


async def test_lists_and_plans_leave_copies_out(world: World) -> None:
    _insta, masto = await world.connect_both()
    world.catalog.add_pillar("light", 100)
    first, second, third = await copies(world, 3)
    for photo in (first, second, third):
        world.catalog.photos[photo].quality = 0.9
    free = world.catalog.add_photo(quality=0.1)

    async def left() -> set[str]:
        answer = await world.stub.ListUnscheduledPhotos(
            pb.ListUnscheduledPhotosRequest(parent=NORA)
        )
        return {photo.name for photo in answer.photos}

    plans = planner_cases(world.out, world.settings).plans
    plan = await plans.preview("nora", Options(days=14))
    assert [decision.photo for decision in plan.decisions][:2] == [first, free]
    assert plan.decisions[1].refused[VarietyRule.REPEAT] == 2
    assert await left() == {first, second, third, free}

    await world.schedule(first, after=3600, channels=[masto])
    world.catalog.photos[first].usage = Photo.USAGE_SCHEDULED
    assert await left() == {free}
    plan = await plans.preview("nora", Options(days=14))
    assert [decision.photo for decision in plan.decisions] == [free]
    await set_window(world, masto, 0)
    assert await left() == {second, third, free}


async def test_a_campaign_does_not_bring_a_copy_out_by_itself(world: World) -> None:
    await world.connect()
    first, second = await copies(world)
    earlier = await world.schedule(first, after=DAY)
    planned = event_pb2.CampaignImportedPost(
        suggestion=f"{NORA}/suggestions/{uuid7()}", pillar=f"{NORA}/pillars/light", caption="Light"
    )
    planned.scheduled_time.FromDatetime(world.now() + timedelta(days=2))
    campaign = event_pb2.CampaignImported(campaign=f"{NORA}/campaigns/{uuid7()}", posts=[planned])
    made = event_pb2.PhotoCreated(photo=second, suggestion=planned.suggestion)
    for kind, message in (("campaign.imported", campaign), ("photo.created", made)):
        payload = message.SerializeToString()
        await world.hear(Event(uuid7(), kind, "", "", payload, datetime.now(UTC)))
    listed = await world.stub.ListPosts(pb.ListPostsRequest(parent=NORA, filter='state = "READY"'))
    [waiting] = listed.posts
    assert earlier.name in waiting.state_reason
    again = pb.SchedulePostRequest(name=waiting.name, scheduled_time=planned.scheduled_time)
    with pytest.raises(AlreadyExists) as caught:
        await world.stub.SchedulePost(again)
    assert caught.value.reason == "PHOTO_REPEATED"
    await update(world, waiting.name, repeat_reason="it belongs to the campaign")
    placed = (await world.stub.SchedulePost(again)).post
    assert (placed.state, placed.repeats) == (Post.STATE_SCHEDULED, earlier.name)
