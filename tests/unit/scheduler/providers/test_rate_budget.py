import math
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.scheduler.providers.rate_budget import Block, RateBudget

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def current(day_left: int, quarter_left: int = 50) -> httpx.Headers:
    return httpx.Headers(
        [
            ("RateLimit", f'"burst";r={quarter_left};t=300'),
            ("RateLimit", f'"daily";r={day_left};t=4000'),
            ("RateLimit-Policy", '"daily";q=250;w=86400;pk=:abc=:'),
            ("RateLimit-Policy", '"burst";q=100;w=900;pk=:abc=:'),
        ]
    )


def test_windows_are_known_by_their_length_not_their_name() -> None:
    budget = RateBudget()
    budget.observe(current(day_left=50), NOW)
    assert budget.blocked(NOW) is None
    assert budget.has_reserve(NOW)
    budget.observe(current(day_left=49), NOW)
    assert not budget.has_reserve(NOW)
    assert budget.has_reserve(NOW + timedelta(seconds=4001))
    budget.observe(current(day_left=200, quarter_left=0), NOW)
    assert budget.blocked(NOW) == Block(300.0, "15m")
    assert budget.has_reserve(NOW)
    assert budget.blocked(NOW + timedelta(seconds=300)) is None


def test_headers_may_be_joined_with_commas() -> None:
    budget = RateBudget()
    joined = {
        "RateLimit": '"a";r=5;t=10, "b";r=0;t=20',
        "RateLimit-Policy": '"a";q=100;w=900, "b";q=250;w=86400',
    }
    budget.observe(httpx.Headers(joined), NOW)
    assert budget.blocked(NOW) == Block(20.0, "24h")


@pytest.mark.parametrize("prefix", ["RateLimit", "X-RateLimit"])
@pytest.mark.parametrize(
    "reset", ["2026-12-01T12:01:00.000Z", "60", str(int(NOW.timestamp()) + 60)]
)
def test_older_forms(prefix: str, reset: str) -> None:
    budget = RateBudget()
    headers = {f"{prefix}-Limit": "100", f"{prefix}-Remaining": "0", f"{prefix}-Reset": reset}
    budget.observe(httpx.Headers(headers), NOW)
    assert budget.blocked(NOW) == Block(60.0, None)
    assert budget.blocked(NOW + timedelta(seconds=60)) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"RateLimit": '"a";r=0;t=10'},
        {"RateLimit": "nonsense", "RateLimit-Policy": "nonsense"},
        {"RateLimit-Remaining": "0", "RateLimit-Reset": "tomorrow"},
    ],
)
def test_what_is_not_understood_blocks_nothing(headers: dict[str, str]) -> None:
    budget = RateBudget()
    budget.observe(httpx.Headers(headers), NOW)
    assert budget.blocked(NOW) is None
    assert budget.has_reserve(NOW)


def test_a_refusal_blocks_the_key_for_as_long_as_asked() -> None:
    budget = RateBudget()
    assert budget.block(30.0, "30d", NOW) == Block(30.0, "30d")
    assert budget.has_reserve(NOW)
    assert budget.blocked(NOW + timedelta(seconds=10)) == Block(20.0, "30d")
    assert budget.blocked(NOW + timedelta(seconds=30)) is None


def test_a_refusal_without_a_time_takes_it_from_the_window() -> None:
    budget = RateBudget()
    budget.observe(current(day_left=10), NOW)
    assert budget.block(None, "24h", NOW) == Block(4000.0, "24h")


def test_a_refusal_without_any_time_blocks_for_a_minute() -> None:
    assert RateBudget().block(None, None, NOW) == Block(60.0, None)


def test_a_reset_may_be_told_in_milliseconds() -> None:
    budget = RateBudget()
    reset = str(int(NOW.timestamp() * 1000) + 60_000)
    budget.observe(httpx.Headers({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}), NOW)
    assert budget.blocked(NOW) == Block(60.0, None)


@pytest.mark.parametrize("seconds", [math.inf, 1e12])
def test_no_refusal_blocks_for_longer_than_a_day(seconds: float) -> None:
    assert RateBudget().block(seconds, None, NOW) == Block(86_400.0, None)


@pytest.mark.parametrize("reset", ["9" * 30, "9" * 400, "9999-12-31T00:00:00Z"])
def test_no_window_blocks_for_longer_than_a_day(reset: str) -> None:
    budget = RateBudget()
    budget.observe(httpx.Headers({"RateLimit-Remaining": "0", "RateLimit-Reset": reset}), NOW)
    block = budget.blocked(NOW)
    assert block is None or block.seconds <= 86_400


@pytest.mark.parametrize("told", ["r=0;t=" + "9" * 20, "r=0;t=\xb2"])
def test_numbers_that_are_none_raise_nothing(told: str) -> None:
    budget = RateBudget()
    headers = {"RateLimit": f'"day";{told}', "RateLimit-Policy": '"day";q=250;w=86400'}
    budget.observe(httpx.Headers(headers, encoding="latin-1"), NOW)
    assert budget.blocked(NOW) is None
