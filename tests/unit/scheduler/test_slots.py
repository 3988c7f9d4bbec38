from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.domain.slots import (
    DEFAULT_WINDOWS,
    HORIZON,
    Cadence,
    Slot,
    Window,
    moment_of,
    slots,
)

# Two that change their clocks in the north, one in the south, one by half an hour, one never.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Lisbon",
        "America/New_York",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
    )
]
YEAR = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
zones = st.sampled_from(ZONES)
starts = st.integers(0, 365 * 24 * 60).map(lambda minutes: YEAR + timedelta(minutes=minutes))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(st.integers(0, 1439))
    return Window(start, draw(st.integers(start + 1, 1440)), draw(st.integers(0, 7)))


cadences = st.builds(
    Cadence,
    zone=zones,
    windows=st.one_of(st.just(DEFAULT_WINDOWS), st.lists(windows(), min_size=1, max_size=6)),
    min_gap=st.integers(1, 72).map(lambda hours: hours * HOUR),
    per_week=st.integers(1, 14),
    blackout=st.frozensets(
        st.integers(0, 424).map(lambda day: date(2027, 1, 1) + timedelta(days=day)), max_size=10
    ),
)


def is_in(at: datetime, window: Window, cadence: Cadence) -> bool:
    """Whether ``at`` is one of the window's minutes, or what a minute that is left out becomes."""
    for day in (cadence.local_day(at), cadence.local_day(at) - timedelta(days=1)):
        if window in cadence.windows_of(day) and at in {
            moment_of(day, minute, cadence.zone) for minute in range(window.start, window.end)
        }:
            return True
    return False


@settings(max_examples=60)
@given(
    cadence=cadences,
    start=starts,
    seed=st.integers(0, 10),
    offsets=st.lists(st.integers(-7 * 24 * 60, 67 * 24 * 60), max_size=12),
)
def test_slots_keep_every_rule_over_a_year_in_five_time_zones(
    cadence: Cadence, start: datetime, seed: int, offsets: list[int]
) -> None:
    taken = sorted(start + timedelta(minutes=minutes) for minutes in offsets)
    found = list(slots(cadence, start, taken, seed))
    times = [slot.at for slot in found]
    assert times == sorted(set(times))
    assert all(start <= at <= start + HORIZON for at in times)
    for at in times:
        others = [other for other in (*taken, *times) if other != at]
        assert all(abs(at - other) >= cadence.min_gap for other in others)
        assert at not in taken
        assert any(is_in(at, window, cadence) for window in cadence.windows)
        assert cadence.local_day(at) not in cadence.blackout
    weeks = Counter(cadence.local_day(at).isocalendar()[:2] for at in times)
    before = Counter(cadence.local_day(at).isocalendar()[:2] for at in taken)
    assert all(count + before[week] <= cadence.per_week for week, count in weeks.items())
    assert list(slots(cadence, start, taken, seed)) == found


@settings(max_examples=40)
@given(zone=zones, start=starts, seed=st.integers(0, 3))
def test_thirty_photos_get_thirty_slots_across_any_change_of_the_clock(
    zone: ZoneInfo, start: datetime, seed: int
) -> None:
    cadence = Cadence(zone, per_week=5)
    times = [slot.at for slot in islice(slots(cadence, start, (), seed), 30)]
    assert len(set(times)) == 30
    assert all(after - before >= cadence.min_gap for before, after in pairwise(times))
    for at in times:
        local = at.astimezone(zone)
        assert 5 <= local.hour < 8 or 10 <= local.hour < 15


def first(cadence: Cadence, start: datetime, count: int, *taken: datetime) -> list[Slot]:
    return list(islice(slots(cadence, start, taken), count))


def test_a_week_is_not_used_up_at_its_beginning() -> None:
    monday = datetime(2027, 3, 1, tzinfo=UTC)
    cadence = Cadence(ZoneInfo("UTC"))
    days = [slot.at.strftime("%a") for slot in first(cadence, monday, 6)]
    assert days == ["Mon", "Wed", "Fri"] * 2


