"""What is particular to Instagram: containers, the day's quota, and answers that are not true."""

import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    NotSent,
    OutcomeUnknown,
    Publisher,
    PublishRequest,
    ReadFailed,
    RemoteState,
)
from tests.contract.providers.sides import InstagramSide, Side, Time
from tests.contract.providers.worker import Worker
from tests.support.buffer.media_host import MediaHost
from tests.support.instagram import InstagramStandIn

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("running_side", ["instagram"], indirect=True, scope="module"),
]


@pytest.fixture
def server(side: Side) -> InstagramStandIn:
    assert isinstance(side, InstagramSide)
    stand_in: InstagramStandIn = side.stand_in
    return stand_in


async def test_a_container_that_takes_seconds_is_waited_for(
    worker: Worker, server: InstagramStandIn
) -> None:
    server.settings.process_seconds = 7
    id = await worker.publish()
    assert [media.id for media in server.live] == [id]
    assert worker.failures == []


async def test_a_container_that_takes_minutes_is_used_by_the_next_attempt(
    worker: Worker, server: InstagramStandIn
) -> None:
    server.settings.process_seconds = 55
    id = await worker.publish()
    assert [media.id for media in server.live] == [id]
    assert set(worker.failures) == {FailureKind.NOT_READY}
    assert len(server.containers) == 1


async def test_a_container_that_is_finished_and_not_there_yet_is_published_later(
    worker: Worker, server: InstagramStandIn
) -> None:
    """Its state says FINISHED, and publishing it 9007."""
    server.settings.hesitates = 2
    id = await worker.publish()
    assert [media.id for media in server.live] == [id]
    assert worker.failures == [FailureKind.NOT_READY] * 2
    assert len(server.containers) == 1


async def test_a_container_that_was_published_is_not_published_again(
    worker: Worker, server: InstagramStandIn
) -> None:
    server.fault("drop_after")
    error = await worker.attempt()
    assert isinstance(error, OutcomeUnknown)
    [media] = server.live
    assert await worker.attempt() == media.id
    assert server.calls["publish"] == 1


async def test_an_action_that_is_blocked_may_have_been_done(
    worker: Worker, server: InstagramStandIn
) -> None:
    """A user's post was out although this was answered: the container is asked."""
    server.fault("blocked")
    id = await worker.publish()
    assert [media.id for media in server.live] == [id]
    assert worker.failures == [FailureKind.UNKNOWN]


async def test_an_expired_container_is_replaced(
    worker: Worker, server: InstagramStandIn, time: Time
) -> None:
    server.fault("refuse")
    await worker.attempt()
    await time.advance(25 * 3600)
    id = await worker.attempt()
    assert [media.id for media in server.live] == [id]
    assert len(server.containers) == 2


async def test_a_picture_that_cannot_be_fetched_is_told(
    worker: Worker, server: InstagramStandIn, media: MediaHost
) -> None:
    media.gone.add("/m/abc.jpg")
    error = await worker.attempt()
    assert isinstance(error, NotSent)
    assert error.kind is FailureKind.NOT_SENT
    assert "could not be fetched" in error.message
    media.forget()
    id = await worker.attempt()
    assert [m.id for m in server.live] == [id]


async def test_the_day_s_quota_is_asked_before_and_waited_for(
    worker: Worker, server: InstagramStandIn
) -> None:
    server.settings.quota = 0
    error = await worker.attempt()
    assert isinstance(error, NotSent)
    assert (error.kind, error.window) == (FailureKind.THROTTLED, "24h")
    assert server.calls["container"] == server.calls["publish"] == 0
    server.settings.quota = 100
    assert isinstance(await worker.attempt(), str)


async def test_a_container_that_cannot_be_read_is_doubt(
    worker: Worker, server: InstagramStandIn
) -> None:
    server.fault("drop_before")
    await worker.attempt()
    [container] = server.containers
    server.settings.denies = frozenset({container})
    error = await worker.attempt()
    assert isinstance(error, OutcomeUnknown)
    assert server.calls["publish"] == 1


