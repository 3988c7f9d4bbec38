from dataclasses import replace
from datetime import timedelta

import pytest

from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.post import PostState
from services.scheduler.domain.publication import Problem, PublicationState
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers import base
from services.scheduler.providers.base import (
    NotSent,
    OutcomeUnknown,
    ReadFailed,
    RemotePost,
    RemoteState,
)
from services.scheduler.usecases.confirm import LOOKS
from tests.support.clock import NOON
from tests.support.scheduler_fakes import Killed, a_channel, a_post, a_publication
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState


@pytest.fixture(autouse=True)
def due(desk: Desk) -> None:
    now = desk.clock.now()
    desk.store.add(a_channel(now), a_post(now))


async def test_what_was_accepted_is_scheduled_with_everything_on_record(desk: Desk) -> None:
    now = desk.clock.now()
    await desk.publish("pub")
    publication = desk.store.publication
    due = now + desk.pace.overdue_lead
    assert publication.state is S.SCHEDULED
    assert publication.provider_post_id == "remote-1"
    assert publication.submitted_at == now
    assert publication.remote_due_at == due
    assert publication.next_attempt_at == due + LOOKS[0]
    assert (publication.attempts, publication.tries) == (1, 1)
    [(attempt, result)] = desk.store.data.attempts.values()
    assert (attempt.number, attempt.due_at, attempt.worker) == (1, due, "me")
    assert attempt.token == publication.token == 1
    assert result is not None
    assert (result.outcome, result.answer) == ("accepted", {"id": "remote-1"})
    assert desk.store.data.moves == [
        ("publication", "ready", "submitting"),
        ("post", "scheduled", "posting"),
        ("publication", "submitting", "scheduled"),
        ("post", "posting", "scheduled"),
    ]
    assert desk.store.data.events == [("posting", 2), ("scheduled", 3)]


async def test_what_is_sent_says_what_when_and_where_the_picture_is(desk: Desk) -> None:
    due_at = desk.clock.now() + timedelta(seconds=50, microseconds=123_456)
    desk.store.add(
        desk.store.channel,
        a_post(desk.clock.now(), replace(desk.store.publication, due_at=due_at), alt_text="a cup"),
    )
    await desk.publish("pub")
    [request] = desk.publisher.submitted
    assert request.text == "Light"
    assert request.due_at == due_at.replace(microsecond=123_000)
    [image] = request.images
    assert image.url.startswith("https://studio.example/m/") and image.url.endswith(".jpg")
    address = desk.addresses.read(image.url.rsplit("/", 1)[1].removesuffix(".jpg"))
    assert address.token == "secret-media-token"
    assert address.grant is not None
    assert address.grant.ends_at == (due_at + timedelta(hours=72)).replace(microsecond=0)
    assert (image.alt_text, image.content_type, image.size_bytes) == ("a cup", "image/jpeg", 9)
    assert (image.width, image.height) == (40, 30)


async def test_the_intent_is_committed_when_the_call_is_made(desk: Desk) -> None:
    desk.publisher.answers = [Killed()]
    with pytest.raises(Killed):
        await desk.publish("pub")
    publication = desk.store.publication
    assert publication.state is S.SUBMITTING
    assert publication.next_attempt_at == desk.clock.now() + timedelta(seconds=61)
    assert desk.store.results == [None]
    await desk.publish("pub")
    assert len(desk.publisher.submitted) == 1


@pytest.mark.parametrize(
    "state", sorted(set(S) - {S.READY, S.RETRY_WAIT}), ids=lambda state: state.value
)
async def test_only_what_waits_is_sent(desk: Desk, state: PublicationState) -> None:
    now = desk.clock.now()
    desk.store.add(desk.store.channel, a_post(now, a_publication(now, state=state)))
    before = desk.store.data
    await desk.publish("pub")
    assert desk.publisher.submitted == []
    assert desk.store.data is before


@pytest.mark.parametrize("seconds", [None, 1])
async def test_nothing_is_sent_before_its_time(desk: Desk, seconds: int | None) -> None:
    now = desk.clock.now()
    at = now + timedelta(seconds=seconds) if seconds else None
    desk.store.add(desk.store.channel, a_post(now, a_publication(now, next_attempt_at=at)))
    await desk.publish("pub")
    assert desk.publisher.submitted == []


