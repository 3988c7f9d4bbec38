"""What is particular to Mastodon: uploads that take their time, keys, limits, clocks."""

from dataclasses import replace

import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    Measuring,
    NotSent,
    Publisher,
    PublishRequest,
    ReadFailed,
    RemoteState,
)
from tests.contract.providers.sides import MastodonSide, Side, Time, only_channel
from tests.contract.providers.worker import Worker
from tests.support.mastodon import MastodonStandIn
from tests.support.stand_ins.windows import Quota

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("running_side", ["mastodon"], indirect=True, scope="module"),
]


@pytest.fixture
def server(side: Side) -> MastodonStandIn:
    assert isinstance(side, MastodonSide)
    stand_in: MastodonStandIn = side.stand_in
    return stand_in


async def test_an_upload_that_takes_seconds_is_waited_for(
    worker: Worker, server: MastodonStandIn
) -> None:
    server.settings.process_seconds = 5
    id = await worker.publish()
    assert [status.id for status in server.live] == [id]
    assert worker.failures == []


async def test_an_upload_that_takes_minutes_is_used_by_the_next_attempt(
    worker: Worker, server: MastodonStandIn
) -> None:
    server.settings.process_seconds = 50
    id = await worker.publish()
    assert [status.id for status in server.live] == [id]
    assert set(worker.failures) == {FailureKind.NOT_READY}
    assert server.calls["upload"] == 1


async def test_a_server_that_answers_500_to_a_repetition_makes_no_second_post(
    worker: Worker, publisher: Publisher, server: MastodonStandIn
) -> None:
    """As 4.6 does: the first answer was lost, the post is there."""
    server.settings.repeat_is_500 = True
    server.fault("drop_after")
    assert await publisher.find(worker.channel, worker.request, worker.time.now()) == []
    id = await worker.publish()
    assert [status.id for status in server.live] == [id]
    again = await worker.attempt()
    assert not isinstance(again, str)
    assert again.kind is FailureKind.UNKNOWN
    assert len(server.live) == 1


async def test_a_repetition_with_the_same_key_is_answered_with_the_first_post(
    worker: Worker, server: MastodonStandIn
) -> None:
    first = await worker.attempt()
    assert await worker.attempt() == first
    assert len(server.live) == 1


@pytest.mark.parametrize("skew", [-3000, 3000])
async def test_a_server_with_another_clock_finds_its_posts_all_the_same(
    worker: Worker, server: MastodonStandIn, skew: float
) -> None:
    server.clock.advance(skew)
    server.fault("drop_after")
    id = await worker.publish()
    assert [status.id for status in server.live] == [id]
    assert server.calls["publish"] == 1


async def test_what_was_posted_before_the_attempt_is_not_taken_for_it(
    worker: Worker, publisher: Publisher, channel: Channel, server: MastodonStandIn, time: Time
) -> None:
    await worker.publish()
    await time.advance(600)
    assert await publisher.find(channel, worker.request, time.now()) == []


async def test_a_post_behind_many_others_is_found(
    worker: Worker, publisher: Publisher, channel: Channel, server: MastodonStandIn, time: Time
) -> None:
    server.quotas["media"] = Quota(100, 1800)
    started_at = time.now()
    id = await worker.publish()
    for number in range(45):
        other = replace(worker.request, key=f"other {number}", text=f"number {number}", handles=())
        await publisher.submit(channel, other)
    found = await publisher.find(channel, worker.request, started_at)
    assert [post.id for post in found] == [id]


async def test_the_limits_are_those_of_the_server(
    publisher: Publisher, channel: Channel, server: MastodonStandIn, request_now: PublishRequest
) -> None:
    long = replace(request_now, text="a" * 600)
    [problem] = publisher.preflight(channel, long)
    assert (problem.code, problem.has, problem.allowed) == ("TEXT_TOO_LONG", "600", "500")
    server.settings.max_characters = 5000
    larger = await only_channel(publisher, channel.credentials)
    assert publisher.preflight(larger, long) == []


async def test_uploads_have_a_window_of_their_own(
    publisher: Publisher, channel: Channel, server: MastodonStandIn, request_now: PublishRequest
) -> None:
    server.fault("rate_limit", operation="upload", seconds=900)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(channel, request_now)
    assert caught.value.kind is FailureKind.THROTTLED
    assert caught.value.retry_after == pytest.approx(900, abs=20)
    with pytest.raises(NotSent):
        await publisher.submit(channel, request_now)
    assert server.calls["upload"] == 1
    assert await publisher.status(channel, {"1": request_now.due_at}) == []


async def test_a_picture_that_the_server_refuses_fails_the_post(
    worker: Worker, server: MastodonStandIn
) -> None:
    server.settings.image_size_limit = 100
    outcome = await worker.publish()
    assert isinstance(outcome, NotSent)
    assert outcome.kind is FailureKind.PERMANENT
    assert "content type" in outcome.message


async def test_a_post_with_a_mention_is_found_though_its_key_is_forgotten(
    worker: Worker, publisher: Publisher, server: MastodonStandIn, time: Time
) -> None:
    """The server shows ``@bob``, whatever his host is."""
    worker.request = replace(worker.request, text="With @bob@o.social, at noon")
    started_at = time.now()
    server.fault("drop_after")
    await worker.attempt()
    await time.advance(2 * 3600)
    [status] = server.live
    for request in (worker.request, replace(worker.request, handles=())):
        [found] = await publisher.find(worker.channel, request, started_at)
        assert found.id == status.id
    assert found.text == "With @bob, at noon"


async def test_a_foreign_post_with_the_same_text_is_not_taken_for_ours(
    worker: Worker, publisher: Publisher, server: MastodonStandIn
) -> None:
    foreign = replace(worker.request, key="a person's")
    await publisher.submit(worker.channel, foreign)
    server.fault("drop_before")
    id = await worker.publish()
    assert [status.id for status in server.live][1:] == [id]


async def test_one_post_that_cannot_be_read_hides_no_other(
    publisher: Publisher, channel: Channel, server: MastodonStandIn, request_now: PublishRequest
) -> None:
    first = await publisher.submit(channel, request_now)
    second = await publisher.submit(channel, replace(request_now, key="another"))
    posts = {one.provider_post_id: request_now.due_at for one in (first, second)}
    server.fault("nonsense", operation="status")
    states = {post.id: post.state for post in await publisher.status(channel, posts)}
    assert states == {
        first.provider_post_id: RemoteState.SENDING,
        second.provider_post_id: RemoteState.SENT,
    }
    assert isinstance(publisher, Measuring)
    server.fault("nonsense", operation="status")
    assert list(await publisher.measure(channel, posts)) == [second.provider_post_id]
    server.fault("nonsense", operation="status", times=2)
    with pytest.raises(ReadFailed):
        await publisher.status(channel, posts)