async def test_a_live_post_that_the_server_denies_is_not_taken_for_deleted(
    worker: Worker, publisher: Publisher, channel: Channel, server: InstagramStandIn
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    server.settings.denies = frozenset({id})
    [post] = await publisher.status(channel, {id: worker.request.due_at})
    assert post.external_link == f"https://www.instagram.example/p/{id}/"


async def test_the_token_is_in_no_address(
    publisher: Publisher, channel: Channel, request_now: PublishRequest, server: InstagramStandIn
) -> None:
    await publisher.submit(channel, request_now)
    assert all(channel.credentials.token not in path for path in server.addresses)
    assert len(server.addresses) > 3


@pytest.mark.parametrize("leaves_out", [False, True])
async def test_a_post_that_is_known_by_its_container_is_confirmed(
    worker: Worker,
    publisher: Publisher,
    channel: Channel,
    server: InstagramStandIn,
    leaves_out: bool,
) -> None:
    server.settings.leaves_out = leaves_out
    await worker.publish()
    [container] = server.containers
    [post] = await publisher.status(channel, {container: worker.request.due_at})
    assert (post.id, post.state) == (container, RemoteState.SENT)


async def test_an_id_that_cannot_be_read_keeps_the_others_from_nothing(
    worker: Worker, publisher: Publisher, channel: Channel, server: InstagramStandIn
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    server.settings.breaks = frozenset({"17"})
    due_at = worker.request.due_at
    found = {p.id: p.state for p in await publisher.status(channel, {"17": due_at, id: due_at})}
    assert found == {id: RemoteState.SENT, "17": RemoteState.SENDING}
    with pytest.raises(ReadFailed):
        await publisher.status(channel, {"17": due_at})


async def test_a_container_that_is_long_gone_is_replaced(
    worker: Worker, publisher: Publisher, server: InstagramStandIn, time: Time
) -> None:
    started_at = time.now()
    server.fault("drop_before")
    await worker.attempt()
    await time.advance(48 * 3600)
    server.containers.clear()
    assert await publisher.find(worker.channel, worker.request, started_at) == []
    id = await worker.attempt()
    assert [media.id for media in server.live] == [id]


async def test_a_post_whose_container_is_long_gone_is_found_and_not_made_again(
    worker: Worker, publisher: Publisher, server: InstagramStandIn, time: Time
) -> None:
    started_at = time.now()
    server.fault("drop_after")
    await worker.attempt()
    [media] = server.live
    await time.advance(48 * 3600)
    server.containers.clear()
    [found] = await publisher.find(worker.channel, worker.request, started_at)
    assert found.id == media.id
    assert isinstance(await worker.attempt(), OutcomeUnknown)
    assert server.calls["publish"] == 1


async def test_a_container_that_is_denied_pauses_no_channel(
    worker: Worker, publisher: Publisher, server: InstagramStandIn, time: Time
) -> None:
    started_at = time.now()
    server.fault("drop_before")
    await worker.attempt()
    server.settings.denies = frozenset(server.containers)
    with pytest.raises(ReadFailed) as caught:
        await publisher.find(worker.channel, worker.request, started_at)
    assert caught.value.kind is FailureKind.UNKNOWN


async def test_a_read_that_comes_too_often_keeps_the_key_from_further_ones(
    publisher: Publisher, channel: Channel, server: InstagramStandIn, request_now: PublishRequest
) -> None:
    server.fault("rate_limit", operation="get", seconds=600)
    before = server.calls["get"]
    for _ in range(2):
        with pytest.raises(ReadFailed) as caught:
            await publisher.status(channel, {"17": request_now.due_at})
        assert caught.value.kind is FailureKind.THROTTLED
    assert server.calls["get"] == before + 1
