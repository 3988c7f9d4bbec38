"""What is read from Buffer: lost posts, how posts stand, channels, and preflight."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    NotSent,
    PublishRequest,
    ReadFailed,
    RemoteState,
)
from services.scheduler.providers.buffer import (
    CLOCKS_DIFFER,
    PAGE_SIZE,
    BufferPublisher,
    to_wire,
)
from tests.contract.buffer.conftest import Time
from tests.support.buffer import INSTAGRAM_ID, MASTODON_ID, ORGANIZATION_ID, BufferStandIn
from tests.support.buffer.media_host import JPEG_SHA256, MediaHost

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_what_equals_the_request_is_found(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    mastodon: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    wanted = request_in_an_hour
    other_image = replace(wanted.images[0], url=wanted.images[0].url.replace("abc", "xyz"))
    await publisher.submit(mastodon, wanted)
    await publisher.submit(instagram, replace(wanted, text="Something else"))
    await publisher.submit(instagram, replace(wanted, due_at=wanted.due_at + timedelta(seconds=2)))
    await publisher.submit(instagram, replace(wanted, images=(other_image,)))
    assert await publisher.find(instagram, wanted, time.now()) == []
    submitted = await publisher.submit(instagram, wanted)
    [found] = await publisher.find(instagram, wanted, time.now())
    assert found.id == submitted.provider_post_id
    assert found.channel_id == INSTAGRAM_ID
    assert found.media_urls == (wanted.images[0].url,)
    assert found.state is RemoteState.SCHEDULED


async def test_what_was_made_before_by_more_than_clocks_differ_is_not_ours(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await publisher.submit(instagram, request_in_an_hour)
    made_at = time.now()
    just = made_at + CLOCKS_DIFFER - timedelta(seconds=5)
    assert len(await publisher.find(instagram, request_in_an_hour, just)) == 1
    too_late = made_at + CLOCKS_DIFFER + timedelta(seconds=5)
    assert await publisher.find(instagram, request_in_an_hour, too_late) == []


async def test_times_of_earlier_attempts_and_cut_milliseconds_count(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    first = await publisher.submit(instagram, request_in_an_hour)
    moved = replace(
        request_in_an_hour,
        due_at=request_in_an_hour.due_at + timedelta(hours=1),
        earlier_due_at=(request_in_an_hour.due_at,),
    )
    assert [p.id for p in await publisher.find(instagram, moved, time.now())] == [
        first.provider_post_id
    ]
    cut = to_wire(request_in_an_hour.due_at.replace(microsecond=0))
    await buffer.admin.change_post(first.provider_post_id, dueAt=cut)
    assert len(await publisher.find(instagram, request_in_an_hour, time.now())) == 1


async def test_a_picture_that_buffer_copied_does_not_contradict(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    submitted = await publisher.submit(instagram, request_in_an_hour)
    copied = [{"source": "https://uploads.example/x.jpg", "altText": ""}]
    await buffer.admin.change_post(submitted.provider_post_id, assets=copied)
    assert len(await publisher.find(instagram, request_in_an_hour, time.now())) == 1


async def test_another_address_of_the_same_picture_does_not_contradict(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    [image] = request_in_an_hour.images
    former = replace(image, url=image.url.replace("/1.jpg", "/2.jpg"))
    await publisher.submit(instagram, replace(request_in_an_hour, images=(former,)))
    assert len(await publisher.find(instagram, request_in_an_hour, time.now())) == 1


async def test_all_pages_are_read(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.change_settings(quotas={"900": 500, "86400": 500, "2592000": 500})
    ids = [
        (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
        for _ in range(PAGE_SIZE + 2)
    ]
    found = await publisher.find(instagram, request_in_an_hour, time.now())
    assert {post.id for post in found} == set(ids)
    assert len(found) == len(ids)
    assert [post.created_at for post in found] == sorted(post.created_at for post in found)
    assert (await buffer.admin.calls("posts"))["received"] == 2


async def test_queries_are_repeated_after_a_gateways_error(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await publisher.submit(instagram, request_in_an_hour)
    await buffer.admin.fault("gateway_error", operation="posts", times=3)
    assert len(await publisher.find(instagram, request_in_an_hour, time.now())) == 1
    assert time.slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "errors", "code": "UNAUTHORIZED"}, FailureKind.AUTH),
        ({"kind": "errors", "code": "UNEXPECTED"}, FailureKind.UNKNOWN),
        ({"kind": "drop_before", "times": 9}, FailureKind.NOT_SENT),
        ({"kind": "gateway_error", "times": 9}, FailureKind.UNKNOWN),
        ({"kind": "rate_limit", "seconds": 500}, FailureKind.THROTTLED),
    ],
)
async def test_a_query_that_fails_says_so_and_never_looks_like_an_empty_list(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
    fault: dict[str, object],
    kind: FailureKind,
) -> None:
    await buffer.admin.fault(operation="posts", **fault)  # type: ignore[arg-type]
    with pytest.raises(ReadFailed) as caught:
        await publisher.find(instagram, request_in_an_hour, time.now())
    assert caught.value.kind is kind


async def test_a_status_that_we_do_not_know_is_an_error_of_ours(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    submitted = await publisher.submit(instagram, request_in_an_hour)
    await buffer.admin.change_post(submitted.provider_post_id, createdAt="not a time")
    with pytest.raises(ReadFailed) as caught:
        await publisher.status(instagram, {submitted.provider_post_id: request_in_an_hour.due_at})
    assert caught.value.kind is FailureKind.CLIENT_BUG


async def test_a_post_is_followed_from_scheduled_to_sent(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    media: MediaHost,
    time: Time,
) -> None:
    post_id = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    due = {post_id: request_in_an_hour.due_at}
    assert [p.state for p in await publisher.status(instagram, due)] == [RemoteState.SCHEDULED]
    assert media.fetched == []

    await buffer.admin.change_settings(publishSeconds=600)
    await time.advance(3600)
    assert [p.state for p in await publisher.status(instagram, due)] == [RemoteState.SENDING]
    await time.advance(600)
    [sent] = await publisher.status(instagram, due)
    assert sent.state is RemoteState.SENT
    assert sent.sent_at is not None
    assert sent.sent_at >= request_in_an_hour.due_at + timedelta(seconds=599)
    assert sent.external_link == f"https://instagram.example/p/{post_id}"
    assert sent.error_message is None

    assert media.fetched == ["/m/abc/1.jpg"]
    [post] = await buffer.admin.posts()
    assert [fetch["sha256"] for fetch in post["fetched"]] == [JPEG_SHA256]


async def test_slow_media_keeps_a_post_sending(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.fault("slow_media", seconds=1200)
    post_id = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    await time.advance(3600 + 1000)
    due = {post_id: request_in_an_hour.due_at}
    assert [p.state for p in await publisher.status(instagram, due)] == [RemoteState.SENDING]
    await time.advance(300)
    assert [p.state for p in await publisher.status(instagram, due)] == [RemoteState.SENT]


async def test_a_picture_that_is_gone_at_its_time_is_a_visible_error(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    media: MediaHost,
    time: Time,
) -> None:
    post_id = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    media.gone.add("/m/abc/1.jpg")
    await time.advance(3700)
    [post] = await publisher.status(instagram, {post_id: request_in_an_hour.due_at})
    assert post.state is RemoteState.ERROR
    assert post.error_message is not None
    assert "410" in post.error_message
    assert post.support_url is not None
    assert post.external_link is None


async def test_a_sign_in_page_in_place_of_a_picture_is_a_visible_error(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    media: MediaHost,
    time: Time,
) -> None:
    post_id = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    media.pages.add("/m/abc/1.jpg")
    await time.advance(3700)
    [post] = await publisher.status(instagram, {post_id: request_in_an_hour.due_at})
    assert (post.state, "text/html" in (post.error_message or "")) == (RemoteState.ERROR, True)


async def test_a_channel_disconnected_before_the_time_is_a_visible_error(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    media: MediaHost,
    time: Time,
) -> None:
    await buffer.admin.fault("disconnect")
    post_id = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    await time.advance(3700)
    [post] = await publisher.status(instagram, {post_id: request_in_an_hour.due_at})
    assert post.state is RemoteState.ERROR
    assert "reconnect" in (post.error_message or "")
    assert media.fetched == []


async def test_a_batch_is_one_query_and_what_was_deleted_or_moved_by_hand_shows(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    mastodon: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    due = request_in_an_hour.due_at
    one = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    two = (await publisher.submit(mastodon, request_in_an_hour)).provider_post_id
    known = {one: due, two: due}
    assert {post.id for post in await publisher.status(instagram, known)} == {one, two}
    assert (await buffer.admin.calls("posts"))["received"] == 1
    assert (await buffer.admin.calls("post"))["received"] == 0

    later = due + timedelta(days=3)
    await buffer.admin.change_post(one, dueAt=to_wire(later))
    await buffer.admin.delete_post(two)
    [moved] = await publisher.status(instagram, known)
    assert moved.id == one
    assert moved.due_at == later.replace(microsecond=later.microsecond // 1000 * 1000)
    assert (await buffer.admin.calls("post"))["received"] == 2


async def test_the_status_of_nothing_costs_nothing(
    publisher: BufferPublisher, buffer: BufferStandIn, instagram: Channel
) -> None:
    assert await publisher.status(instagram, {}) == []
    assert (await buffer.admin.state())["calls"] == {}


async def test_withdrawing_is_safe_to_repeat(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    post_id = (await publisher.submit(instagram, request_in_an_hour)).provider_post_id
    await publisher.withdraw(instagram, post_id)
    assert await buffer.admin.posts() == []
    await publisher.withdraw(instagram, post_id)
    await buffer.admin.fault(
        "errors", operation="deletePost", code="NOT_FOUND", message="Post not found"
    )
    await publisher.withdraw(instagram, post_id)
    await buffer.admin.fault("errors", operation="deletePost", code="UNAUTHORIZED")
    with pytest.raises(NotSent):
        await publisher.withdraw(instagram, post_id)


async def test_the_channels_of_an_account(
    publisher: BufferPublisher, buffer: BufferStandIn, credentials: Credentials
) -> None:
    await buffer.admin.change_channel(MASTODON_ID, isDisconnected=True)
    instagram, mastodon = await publisher.channels(credentials)
    assert (instagram.id, instagram.service) == (INSTAGRAM_ID, "instagram")
    assert instagram.organization_id == ORGANIZATION_ID
    assert instagram.timezone == "Europe/London"
    assert not instagram.is_disconnected
    assert (mastodon.id, mastodon.is_disconnected) == (MASTODON_ID, True)
    with pytest.raises(ReadFailed) as caught:
        await publisher.channels(Credentials("another-token"))
    assert caught.value.kind is FailureKind.AUTH


async def test_preflight_sees_the_photo_and_the_service(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    assert publisher.preflight(instagram, request_in_an_hour) == []
    wide = replace(request_in_an_hour.images[0], width=1200, height=300)
    problems = publisher.preflight(instagram, replace(request_in_an_hour, images=(wide,)))
    assert [problem.code for problem in problems] == ["PHOTO_RATIO"]
    pinterest = replace(instagram, service="pinterest")
    problems = publisher.preflight(pinterest, request_in_an_hour)
    assert [problem.code for problem in problems] == ["SERVICE_UNSUPPORTED"]
