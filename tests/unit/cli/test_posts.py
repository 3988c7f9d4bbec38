"""Times as people type them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.posts import moment
from libs.errors import InvalidArgument

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def test_now_is_now() -> None:
    assert moment("now", NOW) == NOW


@given(st.integers(0, 999_999), st.sampled_from(sorted(UNITS)))
def test_a_span_counts_from_now(count: int, unit: str) -> None:
    assert moment(f"+{count}{unit}", NOW) == NOW + count * UNITS[unit]


def test_a_time_with_a_zone_is_itself() -> None:
    expected = datetime(2026, 12, 1, 15, 0, tzinfo=timezone(timedelta(hours=1)))
    assert moment("2026-12-01T15:00+01:00", NOW) == expected
    assert moment("2026-12-01T14:00Z", NOW) == expected


def test_a_time_without_a_zone_is_that_of_this_machine() -> None:
    given_time = moment("2026-12-01T15:00", NOW)
    assert given_time.tzinfo is not None
    assert given_time == datetime(2026, 12, 1, 15, 0).astimezone()


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "+", "+h", "+1", "+1w", "-1h", "+1.5h", "+²h", "+9999999d", "15:00"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        moment(text, NOW)
    (violation,) = refused.value.violations
    assert violation.field == "at"
    assert "+90m" in violation.description
    assert repr(text) in violation.description
