from datetime import UTC, datetime, timedelta

from libs.clock import Clock, SystemClock
from tests.support.clock import NOON, FakeClock


def test_system_clock_is_aware_and_utc() -> None:
    clock: Clock = SystemClock()
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= after


def test_fake_clock_moves_when_told() -> None:
    clock: FakeClock = FakeClock()
    assert clock.now() == clock.now() == NOON
    assert clock.advance(90) == NOON + timedelta(seconds=90)
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOON + timedelta(hours=1, seconds=90)