def test_today_is_used_while_a_window_is_open() -> None:
    zone = ZoneInfo("Europe/Lisbon")
    cadence = Cadence(zone, windows=(Window(10 * 60, 15 * 60),))
    late = datetime(2027, 3, 1, 14, 58, tzinfo=zone)
    [slot] = first(cadence, late, 1)
    assert late <= slot.at < late + 2 * timedelta(minutes=1)
    [slot] = first(cadence, late + 2 * timedelta(minutes=1), 1)
    assert cadence.local_day(slot.at) > late.date()


def test_the_end_of_a_window_is_not_in_it_and_a_slot_takes_one_post() -> None:
    cadence = Cadence(ZoneInfo("UTC"), windows=(Window(60, 61),), min_gap=HOUR, per_week=14)
    start = datetime(2027, 3, 1, tzinfo=UTC)
    times = [slot.at for slot in first(cadence, start, 3)]
    assert times == [start + HOUR + timedelta(days=n) for n in range(3)]
    whole = Cadence(ZoneInfo("UTC"), windows=(Window(0, 1440),), min_gap=HOUR, per_week=14)
    seven = [slot.at.date() for slot in first(whole, start, 7)]
    assert len(set(seven)) == 7
    assert first(whole, start, 1, start + timedelta(hours=20))[0].at.date() > start.date()


def test_windows_that_overlap_give_their_slots_in_order() -> None:
    day = (Window(0, 1440), Window(600, 660), Window(1200, 1260))
    cadence = Cadence(ZoneInfo("UTC"), windows=day, min_gap=HOUR, per_week=14)
    times = [slot.at for slot in first(cadence, datetime(2027, 3, 1, tzinfo=UTC), 20)]
    assert times == sorted(set(times))


def test_a_window_may_be_of_one_weekday_and_days_may_be_left_out() -> None:
    cadence = Cadence(
        ZoneInfo("UTC"), windows=(Window(600, 660, 2),), blackout=frozenset({date(2027, 3, 9)})
    )
    days = [slot.at.date() for slot in first(cadence, datetime(2027, 3, 1, tzinfo=UTC), 3)]
    assert days == [date(2027, 3, 2), date(2027, 3, 16), date(2027, 3, 23)]


def test_a_time_that_does_not_exist_becomes_the_next_one_and_of_two_the_first_is_meant() -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    forward, back = date(2027, 3, 28), date(2027, 10, 31)
    assert moment_of(forward, 75, lisbon) == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    assert moment_of(back, 75, lisbon) == datetime(2027, 10, 31, 0, 15, tzinfo=UTC)
    cadence = Cadence(lisbon, windows=(Window(60, 120),), per_week=7)
    [slot] = first(cadence, datetime(2027, 3, 28, tzinfo=UTC), 1)
    assert slot.at.astimezone(lisbon).strftime("%H:%M") == "02:00"
    half = ZoneInfo("Australia/Lord_Howe")
    assert moment_of(date(2027, 10, 3), 135, half).astimezone(half).strftime("%H:%M") == "02:30"


def test_seeds_draw_other_minutes_and_the_reason_names_the_window() -> None:
    cadence = Cadence(ZoneInfo("Europe/Lisbon"))
    start = datetime(2027, 3, 1, tzinfo=UTC)
    drawn = {next(slots(cadence, start, (), seed)).at for seed in range(20)}
    assert len(drawn) > 10
    reasons = {next(slots(cadence, start, (), seed)).reason for seed in range(20)}
    assert reasons == {"Mon 05:00-08:00 Europe/Lisbon", "Mon 10:00-15:00 Europe/Lisbon"}


@pytest.mark.parametrize("number", [1, 2])
def test_a_full_week_leaves_no_slot(number: int) -> None:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    cadence = Cadence(ZoneInfo("UTC"), per_week=number)
    taken = [start + timedelta(days=5 + n, hours=12) for n in range(number)]
    [slot] = first(cadence, start, 1, *taken)
    assert slot.at >= start + timedelta(days=7)
    always = frozenset(start.date() + timedelta(days=n) for n in range(70))
    assert first(Cadence(ZoneInfo("UTC"), blackout=always), start, 1) == []
