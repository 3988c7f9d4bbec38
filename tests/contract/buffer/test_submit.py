"""Creating a post at Buffer: once, with a typed outcome for everything that can go wrong."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.http import HttpClient
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    NotSent,
    OutcomeUnknown,
    PublishRequest,
)
from services.scheduler.providers.buffer import BufferPublisher, to_wire
from tests.contract.buffer.conftest import Network, Time
from tests.support.buffer import DEFAULT_TOKEN, INSTAGRAM_ID, BufferStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_post_is_created_with_everything_in_it(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    submitted = await publisher.submit(instagram, request_in_an_hour)
    [post] = await buffer.admin.posts()
    assert submitted.provider_post_id == post["id"]
    assert submitted.raw["post"]["status"] == "scheduled"
    assert len(post["id"]) == 24
    assert post["channelId"] == INSTAGRAM_ID
    assert post["text"] == request_in_an_hour.text
    assert post["dueAt"] == to_wire(request_in_an_hour.due_at)
    assert (post["shareMode"], post["schedulingType"]) == ("customScheduled", "automatic")
    assert post["assets"] == [{"source": request_in_an_hour.images[0].url, "altText": "a cat"}]
    assert post["metadata"] == {"instagram": {"type": "post", "shouldShareToFeed": True}}
    assert await buffer.admin.calls() == {"received": 1, "processed": 1}


async def test_mastodon_needs_no_metadata(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    mastodon: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    await publisher.submit(mastodon, request_in_an_hour)
    [post] = await buffer.admin.posts()
    assert post["metadata"] == {}


@pytest.mark.parametrize(
    ("fault", "created"),
    [
        ({"kind": "drop_before"}, 0),
        ({"kind": "drop_after"}, 1),
        ({"kind": "gateway_error", "status": 502}, 1),
        ({"kind": "gateway_error", "status": 504}, 1),
        ({"kind": "gateway_error", "status": 502, "processed": False}, 0),
        ({"kind": "errors", "code": "UNEXPECTED"}, 0),
        ({"kind": "errors", "code": "UNEXPECTED", "processed": True}, 1),
    ],
)
async def test_a_lost_answer_is_an_unknown_outcome_and_the_call_is_not_repeated(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
    fault: dict[str, Any],
    created: int,
) -> None:
    await buffer.admin.fault(**fault)
    with pytest.raises(OutcomeUnknown):
        await publisher.submit(instagram, request_in_an_hour)
    assert (await buffer.admin.calls())["received"] == 1
    assert time.slept == []
    found = await publisher.find(instagram, request_in_an_hour, time.now())
    posts = await buffer.admin.posts()
    assert len(posts) == created
    assert [post.id for post in found] == [post["id"] for post in posts]


async def test_an_answer_that_comes_too_late_is_an_unknown_outcome(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    network: Network,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    network.late = 1
    with pytest.raises(OutcomeUnknown):
        await publisher.submit(instagram, request_in_an_hour)
    assert (await buffer.admin.calls())["received"] == 1
    [found] = await publisher.find(instagram, request_in_an_hour, time.now())
    assert [found.id] == [post["id"] for post in await buffer.admin.posts()]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "errors", "code": "UNAUTHORIZED"}, FailureKind.AUTH),
        ({"kind": "errors", "code": "FORBIDDEN"}, FailureKind.AUTH),
        ({"kind": "errors", "code": "NOT_FOUND"}, FailureKind.PERMANENT),
        ({"kind": "duplicate"}, FailureKind.DUPLICATE),
        ({"kind": "rate_limit", "window": "24h", "seconds": 40}, FailureKind.THROTTLED),
    ],
)
async def test_a_refusal_is_proof_that_nothing_was_created(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    fault: dict[str, Any],
    kind: FailureKind,
) -> None:
    await buffer.admin.fault(**fault)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert caught.value.kind is kind
    assert await buffer.admin.posts() == []
    assert (await buffer.admin.calls())["received"] == 1


async def test_a_wrong_token_is_refused_as_401(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    stranger = replace(instagram, credentials=Credentials("another-token"))
    with pytest.raises(NotSent, match="JWT or access token") as caught:
        await publisher.submit(stranger, request_in_an_hour)
    assert caught.value.kind is FailureKind.AUTH
    assert await buffer.admin.posts() == []


async def test_a_client_without_a_name_is_blocked_at_the_edge(
    buffer: BufferStandIn, instagram: Channel, request_in_an_hour: PublishRequest
) -> None:
    async with HttpClient(user_agent="") as http:
        publisher = BufferPublisher(http, url=buffer.url)
        with pytest.raises(NotSent, match="1010") as caught:
            await publisher.submit(instagram, request_in_an_hour)
        assert caught.value.kind is FailureKind.EDGE_BLOCK
        await buffer.admin.change_settings(checkUserAgent=False)
        await publisher.submit(instagram, request_in_an_hour)


async def test_a_refused_connection_is_not_sent(
    http: HttpClient, instagram: Channel, request_in_an_hour: PublishRequest
) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    publisher = BufferPublisher(http, url=f"http://127.0.0.1:{port}")
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert caught.value.kind is FailureKind.NOT_SENT


async def test_a_request_that_buffer_does_not_understand_is_our_bug(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    request_in_an_hour: PublishRequest,
    credentials: Credentials,
) -> None:
    facebook = Channel("", "", "facebook", credentials)
    await buffer.admin.change_channel(INSTAGRAM_ID, service="facebook")
    with pytest.raises(NotSent, match="Channel not found") as caught:
        await publisher.submit(facebook, request_in_an_hour)
    assert caught.value.kind is FailureKind.PERMANENT
    naught = replace(facebook, id=None)  # type: ignore[arg-type]
    with pytest.raises(NotSent, match="channelId") as caught:
        await publisher.submit(naught, request_in_an_hour)
    assert caught.value.kind is FailureKind.CLIENT_BUG


async def test_a_disconnected_channel_counts_as_a_matter_of_authorization(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    await buffer.admin.change_channel(INSTAGRAM_ID, isDisconnected=True)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert caught.value.kind is FailureKind.AUTH


async def test_the_providers_own_words_are_kept(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    late = replace(request_in_an_hour, due_at=time.now() - timedelta(minutes=1))
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, late)
    assert caught.value.kind is FailureKind.PERMANENT
    assert caught.value.message == "Invalid post: The scheduled time is in the past."
    with pytest.raises(NotSent, match="at least one image or video"):
        await publisher.submit(instagram, replace(request_in_an_hour, images=()))


async def test_the_duplicate_rule_refuses_the_same_text_again(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.change_settings(duplicateMinutes=10)
    await publisher.submit(instagram, request_in_an_hour)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert caught.value.kind is FailureKind.DUPLICATE
    await time.advance(601)
    await publisher.submit(instagram, request_in_an_hour)


async def test_the_cap_of_scheduled_posts(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
) -> None:
    await buffer.admin.change_settings(scheduledPosts=0)
    with pytest.raises(NotSent, match="limit of scheduled posts") as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert caught.value.kind is FailureKind.PERMANENT


async def test_five_unknown_outcomes_break_the_circuit_for_an_hour(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> None:
    await buffer.admin.fault("drop_before", times=5)
    for _ in range(5):
        with pytest.raises(OutcomeUnknown):
            await publisher.submit(instagram, request_in_an_hour)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(instagram, request_in_an_hour)
    assert caught.value.kind is FailureKind.THROTTLED
    assert caught.value.retry_after == pytest.approx(3600, abs=5)
    assert (await buffer.admin.calls())["received"] == 5
    await time.advance(3601)
    later = replace(request_in_an_hour, due_at=time.now() + timedelta(hours=1))
    await publisher.submit(instagram, later)


async def test_the_token_shows_nowhere(
    publisher: BufferPublisher,
    buffer: BufferStandIn,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [repr(instagram), repr(instagram.credentials), instagram.credentials.key]
    faults: list[dict[str, Any]] = [
        {"kind": "drop_before"},
        {"kind": "errors", "code": "UNEXPECTED", "message": f"bad key {DEFAULT_TOKEN}"},
        {"kind": "errors", "code": "UNAUTHORIZED", "message": f"bad key {DEFAULT_TOKEN}"},
        {"kind": "rate_limit", "seconds": 1},
    ]
    for fault in faults:
        await buffer.admin.fault(**fault)
        with pytest.raises((NotSent, OutcomeUnknown)) as caught:
            await publisher.submit(instagram, request_in_an_hour)
        texts += [str(caught.value), repr(caught.value), str(caught.getrepr(style="long"))]
    assert "bad key ***" in "".join(texts)
    assert DEFAULT_TOKEN not in "".join(texts)
    assert DEFAULT_TOKEN not in caplog.text
    assert caplog.text
