"""What people mean by a time on a day on which the clocks change."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.times import typed
from libs.errors import InvalidArgument

NAIVE = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(
    lambda at: at.replace(second=0, microsecond=0)
)


@pytest.fixture(params=["Europe/Lisbon", "America/New_York"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A machine whose clock is of that zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def refused(text: str) -> str:
    with pytest.raises(InvalidArgument) as caught:
        typed(text, "at")
    [violation] = caught.value.violations
    assert violation.field == "at"
    return violation.description


def test_a_zone_may_be_named() -> None:
    assert typed("2026-07-01T15:00[Europe/Lisbon]", "at") == datetime(2026, 7, 1, 14, tzinfo=UTC)
    assert typed("2026-12-01T15:00[Europe/Lisbon]", "at") == datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert typed("2026-12-01 15:00[Asia/Kolkata]", "at") == datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    assert "no time zone 'Mars/Olympus'" in refused("2026-12-01T15:00[Mars/Olympus]")
    assert "no time zone" in refused("2026-12-01T15:00[/etc/passwd]")
    assert typed("tomorrow[Europe/Lisbon]", "at") is None


def test_an_offset_says_which_moment_is_meant() -> None:
    first = typed("2026-10-25T01:30+01:00[Europe/Lisbon]", "at")
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert typed("2026-10-25T01:30+00:00", "at") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-29T01:30[Europe/Lisbon]",
        "2026-03-08T02:00[America/New_York]",
        "2026-10-04T02:29[Australia/Lord_Howe]",
    ],
)
def test_a_time_that_never_comes_is_refused(text: str) -> None:
    assert "never comes" in refused(text)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00[Asia/Tokyo]", "9999-12-31T23:59[America/New_York]"]
)
def test_a_time_that_no_calendar_has_is_refused(text: str) -> None:
    assert "beyond all calendars" in refused(text)


def test_of_a_time_that_comes_twice_it_is_asked_which_is_meant() -> None:
    said = refused("2026-10-25T01:30[Europe/Lisbon]")
    assert "comes twice in Europe/Lisbon" in said
    assert "2026-10-25T01:30:00+01:00 or 2026-10-25T01:30:00+00:00" in said
    for offered in said.rpartition("which: ")[2].split(" or "):
        assert typed(offered, "at") is not None


def test_the_clock_of_this_machine_is_taken_as_seriously(machine: str) -> None:
    assert typed("2026-07-01T15:00", "at") == typed(f"2026-07-01T15:00[{machine}]", "at")
    gap, twice = {
        "Europe/Lisbon": ("2026-03-29T01:15", "2026-10-25T01:15"),
        "America/New_York": ("2026-03-08T02:15", "2026-11-01T01:15"),
    }[machine]
    assert "never comes in this machine's time zone" in refused(gap)
    assert "comes twice in this machine's time zone" in refused(twice)


@given(NAIVE, st.sampled_from(["Europe/Lisbon", "America/Santiago", "Australia/Lord_Howe"]))
def test_whatever_is_taken_is_what_the_clocks_there_show(at: datetime, zone: str) -> None:
    try:
        moment = typed(f"{at.isoformat()}[{zone}]", "at")
    except InvalidArgument:
        return
    assert moment is not None
    assert moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == at
