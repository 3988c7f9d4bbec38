"""Scheduling, reading, watching, calling off and trying again."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import UsageRights
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from tests.support.scheduler_world import World
from tests.support.wait import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


async def cancel(world: World, post: Post, request_id: str = "") -> Post:
    request = pb.CancelPostRequest(name=post.name, request_id=request_id)
    return (await world.stub.CancelPost(request)).post


async def listed(world: World, parent: str = "personas/nora", **fields: object) -> list[str]:
    """The captions of all pages of two."""
    captions, token = [], ""
    while True:
        request = pb.ListPostsRequest(parent=parent, page_size=2, page_token=token, **fields)
        page = await world.stub.ListPosts(request)
        assert len(page.posts) <= 2
        captions += [post.caption for post in page.posts]
        token = page.next_page_token
        if not token:
            return captions


async def test_a_new_post_shows_all_that_was_decided(world: World) -> None:
    channels = await world.connect_both()
    photo = world.catalog.add_photo(pillar="coffee", alt_text="a cup")
    post = await world.schedule(
        photo, after=3600, caption=" Slow  ", hashtags=["#tea", "Tea", "x_1"]
    )
    assert post.name.startswith("personas/nora/posts/")
    assert post.photo == photo
    assert post.pillar == "personas/nora/pillars/coffee"
    assert post.final_text == "Slow\n\n#tea #x_1"
    assert post.alt_text == "a cup"
    assert post.state == Post.STATE_SCHEDULED
    assert post.strategy == "manual"
    assert sorted(post.channels) == sorted(channels)
    assert [p.channel for p in post.publications] == list(post.channels)
    assert all(p.name.startswith(f"{post.name}/publications/") for p in post.publications)
    assert {p.state for p in post.publications} == {Publication.STATE_READY}
    [publication, _] = post.publications
    due = post.scheduled_time.ToDatetime() - timedelta(seconds=60)
    assert publication.next_attempt_time.ToDatetime() == due
    assert await world.get(post) == post


async def test_of_fifty_attempts_with_one_photo_one_succeeds(world: World) -> None:
    await world.connect_both()
    photo = world.catalog.add_photo()
    results = await asyncio.gather(
        *(world.schedule(photo) for _ in range(50)), return_exceptions=True
    )
    [made] = [result for result in results if isinstance(result, Post)]
    refused = [result for result in results if isinstance(result, AlreadyExists)]
    assert len(refused) == 49
    for error in refused:
        assert error.reason == "PHOTO_ALREADY_SCHEDULED"
        assert error.metadata["existing_post"] == made.name
        assert error.metadata["state"] == "SCHEDULED"
    counts = await world.sql(
        "SELECT (SELECT count(*) FROM scheduler.posts), (SELECT count(*) FROM"
        " scheduler.publications), (SELECT count(*) FROM scheduler.outbox)"
    )
    assert tuple(counts[0]) == (1, 2, 1)


async def test_a_request_sent_again_gets_the_first_answer(world: World) -> None:
    await world.connect()
    photo, id = world.catalog.add_photo(), str(uuid.uuid4())
    post = Post(photo=photo, caption="Once", scheduled_time=stamp(world.now() + timedelta(hours=1)))
    request = pb.CreatePostRequest(parent="personas/nora", post=post, request_id=id)
    answers = await asyncio.gather(*(world.stub.CreatePost(request) for _ in range(5)))
    assert len({answer.name for answer in answers}) == 1
    world.catalog.is_down = True
    assert (await world.stub.CreatePost(request)).name == answers[0].name
    request.post.caption = "Twice"
    with pytest.raises(AlreadyExists) as caught:
        await world.stub.CreatePost(request)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_the_same_bytes_under_another_name_go_out_once_a_channel(world: World) -> None:
    await world.connect()
    first = world.catalog.add_photo(sha256="a" * 64)
    second = world.catalog.add_photo(sha256="a" * 64)
    post = await world.schedule(first)
    with pytest.raises(AlreadyExists) as caught:
        await world.schedule(second)
    assert caught.value.metadata["existing_post"] == post.name
    await cancel(world, post)
    post = await world.schedule(second)
    with pytest.raises(AlreadyExists) as caught:
        await world.schedule(first)
    assert caught.value.metadata["existing_post"] == post.name


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        (UsageRights(held=True), "held back"),
        (UsageRights(embargo_time=stamp(datetime(2100, 1, 1, tzinfo=UTC))), "before 2100-01-01"),
        (UsageRights(expire_time=stamp(datetime(2020, 1, 1, tzinfo=UTC))), "from 2020-01-01"),
    ],
)
async def test_a_photo_goes_out_only_when_it_may(
    world: World, rights: UsageRights, words: str
) -> None:
    await world.connect()
    photo = world.catalog.add_photo(rights=rights)
    with pytest.raises(FailedPrecondition, match=words) as caught:
        await world.schedule(photo)
    assert caught.value.reason == "RIGHTS"


@pytest.mark.parametrize(("after", "words"), [(-90, "in the past"), (366 * 86400, "too far away")])
async def test_a_time_that_cannot_be_scheduled(world: World, after: float, words: str) -> None:
    await world.connect()
    with pytest.raises(InvalidArgument, match=words) as caught:
        await world.schedule(after=after)
    assert caught.value.violations[0].field == "post.scheduled_time"
    await world.schedule(after=-30)
    request = pb.CreatePostRequest(
        parent="personas/nora", post=Post(photo=world.catalog.add_photo())
    )
    with pytest.raises(InvalidArgument, match=r"post.scheduled_time: is required"):
        await world.stub.CreatePost(request)
    request.post.scheduled_time.seconds = 10**15
    with pytest.raises(InvalidArgument, match=r"post.scheduled_time"):
        await world.stub.CreatePost(request)


async def test_what_a_post_needs_must_be_there(world: World) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        await world.schedule()
    assert caught.value.reason == "NO_CHANNEL"
    await world.connect()
    with pytest.raises(NotFound, match="photo"):
        await world.schedule(f"personas/nora/photos/{uuid.uuid4()}")
    world.catalog.add_persona("otto")
    with pytest.raises(NotFound, match="photo"):
        await world.schedule(world.catalog.add_photo("otto"))
    with pytest.raises(NotFound, match="channel"):
        await world.schedule(channels=["personas/nora/channels/none"])
    with pytest.raises(NotFound, match="channel"):
        await world.schedule(channels=["personas/otto/channels/insta"])
    with pytest.raises(InvalidArgument, match="at most 2200"):
        await world.schedule(caption="x" * 2195, hashtags=["longer"])
    world.catalog.add_persona("nora", Persona.STATE_ARCHIVED)
    with pytest.raises(FailedPrecondition) as caught:
        await world.schedule()
    assert caught.value.reason == "ARCHIVED"
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await world.schedule()


async def test_a_post_goes_to_the_channels_that_are_named(world: World) -> None:
    first, second = await world.connect_both()
    post = await world.schedule(channels=[second])
    assert list(post.channels) == [second]
    assert list((await world.schedule()).channels) == sorted([first, second])


async def test_lists_are_by_time_in_pages_with_filters(world: World) -> None:
    await world.connect()
    photos = [world.catalog.add_photo(pillar="tea" if n % 2 else "light") for n in range(5)]
    for n in (3, 0, 4, 1, 2):
        await world.schedule(photos[n], after=1000 + 100 * n, caption=f"c{n}")
    edge = (world.now() + timedelta(seconds=1150)).isoformat()
    assert await listed(world) == ["c4", "c3", "c2", "c1", "c0"]
    assert await listed(world, order_by="scheduled_time") == ["c0", "c1", "c2", "c3", "c4"]
    assert await listed(world, filter='pillar = "personas/nora/pillars/tea"') == ["c3", "c1"]
    assert await listed(world, filter=f'photo = "{photos[2]}"') == ["c2"]
    assert await listed(world, filter=f'scheduled_time < "{edge}"') == ["c1", "c0"]
    both = f'scheduled_time >= "{edge}" AND pillar != "personas/nora/pillars/tea"'
    assert await listed(world, filter=both) == ["c4", "c2"]
    assert await listed(world, filter='state = "FAILED"') == []
    assert len(await listed(world, filter="state = SCHEDULED")) == 5
    assert await listed(world, "personas/-") == ["c4", "c3", "c2", "c1", "c0"]
    for wrong in ('state = "DONE"', 'color = "red"', 'caption = "c1"'):
        with pytest.raises(InvalidArgument) as caught:
            await listed(world, filter=wrong)
        assert caught.value.violations[0].field == "filter"
    with pytest.raises(InvalidArgument, match="order_by"):
        await listed(world, order_by="caption")


async def test_posts_of_one_moment_are_all_listed_once(world: World) -> None:
    await world.connect()
    at = stamp(world.now() + timedelta(hours=1))
    for n in range(5):
        post = Post(photo=world.catalog.add_photo(), caption=f"c{n}", scheduled_time=at)
        await world.stub.CreatePost(pb.CreatePostRequest(parent="personas/nora", post=post))
    assert sorted(await listed(world)) == [f"c{n}" for n in range(5)]


async def test_a_page_token_fits_its_list_only(world: World) -> None:
    await world.connect()
    for _ in range(3):
        await world.schedule()
    request = pb.ListPostsRequest(parent="personas/nora", page_size=2)
    token = (await world.stub.ListPosts(request)).next_page_token
    for fields in ({"parent": "personas/-"}, {"filter": "state = SCHEDULED"}):
        other = pb.ListPostsRequest(**{"parent": "personas/nora", "page_token": token, **fields})
        with pytest.raises(InvalidArgument, match="another list"):
            await world.stub.ListPosts(other)
    with pytest.raises(InvalidArgument, match="page_token"):
        await world.stub.ListPosts(pb.ListPostsRequest(parent="personas/nora", page_token="x" * 40))


async def test_an_unknown_persona_has_no_lists_but_a_silent_catalog_hides_none(
    world: World,
) -> None:
    with pytest.raises(NotFound, match="persona"):
        await listed(world, "personas/nobody")
    with pytest.raises(NotFound, match="persona"):
        await world.stub.ListChannels(pb.ListChannelsRequest(parent="personas/nobody"))
    assert await listed(world) == []
    world.catalog.is_down = True
    assert await listed(world, "personas/nobody") == []


async def test_a_cancelled_post_frees_its_photo_and_never_goes_out(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=0)
    world.queue.waiting.clear()
    id = str(uuid.uuid4())
    cancelled = await cancel(world, post, id)
    assert cancelled.state == Post.STATE_CANCELLED
    assert cancelled.publications[0].state == Publication.STATE_CANCELLED
    assert await cancel(world, post) == cancelled
    assert await cancel(world, post, id) == cancelled
    assert "scheduler.publish" not in await world.work()
    again = await world.schedule(photo)
    assert again.name != post.name
    with pytest.raises(FailedPrecondition) as caught:
        await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    with pytest.raises(NotFound):
        await cancel(world, Post(name=f"personas/nora/posts/{uuid.uuid4()}"))
    with pytest.raises(NotFound):
        await cancel(world, Post(name=post.name.replace("nora", "otto")))


async def test_what_a_provider_has_or_may_have_cannot_be_cancelled(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.buffer.admin.fault("drop_after")
    await world.work()
    with pytest.raises(FailedPrecondition, match="is unknown: the provider has it or may"):
        await cancel(world, post)
    await world.pass_time(15, step=5)
    with pytest.raises(FailedPrecondition, match="delete it there") as caught:
        await cancel(world, post)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    await world.pass_time(60)
    with pytest.raises(FailedPrecondition, match="a post that is posted") as caught:
        await cancel(world, post)
    assert caught.value.metadata["from"] == "posted"
    assert caught.value.metadata["to"] == "cancelled"


async def test_a_cancel_and_a_publish_at_once_end_in_one_of_the_two(world: World) -> None:
    await world.connect()
    for _ in range(5):
        post = await world.schedule(after=0)
        world.queue.waiting.clear()
        before = len(await world.buffer.admin.posts())
        result, _ = await asyncio.gather(cancel(world, post), world.work(), return_exceptions=True)
        published = len(await world.buffer.admin.posts()) - before
        assert published == (0 if isinstance(result, Post) else 1)


async def test_a_retry_needs_something_to_retry_and_the_right_to_it(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    post = await world.schedule(photo, after=0)
    request = pb.RetryPostRequest(name=post.name)
    with pytest.raises(FailedPrecondition, match="nothing of it failed") as caught:
        await world.stub.RetryPost(request)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    await world.buffer.admin.change_settings(scheduledPosts=0)
    await world.work()
    world.catalog.photos[photo].rights.held = True
    with pytest.raises(FailedPrecondition) as caught:
        await world.stub.RetryPost(request)
    assert caught.value.reason == "RIGHTS"
    world.catalog.photos[photo].rights.held = False
    request.scheduled_time.FromDatetime(world.now() - timedelta(hours=1))
    with pytest.raises(InvalidArgument) as caught_time:
        await world.stub.RetryPost(request)
    assert caught_time.value.violations[0].field == "scheduled_time"

    request.scheduled_time.FromDatetime(world.now() + timedelta(hours=2))
    request.request_id = str(uuid.uuid4())
    again = (await world.stub.RetryPost(request)).post
    assert again.scheduled_time == request.scheduled_time
    assert (await world.stub.RetryPost(request)).post == again
    await world.buffer.admin.change_settings(scheduledPosts=10)
    assert "scheduler.publish" not in await world.work()
    await world.advance(2 * 3600)
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_a_watcher_whose_time_is_up_leaves_the_post_to_its_way(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    watching = world.stub.WatchPost(pb.WatchPostRequest(name=post.name), timeout=0.2)
    with pytest.raises(DeadlineExceeded):
        [response async for response in watching]
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED


async def test_watching_tells_the_start_every_change_and_the_end(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    seen: list[pb.WatchPostResponse] = []

    async def watch() -> None:
        async for response in world.stub.WatchPost(pb.WatchPostRequest(name=post.name)):
            seen.append(response)  # noqa: PERF401  # as they come

    async def has_sign_of_life() -> bool:
        return len(seen) >= 2

    async with asyncio.timeout(60):
        watching = asyncio.create_task(watch())
        await eventually(has_sign_of_life)
        assert seen[0].post == seen[1].post
        while not watching.done():
            await world.pass_time(5, step=5)
        await watching
    assert [response.sequence for response in seen] == list(range(1, len(seen) + 1))
    assert seen[0].post.state == Post.STATE_SCHEDULED
    assert seen[-1].post.state == Post.STATE_POSTED
    versions = [int(response.post.etag) for response in seen]
    assert versions == sorted(versions)
    again = [r async for r in world.stub.WatchPost(pb.WatchPostRequest(name=post.name))]
    assert [r.post.state for r in again] == [Post.STATE_POSTED]
    with pytest.raises(NotFound):
        name = f"personas/nora/posts/{uuid.uuid4()}"
        [r async for r in world.stub.WatchPost(pb.WatchPostRequest(name=name))]


async def test_a_photo_that_a_network_refuses_is_refused_at_once(world: World) -> None:
    insta, masto = await world.connect_both()
    photo = world.catalog.add_photo(width=48, height=64)
    with pytest.raises(FailedPrecondition) as caught:
        await world.schedule(photo)
    error = caught.value
    assert error.reason == "PHOTO_RATIO"
    for words in (photo, insta, "instagram", "48x64 (0.7500:1)", "0.8:1 to 1.91:1"):
        assert words in error.message
    assert error.metadata == {
        "photo": photo,
        "channel": insta,
        "service": "instagram",
        "has": "48x64 (0.7500:1)",
        "allowed": "0.8:1 to 1.91:1",
    }
    assert await world.sql("SELECT 1 FROM scheduler.posts") == []
    assert (await world.schedule(photo, channels=[masto])).state == Post.STATE_SCHEDULED
    with pytest.raises(FailedPrecondition, match="501 characters") as caught:
        await world.schedule(caption="x" * 501)
    assert (caught.value.reason, caught.value.metadata["channel"]) == ("TEXT_TOO_LONG", masto)


@pytest.mark.parametrize(("width", "height"), [(3024, 3780), (3820, 2000), (9000, 9000)])
async def test_a_large_photo_is_judged_by_the_size_in_which_it_goes_out(
    world: World, width: int, height: int
) -> None:
    await world.connect_both()
    photo = world.catalog.add_photo()
    world.catalog.photos[photo].width = width
    world.catalog.photos[photo].height = height
    await world.schedule(photo)


async def test_a_picture_with_too_many_bytes_fails_its_post_when_it_is_made(
    world: World,
) -> None:
    """How many bytes it has is not known before; it must not wait until the post is due."""
    await world.connect()
    post = await world.schedule(after=86400)
    jpeg = world.catalog.renditions[post.photo]
    world.catalog.renditions[post.photo] = jpeg + bytes(8_000_001)
    await world.work()
    found = await world.get(post)
    assert found.state == Post.STATE_FAILED
    assert found.publications[0].error.reason == "PHOTO_TOO_LARGE"
