from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.domain.timing import (
    effective_due,
    is_missed,
    is_stuck,
    next_confirmation,
)

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def test_the_lateness_is_an_argument() -> None:
    assert not is_missed(NOW - timedelta(hours=24), NOW)
    assert is_missed(NOW - timedelta(hours=2), NOW, max_lateness=timedelta(hours=1))


def test_a_provider_never_gets_a_time_in_the_past() -> None:
    far = NOW + timedelta(hours=1, microseconds=1500)
    assert effective_due(far, NOW) == NOW + timedelta(hours=1, milliseconds=1)
    assert effective_due(NOW - timedelta(hours=1), NOW) == NOW + timedelta(seconds=30)
    assert effective_due(NOW + timedelta(seconds=5), NOW) == NOW + timedelta(seconds=30)


def test_submitting_for_twice_the_timeout_is_stuck() -> None:
    assert not is_stuck(NOW - timedelta(seconds=60), NOW)
    assert is_stuck(NOW - timedelta(seconds=61), NOW)
    assert is_stuck(NOW - timedelta(seconds=3), NOW, submit_timeout=timedelta(seconds=1))


@pytest.mark.parametrize(
    ("passed", "at"), [(-5, 1), (0, 1), (1, 3), (2, 3), (3, 10), (10, 30), (30, 120), (119, 120)]
)
def test_confirmation_is_asked_for_ever_more_rarely(passed: float, at: float) -> None:
    answer = next_confirmation(NOW, NOW + timedelta(minutes=passed))
    assert answer == NOW + timedelta(minutes=at)


def test_after_the_last_confirmation_it_is_overdue() -> None:
    assert next_confirmation(NOW, NOW + timedelta(hours=2)) is None
    assert next_confirmation(NOW, NOW, schedule=()) is None
