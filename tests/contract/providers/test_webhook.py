"""What is particular to webhooks: signatures, receivers that are gone, or elsewhere."""

import base64
import json
from dataclasses import replace

import httpx
import pytest

from libs.http import HttpClient
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    NotSent,
    Publisher,
    PublishRequest,
    ReadFailed,
    RemotePost,
    RemoteState,
)
from services.scheduler.providers.guard import refuse_private
from services.scheduler.providers.webhook import WebhookPublisher
from tests.contract.providers.sides import Side, Time, WebhookSide
from tests.contract.providers.worker import Worker
from tests.support.buffer.media_host import MediaHost
from tests.support.webhook import ACCOUNT, SECRET, WebhookStandIn

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("running_side", ["webhook"], indirect=True, scope="module"),
]
NEW_SECRET = "whsec_" + base64.b64encode(b"the next secret, of 24 bytes or more").decode()


@pytest.fixture
def receiver(side: Side) -> WebhookStandIn:
    assert isinstance(side, WebhookSide)
    stand_in: WebhookStandIn = side.stand_in
    return stand_in


async def test_connecting_proves_that_the_receiver_knows_the_secret(
    publisher: Publisher, channel: Channel, receiver: WebhookStandIn
) -> None:
    assert receiver.connects == [ACCOUNT]
    for wrong in (NEW_SECRET, "a-token", "whsec_c2hvcnQ="):
        with pytest.raises(ReadFailed) as caught:
            await publisher.channels(Credentials(wrong, ACCOUNT))
        assert caught.value.kind is FailureKind.AUTH
        assert wrong not in caught.value.message


async def test_a_secret_is_changed_without_a_gap(
    publisher: Publisher, channel: Channel, receiver: WebhookStandIn, request_now: PublishRequest
) -> None:
    both = replace(channel, credentials=Credentials(f"{NEW_SECRET} {SECRET}", ACCOUNT))
    await publisher.submit(both, request_now)
    receiver.secret = NEW_SECRET
    await publisher.submit(both, replace(request_now, key="another"))
    assert len(receiver.posts) == 2


async def test_all_attempts_carry_one_id_and_one_body(
    worker: Worker, receiver: WebhookStandIn
) -> None:
    receiver.fault("drop_after", times=2)
    id = await worker.publish()
    assert id == worker.request.key
    assert receiver.calls["publish"] == 3
    assert list(receiver.posts) == [id]


async def test_a_post_is_where_the_receiver_says(worker: Worker, receiver: WebhookStandIn) -> None:
    submitted = await worker.publisher().submit(worker.channel, worker.request)
    assert submitted.live is not None
    assert submitted.live.external_link == f"{receiver.url}/posts/{worker.request.key}"
    assert submitted.raw["external_id"] == "n-1"


async def test_what_is_only_accepted_is_asked_about(
    worker: Worker, publisher: Publisher, receiver: WebhookStandIn
) -> None:
    receiver.accepts = True
    key = worker.request.key
    submitted = await publisher.submit(worker.channel, worker.request)
    assert submitted.live is None
    posts = {submitted.provider_post_id: worker.request.due_at}

    async def told() -> RemotePost:
        [post] = await publisher.status(worker.channel, posts)
        assert post.id == submitted.provider_post_id
        return post

    assert (await told()).state is RemoteState.SENDING
    receiver.outcomes[key] = {"state": "failed", "message": "the printer is out of paper"}
    failed = await told()
    assert (failed.state, failed.error_message) == (
        RemoteState.ERROR,
        "the printer is out of paper",
    )
    receiver.publish_accepted(key)
    out = await told()
    assert (out.state, out.external_link) == (RemoteState.SENT, f"{receiver.url}/posts/{key}")
    receiver.outcomes[key] = {"state": ["of", "no", "form"], "message": {}}
    assert (await told()).state is RemoteState.SENDING
    del receiver.outcomes[key]
    assert await publisher.status(worker.channel, posts) == []