@pytest.mark.parametrize(
    ("error", "state", "post", "attempts"),
    [
        (NotSent(FailureKind.PERMANENT, "no"), S.FAILED, PostState.FAILED, 1),
        (NotSent(FailureKind.CLIENT_BUG, "no"), S.FAILED, PostState.FAILED, 1),
        (NotSent(FailureKind.DUPLICATE, "no"), S.FAILED, PostState.FAILED, 1),
        (NotSent(FailureKind.NOT_SENT, "no"), S.RETRY_WAIT, PostState.SCHEDULED, 1),
        (NotSent(FailureKind.THROTTLED, "no"), S.RETRY_WAIT, PostState.SCHEDULED, 0),
        (NotSent(FailureKind.AUTH, "no"), S.READY, PostState.SCHEDULED, 1),
        (NotSent(FailureKind.EDGE_BLOCK, "no"), S.READY, PostState.SCHEDULED, 1),
        (OutcomeUnknown("no"), S.UNKNOWN, PostState.POSTING, 1),
    ],
)
async def test_what_follows_an_error(
    desk: Desk,
    error: NotSent | OutcomeUnknown,
    state: PublicationState,
    post: PostState,
    attempts: int,
) -> None:
    desk.publisher.answers = [error]
    await desk.publish("pub")
    publication = desk.store.publication
    assert publication.state is state
    assert desk.store.post.state is post
    assert publication.attempts == attempts
    assert publication.state_reason == "no"
    assert publication.problem is not None
    assert publication.problem.message == "no"
    assert publication.problem.retryable is (state is not S.FAILED)
    assert (publication.next_attempt_at is None) is (state is S.FAILED)
    assert (publication.ended_at is not None) is (state is S.FAILED)
    assert publication.was_unknown is (state is S.UNKNOWN)
    [result] = desk.store.results
    assert result is not None
    assert (result.outcome, result.message) == (error.kind, "no")
    is_held = error.kind in (FailureKind.AUTH, FailureKind.EDGE_BLOCK)
    assert (desk.store.channel.state is ChannelState.NEEDS_ATTENTION) is is_held
    await desk.publish("pub")
    assert len(desk.publisher.submitted) == 1


async def test_after_six_calls_that_never_left_it_fails(desk: Desk) -> None:
    desk.publisher.answers = [NotSent(FailureKind.NOT_SENT, "no route")] * 6
    for _ in range(6):
        await desk.publish("pub")
        desk.clock.advance(60)
    publication = desk.store.publication
    assert publication.state is S.FAILED
    assert publication.problem == Problem("ATTEMPTS_EXHAUSTED", "no route")
    assert publication.attempts == 6


async def test_a_later_call_knows_the_times_of_those_before(desk: Desk) -> None:
    desk.publisher.answers = [NotSent(FailureKind.THROTTLED, "wait", retry_after=600)]
    await desk.publish("pub")
    first = desk.publisher.submitted[0]
    desk.clock.advance(700)
    await desk.publish("pub")
    second = desk.publisher.submitted[1]
    assert second.due_at == desk.clock.now() + desk.pace.overdue_lead
    assert second.earlier_due_at == (first.due_at,)
    assert second.images == first.images
    attempts = [attempt for attempt, _ in desk.store.data.attempts.values()]
    assert [attempt.number for attempt in attempts] == [1, 2]
    assert attempts[0].fingerprint != attempts[1].fingerprint
    assert attempts[0].request_hash != attempts[1].request_hash


async def test_a_call_that_is_due_before_the_first_one_names_the_same_address(desk: Desk) -> None:
    now = desk.clock.now()
    due = replace(desk.store.publication, due_at=now + timedelta(seconds=55))
    desk.store.add(desk.store.channel, a_post(now, due))
    desk.publisher.answers = [NotSent(FailureKind.THROTTLED, "wait", retry_after=5)]
    await desk.publish("pub")
    desk.clock.advance(6)
    hurried = replace(desk.store.publication, due_at=desk.clock.now())
    desk.store.add(desk.store.channel, a_post(now, hurried))
    await desk.publish("pub")
    first, second = desk.publisher.submitted
    assert second.due_at < first.due_at
    assert second.images == first.images


async def test_a_duplicate_after_an_unknown_outcome_is_looked_up(desk: Desk) -> None:
    now = desk.clock.now()
    again = a_publication(now, state=S.RETRY_WAIT, was_unknown=True, retried_once=True)
    desk.store.add(desk.store.channel, a_post(now, again))
    desk.publisher.answers = [NotSent(FailureKind.DUPLICATE, "had that")]
    await desk.publish("pub")
    publication = desk.store.publication
    assert publication.state is S.UNKNOWN
    assert publication.duplicate_refusal
    assert publication.next_attempt_at == now


async def test_a_channel_that_needs_attention_gets_no_call(desk: Desk) -> None:
    now = desk.clock.now()
    broken = a_channel(now, state=ChannelState.NEEDS_ATTENTION, state_reason="key revoked")
    desk.store.add(broken, desk.store.post)
    await desk.publish("pub")
    publication = desk.store.publication
    assert desk.publisher.submitted == []
    assert publication.state is S.READY
    assert publication.state_reason == "key revoked"
    assert publication.problem == Problem("CHANNEL_HELD", "key revoked", retryable=True)
    assert publication.next_attempt_at == now + desk.pace.channel_check_every


