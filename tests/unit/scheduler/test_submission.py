import math
from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.domain.publication import ALLOWED_MOVES, PublicationState
from services.scheduler.domain.submission import (
    FailureKind,
    after_submit_error,
    backoff,
    throttle_delay,
)
from services.scheduler.providers.base import NotSent, OutcomeUnknown

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def most() -> float:
    return 1.0


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)])
def test_not_sent_waits_twice_as_long_each_time(attempts: int, seconds: int) -> None:
    after = after_submit_error(NotSent(FailureKind.NOT_SENT, "refused"), attempts, NOW, jitter=most)
    assert after.state is PublicationState.RETRY_WAIT
    assert after.next_attempt_at == NOW + timedelta(seconds=seconds)
    assert (after.reason, after.message) == ("NOT_SENT", "refused")
    assert not after.pause_channel
    assert not after.alarm


def test_not_sent_gives_up_after_six_calls() -> None:
    after = after_submit_error(NotSent(FailureKind.NOT_SENT, "refused"), 6, NOW)
    assert after.state is PublicationState.FAILED
    assert after.next_attempt_at is None
    assert after.reason == "ATTEMPTS_EXHAUSTED"


def test_backoff_has_full_jitter() -> None:
    assert backoff(4, lambda: 0.0) == timedelta(0)
    assert backoff(4, lambda: 0.5) == timedelta(seconds=4)
    assert timedelta(0) <= backoff(3) <= timedelta(seconds=4)


def test_throttled_waits_as_asked_and_never_gives_up() -> None:
    error = NotSent(FailureKind.THROTTLED, "slow down", retry_after=120.0)
    after = after_submit_error(error, 100, NOW, jitter=lambda: 0.5)
    assert after.state is PublicationState.RETRY_WAIT
    assert after.next_attempt_at == NOW + timedelta(seconds=126)


def test_throttled_without_a_time_waits_a_minute_and_up_to_a_tenth() -> None:
    assert throttle_delay(None, lambda: 0.0) == timedelta(seconds=60)
    assert throttle_delay(None, most) == timedelta(seconds=66)


@pytest.mark.parametrize(
    ("kind", "state", "pauses", "alarms"),
    [
        (FailureKind.AUTH, PublicationState.READY, True, False),
        (FailureKind.EDGE_BLOCK, PublicationState.READY, True, True),
        (FailureKind.PERMANENT, PublicationState.FAILED, False, False),
        (FailureKind.DUPLICATE, PublicationState.FAILED, False, False),
        (FailureKind.CLIENT_BUG, PublicationState.FAILED, False, True),
    ],
)
def test_what_waiting_does_not_mend(
    kind: FailureKind, state: PublicationState, pauses: bool, alarms: bool
) -> None:
    after = after_submit_error(NotSent(kind, "no"), 1, NOW)
    assert (after.state, after.next_attempt_at) == (state, None)
    assert (after.pause_channel, after.alarm) == (pauses, alarms)
    assert (after.reason, after.message) == (kind.value.upper(), "no")


def test_an_unknown_outcome_is_looked_into_after_15_seconds() -> None:
    after = after_submit_error(OutcomeUnknown("timeout"), 6, NOW)
    assert after.state is PublicationState.UNKNOWN
    assert after.next_attempt_at == NOW + timedelta(seconds=15)


def test_a_duplicate_after_an_unknown_outcome_is_looked_into_at_once() -> None:
    error = NotSent(FailureKind.DUPLICATE, "already got this one scheduled")
    after = after_submit_error(error, 2, NOW, after_unknown=True)
    assert (after.state, after.next_attempt_at) == (PublicationState.UNKNOWN, NOW)


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("attempts", [1, 6])
@pytest.mark.parametrize("after_unknown", [False, True])
def test_what_follows_is_always_a_legal_move(
    kind: FailureKind, attempts: int, after_unknown: bool
) -> None:
    after = after_submit_error(NotSent(kind, "no"), attempts, NOW, after_unknown=after_unknown)
    assert after.state in ALLOWED_MOVES[PublicationState.SUBMITTING]


def test_what_is_not_ready_is_asked_for_again_six_times() -> None:
    error = NotSent(FailureKind.NOT_READY, "still processing", retry_after=10.0)
    after = after_submit_error(error, 1, NOW, jitter=most)
    assert after.state is PublicationState.RETRY_WAIT
    assert after.next_attempt_at == NOW + timedelta(seconds=11)
    assert after_submit_error(error, 6, NOW).state is PublicationState.FAILED


@pytest.mark.parametrize(
    "kind", [FailureKind.PERMANENT, FailureKind.CLIENT_BUG, FailureKind.NOT_SENT]
)
def test_no_refusal_is_proof_where_nothing_can_be_read_back(kind: FailureKind) -> None:
    error = NotSent(kind, "no")
    blind = after_submit_error(error, 6, NOW, after_unknown=True, is_blind=True)
    assert blind.state is PublicationState.UNKNOWN
    assert blind.next_attempt_at is not None
    assert after_submit_error(error, 6, NOW, after_unknown=True).state is PublicationState.FAILED


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(None, None), (30.0, 30.0), (1e12, 86_400.0), (math.inf, 86_400.0), (math.nan, 0.0)],
)
def test_a_wait_that_is_asked_for_is_a_day_at_most(
    asked: float | None, waits: float | None
) -> None:
    assert NotSent(FailureKind.THROTTLED, "wait", retry_after=asked).retry_after == waits