async def test_what_was_out_at_once_is_not_asked_about(
    worker: Worker, publisher: Publisher, receiver: WebhookStandIn
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    [post] = await publisher.status(worker.channel, {id: worker.request.due_at})
    assert post.state is RemoteState.SENT
    assert receiver.calls["status"] == 0


@pytest.mark.parametrize(
    "address",
    [
        "",
        7,
        "https://elsewhere.example/1",
        "https://receiver.example:8443/1",
        "http://receiver.example/1",
        "https://us@receiver.example/1",
        "//elsewhere.example/1",
        "https://[",
        "\ud800",
        "a" * 3000,
        "ä" * 2000,
    ],
)
async def test_nobody_but_the_receiver_is_asked_with_our_signature(
    time: Time, channel: Channel, request_now: PublishRequest, address: object
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(202, text=json.dumps({"status_url": address}))

    async with HttpClient(user_agent="test", transport=httpx.MockTransport(answer)) as http:
        publisher = WebhookPublisher(http, url="https://receiver.example/hook", now=time.now)
        submitted = await publisher.submit(channel, request_now)
    assert submitted.provider_post_id == request_now.key
    assert submitted.live is not None


async def test_what_no_database_keeps_of_an_answer_is_left_out(
    time: Time, channel: Channel, request_now: PublishRequest
) -> None:
    told = {"external_id": "a\0", "url": "https://receiver.example/\ud800", "status_url": "/1"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(
                200, text=json.dumps({"state": "failed", "message": "no\0 ink \ud800"})
            )
        return httpx.Response(202, text=json.dumps(told))

    async with HttpClient(user_agent="test", transport=httpx.MockTransport(answer)) as http:
        publisher = WebhookPublisher(http, url="https://receiver.example/hook", now=time.now)
        submitted = await publisher.submit(channel, request_now)
        assert submitted.raw == {"status_url": "/1"}
        posts = {submitted.provider_post_id: request_now.due_at}
        [post] = await publisher.status(channel, posts)
    assert post.error_message == "no ink ?"


async def test_a_receiver_that_is_gone_stops_the_channel(
    worker: Worker, receiver: WebhookStandIn
) -> None:
    receiver.is_gone = True
    outcome = await worker.publish()
    assert isinstance(outcome, NotSent)
    assert outcome.kind is FailureKind.AUTH
    assert "no more messages" in outcome.message


async def test_a_message_that_is_in_flight_is_asked_about_again(
    worker: Worker, receiver: WebhookStandIn
) -> None:
    receiver.fault("refuse", status=409)
    id = await worker.publish()
    assert list(receiver.posts) == [id]
    assert worker.failures == [FailureKind.UNKNOWN]


async def test_a_redirect_is_not_followed(worker: Worker, receiver: WebhookStandIn) -> None:
    receiver.fault("refuse", status=307)
    outcome = await worker.publish()
    assert isinstance(outcome, NotSent)
    assert outcome.kind is FailureKind.PERMANENT
    assert receiver.calls["publish"] == 1


async def test_a_picture_that_is_gone_fails_the_post(
    worker: Worker, receiver: WebhookStandIn, media: MediaHost
) -> None:
    media.gone.add("/m/abc.jpg")
    outcome = await worker.publish()
    media.forget()
    assert isinstance(outcome, NotSent)
    assert "could not be fetched" in outcome.message
    assert receiver.posts == {}


async def test_a_receiver_whose_clock_is_wrong_says_so(
    worker: Worker, receiver: WebhookStandIn
) -> None:
    receiver.clock.advance(900)
    outcome = await worker.publish()
    assert isinstance(outcome, NotSent)
    assert outcome.kind is FailureKind.AUTH
    assert "too old" in outcome.message


async def test_nothing_is_sent_into_private_networks(
    time: Time, channel: Channel, request_now: PublishRequest
) -> None:
    async with HttpClient(user_agent="test", guard=refuse_private) as guarded:
        publisher = WebhookPublisher(guarded, url="https://10.0.0.1/hook", now=time.now)
        with pytest.raises(NotSent, match="private network"):
            await publisher.submit(channel, request_now)


async def test_a_message_is_not_longer_than_receivers_take(
    publisher: Publisher, channel: Channel, request_now: PublishRequest
) -> None:
    [problem] = publisher.preflight(channel, replace(request_now, text="ä" * 10_000))
    assert problem.code == "TEXT_TOO_LONG"
