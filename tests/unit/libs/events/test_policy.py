from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import Unavailable
from libs.events.policy import Policy
from libs.events.stream import Reject, Retry
from libs.events.wire import Delivery
from tests.support.events import event

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def delay(attempt: int, error: Exception, age: timedelta = timedelta()) -> float | None:
    delivery = Delivery("s", "1-0", event(), NOW - age).again(attempt - 1)
    return Policy().delay(delivery, error, NOW)


@pytest.mark.parametrize("error", [Retry("later"), ValueError("a mistake")])
def test_waits_grow_and_the_fifth_failure_is_the_last(error: Exception) -> None:
    assert [delay(n, error) for n in range(1, 7)] == [1, 5, 30, 120, None, None]


def test_a_handler_may_choose_the_wait_but_not_the_number() -> None:
    error = Retry("later", after=7)
    assert [delay(n, error) for n in range(1, 6)] == [7, 7, 7, 7, None]


def test_rejected_is_over_at_once() -> None:
    assert delay(1, Reject("broken")) is None


def test_an_outage_is_waited_out_for_a_day() -> None:
    away = Unavailable("away", retry_after=20)
    assert [delay(n, away) for n in (1, 3, 9)] == [20, 30, 120]
    assert delay(1, away, timedelta(hours=23)) == 20
    assert delay(1, away, timedelta(hours=25)) is None
