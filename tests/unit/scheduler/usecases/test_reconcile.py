import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    NotSent,
    OutcomeUnknown,
    ReadFailed,
    RemotePost,
    RemoteState,
)
from tests.support.scheduler_fakes import Killed, a_channel, a_post
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState


@pytest.fixture(autouse=True)
async def in_doubt(desk: Desk) -> None:
    """A publication whose call was lost at noon, 15 seconds ago."""
    now = desk.clock.now()
    desk.store.add(a_channel(now), a_post(now))
    desk.publisher.answers = [OutcomeUnknown("lost")]
    await desk.publish("pub")
    desk.clock.advance(15)


def remote(desk: Desk, id: str = "remote-1", after: float = 0.0) -> RemotePost:
    made = desk.clock.now() + timedelta(seconds=after)
    return RemotePost(id, "acc", RemoteState.SCHEDULED, "Light", made)


async def look_until(desk: Desk, seconds: float) -> None:
    """Looks whenever it is time, until so long after the first look was due."""
    for _ in range(int(seconds / 5) + 1):
        await desk.reconcile("pub")
        desk.clock.advance(5)


async def test_what_is_found_is_adopted(desk: Desk) -> None:
    desk.publisher.found = [remote(desk)]
    await desk.reconcile("pub")
    publication = desk.store.publication
    [(attempt, result)] = desk.store.data.attempts.values()
    assert publication.state is S.SCHEDULED
    assert publication.provider_post_id == "remote-1"
    assert publication.remote_due_at == attempt.due_at
    assert publication.problem is None
    assert result is not None
    assert (result.outcome, result.provider_post_id) == ("adopted", "remote-1")
    request, since = desk.publisher.looked_for
    assert request == desk.publisher.submitted[0]
    assert since == attempt.started_at
    assert ("publication", "unknown", "reconciling") in desk.store.data.moves


async def test_of_several_the_first_is_adopted_and_the_others_are_told(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.publisher.found = [remote(desk, "late", 5), remote(desk, "early")]
    await desk.reconcile("pub")
    assert desk.store.publication.provider_post_id == "early"
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "more than once: late" in record.getMessage()


async def test_what_belongs_to_another_publication_is_not_taken(desk: Desk) -> None:
    now = desk.clock.now()
    other = Attempt(
        id="other",
        publication="another",
        number=1,
        fingerprint="",
        request_hash="",
        due_at=now,
        started_at=now,
        worker="me",
        token=1,
    )
    result = AttemptResult("accepted", now, provider_post_id="remote-1")
    desk.store.data.attempts["other"] = (other, result)
    desk.publisher.found = [remote(desk)]
    await desk.reconcile("pub")
    assert desk.store.publication.state is S.UNKNOWN


@pytest.mark.parametrize(
    ("state", "adopted"), [(RemoteState.SENT, True), (RemoteState.ERROR, False)]
)
async def test_our_own_post_that_was_lost_from_sight_is_adopted_and_not_sent_again(
    desk: Desk, state: RemoteState, adopted: bool
) -> None:
    [(own, _)] = desk.store.data.attempts.values()
    earlier = replace(own, id="earlier", number=0)
    result = AttemptResult("accepted", desk.clock.now(), provider_post_id="remote-1")
    desk.store.data.attempts["earlier"] = (earlier, result)
    desk.publisher.found = [replace(remote(desk), state=state)]
    await desk.reconcile("pub")
    assert (desk.store.publication.provider_post_id == "remote-1") is adopted
    assert len(desk.publisher.submitted) == 1


async def test_nothing_found_means_three_looks_and_one_more_call(desk: Desk) -> None:
    await desk.reconcile("pub")
    publication = desk.store.publication
    assert publication.state is S.UNKNOWN
    assert publication.next_attempt_at == desk.clock.now() + timedelta(seconds=45)
    await look_until(desk, 290)
    publication = desk.store.publication
    assert publication.state is S.RETRY_WAIT
    assert publication.retried_once
    looks = desk.store.data.moves.count(("publication", "unknown", "reconciling"))
    assert looks == 3
    assert len(desk.publisher.submitted) == 1

    desk.publisher.answers = [OutcomeUnknown("lost again")]
    await desk.publish("pub")
    desk.clock.advance(15)
    await look_until(desk, 290)
    publication = desk.store.publication
    assert publication.state is S.NEEDS_REVIEW
    assert publication.problem is not None
    assert publication.problem.reason == "OUTCOME_UNKNOWN"
    assert publication.next_attempt_at is None
    assert len(desk.publisher.submitted) == 2


async def test_a_duplicate_that_is_not_there_is_for_a_person(desk: Desk) -> None:
    await look_until(desk, 290)
    desk.publisher.answers = [NotSent(FailureKind.DUPLICATE, "had that")]
    await desk.publish("pub")
    await desk.reconcile("pub")
    publication = desk.store.publication
    assert publication.state is S.NEEDS_REVIEW
    assert publication.problem is not None
    assert publication.problem.reason == "DUPLICATE_NOT_FOUND"


async def test_it_is_not_looked_for_before_it_is_time(desk: Desk) -> None:
    desk.clock.advance(-1)
    before = desk.store.data
    await desk.reconcile("pub")
    assert desk.store.data is before


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (ReadFailed(FailureKind.UNKNOWN, "503"), 30),
        (ReadFailed(FailureKind.THROTTLED, "wait", retry_after=200), 200),
        (ReadFailed(FailureKind.AUTH, "key revoked"), 30),
    ],
)
async def test_a_look_that_fails_is_taken_again(desk: Desk, error: ReadFailed, wait: float) -> None:
    desk.publisher.found = error
    await desk.reconcile("pub")
    publication = desk.store.publication
    assert publication.state is S.UNKNOWN
    assert error.message in publication.state_reason
    assert publication.next_attempt_at == desk.clock.now() + timedelta(seconds=wait)
    is_paused = desk.store.channel.state is ChannelState.NEEDS_ATTENTION
    assert is_paused is (error.kind is FailureKind.AUTH)


