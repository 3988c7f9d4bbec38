from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.domain.reconciliation import (
    LOOK_AFTER,
    READ_BACK,
    SAME_AGAIN,
    Adopt,
    NeedsReview,
    RetryOnce,
    WaitUntil,
    reconcile,
)

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    id: str
    created_at: datetime = NOW


@pytest.mark.parametrize("seconds", [0, 15, 60, 300, 9000])
@pytest.mark.parametrize("retried_once", [False, True])
@pytest.mark.parametrize("duplicate_refusal", [False, True])
def test_what_is_found_is_adopted_whenever_it_turns_up(
    seconds: int, retried_once: bool, duplicate_refusal: bool
) -> None:
    elapsed = timedelta(seconds=seconds)
    assert reconcile([Found("a")], elapsed, retried_once, duplicate_refusal) == Adopt("a")


def test_of_several_the_earliest_is_adopted_and_the_others_are_named() -> None:
    later, first = Found("a", NOW + timedelta(seconds=1)), Found("c", NOW)
    same_time = Found("d", NOW)
    decision = reconcile([later, same_time, first], timedelta(seconds=15), False, False)
    assert decision == Adopt("c", ("d", "a"))


@pytest.mark.parametrize(
    ("elapsed", "until"), [(0, 15), (14.9, 15), (15, 60), (59, 60), (60, 300), (299, 300)]
)
@pytest.mark.parametrize("retried_once", [False, True])
def test_looks_at_15_s_60_s_and_5_min(elapsed: float, until: int, retried_once: bool) -> None:
    decision = reconcile([], timedelta(seconds=elapsed), retried_once, False)
    assert decision == WaitUntil(timedelta(seconds=until))


def test_nothing_after_five_minutes_is_repeated_once() -> None:
    assert reconcile([], timedelta(minutes=5), False, False) == RetryOnce()


def test_nothing_after_the_repetition_is_for_a_person() -> None:
    decision = reconcile([], timedelta(minutes=5), True, False)
    assert isinstance(decision, NeedsReview)
    assert decision.reason == "OUTCOME_UNKNOWN"


@pytest.mark.parametrize("seconds", [0, 15, 400])
def test_a_duplicate_that_is_not_listed_is_for_a_person_at_once(seconds: int) -> None:
    decision = reconcile([], timedelta(seconds=seconds), True, True)
    assert isinstance(decision, NeedsReview)
    assert decision.reason == "DUPLICATE_NOT_FOUND"


def test_a_call_that_is_read_back_is_repeated_once() -> None:
    assert READ_BACK.looks_after(3) == LOOK_AFTER
    assert not READ_BACK.is_spent(retried_once=False, tries=4)
    assert READ_BACK.is_spent(retried_once=True, tries=1)


def test_a_call_that_may_be_the_same_again_is_repeated_ever_more_rarely() -> None:
    waits = [SAME_AGAIN.looks_after(tries)[0] for tries in range(1, 8)]
    assert waits == sorted(waits)
    assert waits[-1] == waits[4] == timedelta(hours=2)
    assert not SAME_AGAIN.is_spent(retried_once=True, tries=5)
    assert SAME_AGAIN.is_spent(retried_once=True, tries=6)
