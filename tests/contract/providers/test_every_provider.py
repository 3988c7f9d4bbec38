"""What every provider's adapter promises, on a stand-in that does what the provider does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from services.scheduler.domain.reconciliation import NeedsReview
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    NotSent,
    OutcomeUnknown,
    Publisher,
    PublishRequest,
    RemoteState,
)
from tests.contract.providers.conftest import Mortal
from tests.contract.providers.sides import Side, Time
from tests.contract.providers.worker import Worker
from tests.support.scheduler_fakes import Killed

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOST = ("drop_before", "drop_after", "gateway_error", "nonsense")
FAULTS = ("drop_before", "drop_after", "rate_limit", "refuse")


async def test_a_post_is_out_once_with_its_words_and_its_description(
    worker: Worker, side: Side, request_now: PublishRequest
) -> None:
    id = await worker.publish()
    [live] = await side.live()
    assert live.id == id
    assert live.text == request_now.text
    assert live.alt_text == "a cat, asleep"
    assert not live.has_metadata
    assert await side.received() == 1


async def test_what_is_fit_passes_the_preflight(
    publisher: Publisher, channel: Channel, request_now: PublishRequest
) -> None:
    assert publisher.preflight(channel, request_now) == []


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_answer_leaves_exactly_one_post(worker: Worker, side: Side, kind: str) -> None:
    await side.fault(kind)
    id = await worker.publish()
    assert [live.id for live in await side.live()] == [id]
    assert worker.failures == ([] if kind in side.believed else [FailureKind.UNKNOWN])


async def test_two_calls_that_go_wrong_never_make_two_posts(worker: Worker, side: Side) -> None:
    """Every pair of faults, one after the other, each for a post of its own."""
    for first, second in product(FAULTS, repeat=2):
        before = {live.id for live in await side.live()}
        fresh = replace(
            worker.request,
            key=f"{first}-{second}",
            text=f"{first} then {second}",
            due_at=worker.time.now() + timedelta(seconds=30),
        )
        pair = Worker(worker.publisher, worker.channel, fresh, worker.time)
        await side.fault(first)
        await side.fault(second)
        outcome = await pair.publish()
        made = [live.id for live in await side.live() if live.id not in before]
        assert len(made) <= 1, (first, second)
        if isinstance(outcome, str):
            assert made == [outcome], (first, second)
        await side.calm()


async def test_too_many_calls_hold_back_the_key_until_the_provider_takes_more(
    publisher: Publisher, channel: Channel, request_now: PublishRequest, side: Side, time: Time
) -> None:
    request_now = replace(request_now, due_at=time.now() + timedelta(minutes=10))
    await side.fault("rate_limit", seconds=120)
    with pytest.raises(NotSent) as caught:
        await publisher.submit(channel, request_now)
    assert caught.value.kind is FailureKind.THROTTLED
    assert caught.value.retry_after == pytest.approx(120, abs=20)
    with pytest.raises(NotSent):
        await publisher.submit(channel, request_now)
    assert (await side.received(), await side.live()) == (1, [])
    await time.advance(150)
    await publisher.submit(channel, request_now)
    assert len(await side.live()) == 1


async def test_a_refused_post_has_failed_and_is_not_sent_again(worker: Worker, side: Side) -> None:
    await side.fault("refuse")
    outcome = await worker.publish()
    assert isinstance(outcome, NotSent)
    assert outcome.kind is FailureKind.PERMANENT
    assert (await side.received(), await side.live()) == (1, [])


async def test_an_account_that_is_disconnected_is_told_apart(worker: Worker, side: Side) -> None:
    await side.fault("unauthorized")
    outcome = await worker.publish()
    assert isinstance(outcome, NotSent)
    assert outcome.kind is FailureKind.AUTH
    assert worker.channel.credentials.token not in outcome.message
    assert await side.live() == []


async def test_what_is_out_is_listed_until_it_is_deleted(
    worker: Worker, publisher: Publisher, channel: Channel, side: Side, time: Time
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    await time.advance(60)
    asked = {id: worker.request.due_at}
    [post] = await publisher.status(channel, asked)
    assert (post.id, post.state) == (id, RemoteState.SENT)
    if side.removes:
        await side.remove(id)
        assert await publisher.status(channel, asked) == []


async def test_two_posts_with_equal_words_are_two(worker: Worker, side: Side, time: Time) -> None:
    first = await worker.publish()
    await time.advance(3600)
    other = replace(worker.request, key="0192f0c1-2222-7000-8000-00000000000b", handles=())
    due_at = time.now() + timedelta(seconds=30)
    again = Worker(
        worker.publisher, worker.channel, replace(other, due_at=due_at, earlier_due_at=()), time
    )
    await side.fault("drop_after")
    second = await again.publish()
    assert [live.id for live in await side.live()] == [first, second]


async def test_a_process_that_dies_at_any_moment_leaves_exactly_one_post(
    adapter: Callable[[], Publisher],
    worker: Worker,
    side: Side,
    network: Mortal,
    time: Time,
) -> None:
    """Killed before and after each of its requests, by turns; another process goes on each time."""
    calls = 1
    moment = 0
    while moment < 2 * calls:
        request = replace(worker.request, key=f"moment-{moment}", text=f"Moment {moment}")
        due_at = time.now() + timedelta(seconds=30)
        mortal = Worker(adapter, worker.channel, replace(request, due_at=due_at), time)
        network.requests, network.dies_at = 0, moment // 2 + 1
        network.dies_after = bool(moment % 2)
        try:
            outcome = await mortal.attempt()
            calls = network.requests if network.requests < network.dies_at else calls
        except Killed:
            calls = network.dies_at + 1
            network.dies_at = 0
            await time.advance(61)
            crashed = OutcomeUnknown("the worker stopped during the call")
            mortal.failures.append(crashed.kind)
            outcome = await mortal.after(crashed) or await mortal.publish()
        assert isinstance(outcome, str), outcome
        assert not isinstance(outcome, NeedsReview)
        texts = [live.text for live in await side.live()]
        assert texts.count(f"Moment {moment}") == 1
        network.dies_at = 0
        moment += 1