async def test_a_key_that_cannot_be_read_pauses_the_channel(desk: Desk) -> None:
    now = desk.clock.now()
    desk.store.add(a_channel(now, sealed_token="another secret"), desk.store.post)
    await desk.publish("pub")
    assert desk.store.channel.state is ChannelState.NEEDS_ATTENTION
    assert "another secret" in desk.store.channel.state_reason
    assert desk.store.publication.state is S.READY
    assert desk.publisher.submitted == []


async def test_without_its_picture_it_waits_for_the_catalog(desk: Desk) -> None:
    now = desk.clock.now()
    desk.store.add(desk.store.channel, a_post(now, media=None))
    desk.catalog.is_down = True
    await desk.publish("pub")
    assert desk.publisher.submitted == []
    assert desk.store.publication.next_attempt_at == now + timedelta(seconds=30)
    desk.catalog.is_down = False
    desk.clock.advance(30)
    await desk.publish("pub")
    assert desk.store.publication.state is S.SCHEDULED
    assert desk.store.post.media is not None
    assert desk.blobs.kept[desk.store.post.media.key] == b"a picture"


async def test_a_picture_in_the_store_needs_no_catalog(desk: Desk) -> None:
    desk.catalog.is_down = True
    await desk.publish("pub")
    assert desk.store.publication.state is S.SCHEDULED


async def test_a_photo_that_is_gone_fails_it(desk: Desk) -> None:
    desk.store.add(desk.store.channel, a_post(desk.clock.now(), media=None))
    desk.catalog.is_gone = True
    await desk.publish("pub")
    publication = desk.store.publication
    assert publication.state is S.FAILED
    assert publication.problem is not None
    assert publication.problem.reason == "NOT_PUBLISHABLE"


@pytest.mark.parametrize(
    ("refusal", "is_sent"),
    [
        (None, True),
        (NotSent(FailureKind.PERMANENT, "cannot be deleted"), True),
        (OutcomeUnknown("lost"), False),
        (NotSent(FailureKind.THROTTLED, "wait", retry_after=120), False),
    ],
)
async def test_the_failed_post_of_a_former_life_is_withdrawn_first(
    desk: Desk, refusal: NotSent | OutcomeUnknown | None, is_sent: bool
) -> None:
    now = desk.clock.now()
    desk.store.add(desk.store.channel, a_post(now, a_publication(now, provider_post_id="remote-0")))
    desk.publisher.statuses = [former(RemoteState.ERROR)]
    desk.publisher.withdrawal = refusal
    await desk.publish("pub")
    assert desk.publisher.withdrawn == ["remote-0"]
    assert len(desk.publisher.submitted) == int(is_sent)
    publication = desk.store.publication
    if is_sent:
        assert publication.provider_post_id == "remote-1"
    else:
        assert publication.provider_post_id == "remote-0"
        wait = refusal.retry_after if refusal and refusal.retry_after else 30
        assert publication.next_attempt_at == now + timedelta(seconds=wait)


@pytest.mark.parametrize("state", sorted(set(RemoteState) - {RemoteState.ERROR}))
async def test_a_failed_post_that_was_revived_there_is_followed_and_nothing_is_sent(
    desk: Desk, state: RemoteState
) -> None:
    now = desk.clock.now()
    desk.store.add(desk.store.channel, a_post(now, a_publication(now, provider_post_id="remote-0")))
    desk.publisher.statuses = [former(state)]
    await desk.publish("pub")
    assert desk.publisher.withdrawn == []
    assert desk.publisher.submitted == []
    publication = desk.store.publication
    assert publication.state is S.SCHEDULED
    assert publication.provider_post_id == "remote-0"
    assert publication.next_attempt_at == now
    assert publication.attempts == 0


async def test_nothing_is_sent_while_it_is_open_what_became_of_the_former_post(
    desk: Desk,
) -> None:
    now = desk.clock.now()
    desk.store.add(desk.store.channel, a_post(now, a_publication(now, provider_post_id="remote-0")))
    desk.publisher.statuses = ReadFailed(FailureKind.NOT_SENT, "no route")
    await desk.publish("pub")
    assert desk.publisher.submitted == []
    assert desk.store.publication.state_reason == "no route"


def former(state: RemoteState) -> RemotePost:
    return RemotePost("remote-0", "acc", state, "Light", NOON)


async def test_what_the_network_would_refuse_fails_without_a_call(desk: Desk) -> None:
    desk.publisher.problems = [base.Problem("PHOTO_RATIO", "post.photo", "crop it")]
    await desk.publish("pub")
    assert desk.publisher.submitted == []
    assert desk.store.data.attempts == {}
    assert desk.store.publication.state is S.FAILED
    assert desk.store.publication.problem == Problem("PHOTO_RATIO", "crop it")


async def test_a_call_that_breaks_may_have_been_a_success(desk: Desk) -> None:
    desk.publisher.answers = [OverflowError("cannot convert float infinity to integer")]
    await desk.publish("pub")
    publication = desk.store.publication
    assert (publication.state, publication.was_unknown) == (S.UNKNOWN, True)
    assert "OverflowError" in publication.state_reason
