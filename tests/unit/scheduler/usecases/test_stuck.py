"""Publications whose worker died in the call."""

from datetime import timedelta

import pytest

from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import NotSent, RemotePost, RemoteState, Submitted
from tests.support.scheduler_fakes import Killed, a_channel, a_post
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState


@pytest.fixture(autouse=True)
async def died(desk: Desk) -> None:
    now = desk.clock.now()
    desk.store.add(a_channel(now), a_post(now))
    desk.publisher.answers = [Killed()]
    with pytest.raises(Killed):
        await desk.publish("pub")


async def test_it_is_left_alone_while_the_worker_may_live(desk: Desk) -> None:
    desk.clock.advance(60)
    await desk.tick()
    await desk.reconcile("pub")
    assert desk.queue.sent == []
    assert desk.store.publication.state is S.SUBMITTING


async def test_then_it_is_unknown_and_looked_up_but_not_sent(desk: Desk) -> None:
    desk.clock.advance(61)
    await desk.tick()
    assert desk.queue.sent == [("scheduler.reconcile", "pub")]
    await desk.reconcile("pub")
    publication = desk.store.publication
    assert publication.state is S.UNKNOWN
    assert publication.was_unknown
    assert publication.next_attempt_at == desk.clock.now()
    [result] = desk.store.results
    assert result is not None
    assert result.outcome == "crashed"
    made = desk.clock.now() - timedelta(seconds=61)
    desk.publisher.found = [RemotePost("there", "acc", RemoteState.SENT, "Light", made)]
    await desk.reconcile("pub")
    assert desk.store.publication.provider_post_id == "there"
    assert len(desk.publisher.submitted) == 1


@pytest.mark.parametrize("answer", ["there", NotSent(FailureKind.PERMANENT, "no")])
async def test_an_answer_that_comes_after_all(desk: Desk, answer: str | NotSent) -> None:
    """The machine slept in the call. A success is taken, a failure leaves the doubt as it is."""
    now = desk.clock.now()
    desk.store.add(a_channel(now), a_post(now))
    desk.store.data.attempts.clear()
    desk.publisher.answers = [answer]
    inner = desk.publisher.submit

    async def slow(*arguments: object) -> Submitted:
        desk.clock.advance(61)
        await desk.reconcile("pub")
        await desk.reconcile("pub")
        return await inner(*arguments)  # type: ignore[arg-type]

    desk.publisher.submit = slow  # type: ignore[method-assign,assignment]
    await desk.publish("pub")
    publication = desk.store.publication
    if isinstance(answer, str):
        assert publication.state is S.SCHEDULED
        assert publication.provider_post_id == "there"
    else:
        assert publication.state is S.UNKNOWN
        assert publication.problem is not None
        assert publication.problem.reason == "UNKNOWN"


async def test_a_late_answer_to_a_call_that_was_repeated_is_an_alarm(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    now = desk.clock.now()
    desk.store.add(a_channel(now), a_post(now))
    desk.store.data.attempts.clear()
    desk.publisher.answers = ["second", "first"]
    inner = desk.publisher.submit

    async def slow(*arguments: object) -> Submitted:
        desk.publisher.submit = inner  # type: ignore[method-assign]
        desk.clock.advance(61)
        await desk.reconcile("pub")
        desk.clock.advance(301)
        await desk.reconcile("pub")
        await desk.publish("pub")
        return await inner(*arguments)  # type: ignore[arg-type]

    desk.publisher.submit = slow  # type: ignore[method-assign,assignment]
    await desk.publish("pub")
    assert desk.store.publication.provider_post_id == "second"
    assert "the provider took first" in caplog.text