async def test_a_look_that_never_ended_is_taken_again(desk: Desk) -> None:
    desk.publisher.found = Killed()
    with pytest.raises(Killed):
        await desk.reconcile("pub")
    assert desk.store.publication.state is S.RECONCILING
    desk.publisher.found = [remote(desk)]
    await desk.reconcile("pub")
    assert desk.store.publication.state is S.RECONCILING
    desk.clock.advance(5 * desk.pace.submit_timeout)
    await desk.reconcile("pub")
    assert desk.store.publication.state is S.SCHEDULED


async def test_a_look_that_was_overtaken_changes_nothing(desk: Desk) -> None:
    """Two looks at once: the slow one finds that its token is old."""
    inner = desk.publisher.find

    async def slow(*arguments: object) -> list[RemotePost]:
        desk.publisher.find = inner  # type: ignore[method-assign]
        desk.clock.advance(5 * desk.pace.submit_timeout)
        await desk.reconcile("pub")
        return [remote(desk, "seen by the slow one")]

    desk.publisher.find = slow  # type: ignore[method-assign,assignment]
    desk.publisher.found = [remote(desk, "seen by the quick one")]
    await desk.reconcile("pub")
    assert desk.store.publication.provider_post_id == "seen by the quick one"


async def test_a_look_changes_nothing_while_a_newer_one_is_taken(desk: Desk) -> None:
    inner = desk.publisher.find

    async def slow(*arguments: object) -> list[RemotePost]:
        desk.publisher.find = inner  # type: ignore[method-assign]
        desk.clock.advance(5 * desk.pace.submit_timeout)
        desk.publisher.found = Killed()
        with pytest.raises(Killed):
            await desk.reconcile("pub")
        return [remote(desk, "seen by the slow one")]

    desk.publisher.find = slow  # type: ignore[method-assign,assignment]
    await desk.reconcile("pub")
    assert desk.store.publication.state is S.RECONCILING
    assert desk.store.publication.provider_post_id == ""
    [result] = desk.store.results
    assert result is not None
    assert result.outcome == "unknown"


async def test_looks_that_break_are_counted_and_then_a_person_is_asked(desk: Desk) -> None:
    desk.publisher.found = ValueError("year 58000 is out of range")
    await desk.reconcile("pub")
    publication = desk.store.publication
    assert publication.state is S.UNKNOWN
    assert publication.next_attempt_at == desk.clock.now() + timedelta(seconds=45)
    await look_until(desk, 290)
    publication = desk.store.publication
    assert publication.state is S.NEEDS_REVIEW
    assert publication.problem is not None
    assert publication.problem.reason == "LOOK_FAILED"
    assert len(desk.publisher.submitted) == 1
