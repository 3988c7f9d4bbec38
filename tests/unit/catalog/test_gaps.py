"""The formulas of the gap report against tables worked out by hand."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.advice import reasons_of, recommendations_of
from services.catalog.domain.gaps import (
    Period,
    PillarGap,
    Priority,
    Reason,
    Shelf,
    Status,
    coverage_score,
    gap_of,
    gaps_of,
    imbalance,
    legacy_score,
    needed_photos,
    photos_to_make,
    posts_per_day,
    priority_of,
    recency,
    status_of,
    total_gap,
)
from services.catalog.domain.photo import EmbeddingState, Usage
from services.catalog.domain.pillar import Pillar, PillarState
from services.catalog.domain.strategy import DEFAULT_POSTS_PER_WEEK, Strategy
from services.catalog.domain.supply import (
    Condition,
    Standing,
    Stock,
    average_quality,
    scene_value,
    supply_of,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PERIOD = Period(NOW)
USABLE = Condition()


def pillar(id: str = "coffee", **fields: Any) -> Pillar:
    return replace(Pillar("nora", id, id.title(), NOW, NOW), **fields)


def stock(
    count: int,
    *,
    pillar: str = "coffee",
    condition: Condition = USABLE,
    size: int = 1,
    posted: int = 0,
    age: int = 1,
    **measured: Any,
) -> Stock:
    newest = NOW - timedelta(days=age)
    return Stock(pillar, condition, size, count, posted, newest, **measured)


def gap(*stocks: Stock, posted_in_all: int = 0, in_all: int = 3, **fields: Any) -> PillarGap:
    return gap_of(pillar(**fields), Shelf(list(stocks), posted_in_all), PERIOD, in_all)


def strategy(*pillars: Pillar, posts_per_week: int = DEFAULT_POSTS_PER_WEEK) -> Strategy:
    return Strategy("nora", pillars, posts_per_week)


@pytest.mark.parametrize(
    ("days", "points"), [(0, 100), (7, 100), (8, 50), (30, 50), (31, 25), (60, 25), (61, 0)]
)
def test_recency(days: int, points: int) -> None:
    assert recency(NOW - timedelta(days=days), NOW) == points


def test_recency_turns_on_the_second() -> None:
    week = timedelta(days=7)
    assert recency(NOW - week, NOW) == 100
    assert recency(NOW - week - timedelta(seconds=1), NOW) == 50
    assert recency(None, NOW) == 0
    assert recency(NOW + timedelta(days=1), NOW) == 100


@pytest.mark.parametrize(
    ("photos", "days", "score"),
    [
        (0, None, 0.0),
        (1, 7, 40.6),
        (1, 8, 20.6),
        (1, 30, 20.6),
        (1, 31, 10.6),
        (1, 60, 10.6),
        (1, 61, 0.6),
        (50, 7, 70.0),
        (50, 8, 50.0),
        (50, 30, 50.0),
        (50, 31, 40.0),
        (50, 60, 40.0),
        (50, 61, 30.0),
    ],
)
def test_legacy_score(photos: int, days: int | None, score: float) -> None:
    newest = None if days is None else NOW - timedelta(days=days)
    assert legacy_score(photos, recency(newest, NOW)) == score


@pytest.mark.parametrize(
    ("usable", "needed", "points", "score"),
    [
        (0, 7, 0, 0.0),
        (0, 7, 100, 30.0),
        (1, 7, 25, 17.5),
        (2, 7, 50, 35.0),
        (4, 7, 0, 40.0),
        (3, 7, 25, 37.5),
        (7, 7, 100, 100.0),
        (9, 7, 50, 85.0),
        (0, 0, 0, 70.0),
        (5, 0, 100, 100.0),
    ],
)
def test_coverage_score(usable: int, needed: int, points: int, score: float) -> None:
    assert coverage_score(usable, needed, points) == score


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([0, 25, 50, 100]))
def test_coverage_score_stays_in_range(usable: int, needed: int, points: int) -> None:
    assert 0 <= coverage_score(usable, needed, points) <= 100


@pytest.mark.parametrize(
    ("target", "weight", "in_all", "days", "needed"),
    [
        (None, 100, 3, 30, 13),
        (None, 50, 3, 30, 7),
        (None, 1, 3, 30, 1),
        (None, 0, 3, 30, 0),
        (None, 40, 3, 7, 2),
        (None, 100, 3, 1, 1),
        (None, 100, 3, 365, 157),
        (None, 100, 7, 30, 30),
        (None, 50, 5, 30, 11),
        (None, 100, 70, 365, 3650),
        (0, 100, 3, 30, 0),
        (1, 0, 3, 30, 5),
        (7, 10, 3, 30, 30),
        (2, 10, 3, 7, 2),
        (2, 10, 70, 7, 2),
        (70, 0, 3, 365, 3650),
    ],
)
def test_needed(target: int | None, weight: int, in_all: int, days: int, needed: int) -> None:
    assert needed_photos(target, weight, in_all, days) == needed


def test_days_of_stock_are_usable_photos_by_posts_a_day() -> None:
    assert posts_per_day(7, 0, 3) == 1.0
    assert posts_per_day(None, 50, 14) == 1.0
    assert gap(stock(10), posts_per_week=7).days_of_stock == 10.0
    assert gap(stock(3), weight=100).days_of_stock == pytest.approx(7.0)
    assert gap(stock(3), weight=100, in_all=1).days_of_stock == pytest.approx(21.0)
    assert gap(weight=100).days_of_stock == 0.0
    assert gap(stock(3), weight=0).days_of_stock is None
    assert gap(stock(3), weight=50, state=PillarState.INACTIVE).days_of_stock is None


@given(
    usable=st.integers(0, 5000),
    others=st.lists(st.sampled_from(Standing), max_size=5),
    target=st.none() | st.integers(0, 70),
    weight=st.integers(0, 100),
    in_all=st.integers(1, 70),
)
def test_days_until_empty_are_usable_photos_by_planned_cadence(
    usable: int, others: list[Standing], target: int | None, weight: int, in_all: int
) -> None:
    kept = [CONDITION_OF[standing] for standing in others if standing is not Standing.USABLE]
    stocks = [stock(usable), *(stock(7, condition=condition) for condition in kept)]
    found = gap(*stocks, in_all=in_all, weight=weight, posts_per_week=target)
    cadence = in_all * weight / 100 if target is None else target
    if not cadence:
        assert (found.days_of_stock, found.run_out_time) == (None, None)
        return
    assert found.days_of_stock == pytest.approx(usable / (cadence / 7))
    last_day = (datetime.max.replace(tzinfo=UTC) - NOW).days
    if found.days_of_stock > last_day:
        assert found.run_out_time is None, "no calendar goes that far"
    else:
        assert found.run_out_time == NOW + timedelta(days=found.days_of_stock)


def test_what_lasts_beyond_the_calendar_has_no_date() -> None:
    found = gap(stock(1_000_000), weight=1, in_all=1)
    assert found.days_of_stock == pytest.approx(7e8)
    assert found.run_out_time is None


AVAILABLE = (0, 2, 3, 5)


@pytest.mark.parametrize(
    ("lack", "statuses", "priorities"),
    [
        (0, "EXHAUSTED MINIMAL READY READY", "HIGH NORMAL NORMAL LOW"),
        (1, "EXHAUSTED LOW LOW LOW", "HIGH MEDIUM MEDIUM MEDIUM"),
        (5, "EXHAUSTED LOW LOW LOW", "HIGH MEDIUM MEDIUM MEDIUM"),
        (6, "EXHAUSTED CRITICAL CRITICAL CRITICAL", "HIGH HIGH HIGH HIGH"),
    ],
)
def test_status_and_priority_at_the_limits(lack: float, statuses: str, priorities: str) -> None:
    assert [status_of(lack, usable) for usable in AVAILABLE] == statuses.split()
    assert [priority_of(lack, usable) for usable in AVAILABLE] == priorities.split()


def test_a_fraction_over_five_is_much() -> None:
    assert (status_of(5.01, 3), priority_of(5.01, 3)) == (Status.CRITICAL, Priority.HIGH)
    assert (status_of(-0.5, 3), priority_of(-0.5, 4)) == (Status.READY, Priority.NORMAL)


@pytest.mark.parametrize(
    ("photos", "value"), [(0, 0.0), (1, 1.0), (2, 1.25), (3, 1.375), (4, 1.4375), (11, 1.4995)]
)
def test_scene_value(photos: int, value: float) -> None:
    assert scene_value(photos) == pytest.approx(value, abs=1e-4)


def test_copies_add_little_and_distinct_photos_add_in_full() -> None:
    one = supply_of([stock(1)]).effective
    assert supply_of([stock(1, size=11)]).effective - one < 1.5
    assert supply_of([stock(11)]).effective - one >= 9


@given(st.integers(1, 400), st.integers(0, 50))
def test_ten_copies_add_less_than_one_and_a_half_ten_others_at_least_nine(
    shots: int, others: int
) -> None:
    stocks = [stock(1, size=shots), stock(others)]
    before = supply_of(stocks).effective
    copies = supply_of([stock(1, size=shots + 10), stock(others)]).effective
    distinct = supply_of([stock(1, size=shots), stock(others + 10)]).effective
    assert 0 <= copies - before < 1.5
    assert distinct - before >= 9


def test_only_usable_photos_count_towards_the_average_quality() -> None:
    held = Condition(held=True)
    stocks = [
        stock(3, quality=1.2, measured=2),
        stock(1, size=2, quality=0.6, measured=2),
        stock(9, condition=held, quality=9.0, measured=9),
    ]
    assert average_quality(stocks) == pytest.approx(0.45)
    assert gap(*stocks).average_quality == pytest.approx(0.45)
    assert average_quality([stock(3), stocks[2]]) is None
    assert gap().average_quality is None


@given(
    st.permutations([stock(1, size=size, quality=size / 7, measured=size) for size in range(1, 9)])
)
def test_the_order_of_the_stocks_has_no_part_in_the_answer(stocks: list[Stock]) -> None:
    assert gap(*stocks) == gap(*sorted(stocks, key=lambda s: s.size))


def test_gap_is_by_effective_supply_and_raw_gap_by_count() -> None:
    found = gap(stock(1, size=4), stock(2), weight=50)
    assert (found.needed, found.supply.usable, found.raw_gap) == (7, 6, 1)
    assert found.gap == pytest.approx(7 - 3.4375)
    assert found.coverage_score == 90.0  # 70 * 6/7 + 30


CONDITIONS = st.builds(
    Condition,
    usage=st.sampled_from(Usage),
    embedding=st.sampled_from(EmbeddingState),
    held=st.booleans(),
    embargoed=st.booleans(),
    lapsed=st.booleans(),
    unsorted=st.booleans(),
)
CONDITION_OF = {
    Standing.USABLE: Condition(),
    Standing.PENDING: Condition(embedding=EmbeddingState.PENDING),
    Standing.SCHEDULED: Condition(Usage.SCHEDULED),
    Standing.SPENT: Condition(Usage.POSTED),
    Standing.HELD: Condition(held=True),
    Standing.UNSORTED: Condition(unsorted=True),
}


def split(stocks: Sequence[Stock]) -> dict[str, float]:
    counts = asdict(supply_of(stocks))
    del counts["effective"]
    return counts


@given(st.lists(CONDITIONS, min_size=1, max_size=12), st.data())
def test_moving_one_photo_changes_exactly_two_numbers(
    conditions: list[Condition], data: st.DataObject
) -> None:
    moved = data.draw(st.integers(0, len(conditions) - 1))
    other = data.draw(CONDITIONS.filter(lambda c: c.standing != conditions[moved].standing))
    after = [*conditions]
    after[moved] = other
    counts, changed = (split([stock(1, condition=c) for c in cs]) for cs in (conditions, after))
    differences = {name: changed[name] - counts[name] for name in counts}
    assert sorted(d for d in differences.values() if d) == [-1, 1]
    assert differences[conditions[moved].standing.value] == -1
    assert differences[other.standing.value] == 1


@given(st.lists(CONDITIONS, max_size=12))
def test_every_photo_stands_in_one_place(conditions: list[Condition]) -> None:
    counts = split([stock(1, condition=c) for c in conditions])
    assert sum(counts.values()) - counts["total"] == counts["total"] == len(conditions)


@pytest.mark.parametrize(
    ("condition", "standing"),
    [
        (Condition(), Standing.USABLE),
        (Condition(embedding=EmbeddingState.PENDING), Standing.PENDING),
        (Condition(embedding=EmbeddingState.PENDING, held=True), Standing.HELD),
        (Condition(embedding=EmbeddingState.FAILED), Standing.HELD),
        (Condition(embargoed=True), Standing.HELD),
        (Condition(lapsed=True), Standing.HELD),
        (Condition(Usage.SCHEDULED, held=True), Standing.SCHEDULED),
        (Condition(Usage.POSTED, EmbeddingState.FAILED), Standing.SPENT),
        (Condition(unsorted=True), Standing.UNSORTED),
        (Condition(embedding=EmbeddingState.PENDING, unsorted=True), Standing.PENDING),
        (Condition(embedding=EmbeddingState.FAILED, unsorted=True), Standing.HELD),
        (Condition(held=True, unsorted=True), Standing.HELD),
        (Condition(Usage.SCHEDULED, unsorted=True), Standing.SCHEDULED),
        (Condition(Usage.POSTED, unsorted=True), Standing.SPENT),
    ],
)
def test_standing(condition: Condition, standing: Standing) -> None:
    assert condition.standing is standing


def ids(gaps: Sequence[PillarGap]) -> list[str]:
    return [found.pillar.rpartition("/")[2] for found in gaps]


def test_order_is_by_gap_then_urgency_then_importance_then_name() -> None:
    pillars = [
        pillar("inactive", weight=100, state=PillarState.INACTIVE),
        pillar("b-plain", posts_per_week=1),
        pillar("a-plain", posts_per_week=1),
        pillar("important", posts_per_week=1, priority=5),
        pillar("urgent", posts_per_week=0),
        pillar("large", posts_per_week=7),
        pillar("ended", weight=100, end_time=NOW),
        pillar("later", weight=100, start_time=NOW + timedelta(days=1)),
    ]
    stocks = [stock(5, pillar=p.id) for p in pillars if p.id not in ("large", "urgent")]
    found = gaps_of(strategy(*pillars), stocks, PERIOD)
    assert ids(found)[:5] == ["large", "urgent", "important", "a-plain", "b-plain"]
    assert set(ids(found)[5:]) == {"inactive", "ended", "later"}
    assert [g.planned for g in found] == [True] * 5 + [False] * 3


def test_the_persona_says_how_much_is_posted_in_all() -> None:
    pillars = (pillar("a", weight=50), pillar("b", weight=50, posts_per_week=1))
    needs = {
        in_all: {g.display_name: g.needed for g in found}
        for in_all in (1, 3, 14)
        for found in [gaps_of(strategy(*pillars, posts_per_week=in_all), [], PERIOD)]
    }
    assert needs == {1: {"A": 3, "B": 5}, 3: {"A": 7, "B": 5}, 14: {"A": 30, "B": 5}}


def test_photos_to_make_are_the_positive_gaps_rounded_up() -> None:
    pillars = [pillar(id, posts_per_week=1) for id in ("a", "b", "c")]
    stocks = [stock(3, pillar=id, size=2) for id in ("a", "b")] + [stock(9, pillar="c")]
    found = gaps_of(strategy(*pillars), stocks, PERIOD)
    assert [g.gap for g in found] == [1.25, 1.25, -4.0]
    assert photos_to_make(found) == 4


def test_total_sums_what_is_missing_only() -> None:
    pillars = [pillar("a", posts_per_week=1), pillar("b", posts_per_week=1)]
    found = gaps_of(strategy(*pillars), [stock(9, pillar="a"), stock(2, pillar="b")], PERIOD)
    assert [g.gap for g in found] == [3.0, -4.0]
    assert total_gap(found) == 3.0


def test_imbalance_is_the_largest_difference_of_pillars_that_count() -> None:
    pillars = [
        pillar("a", weight=50),
        pillar("b", weight=30),
        pillar("off", weight=90, state=PillarState.INACTIVE),
    ]
    spent = Condition(Usage.POSTED)
    stocks = [
        stock(3, pillar="a", condition=spent, posted=3),
        stock(1, pillar="off", condition=spent, posted=1),
    ]
    assert imbalance(gaps_of(strategy(*pillars), stocks, PERIOD)) == 30.0
    assert imbalance(gaps_of(strategy(*pillars), [], PERIOD)) == 50.0
    assert imbalance(gaps_of(strategy(pillars[2]), [], PERIOD)) == 0.0


def test_shares_are_zero_without_posts() -> None:
    assert gap(stock(1)).posted_share == 0.0
    assert gap(stock(4, posted=1), posted_in_all=3).posted_share == pytest.approx(33.333, abs=1e-3)


@pytest.mark.parametrize(
    ("stocks", "fields", "reasons"),
    [
        ([], {"weight": 50}, [Reason.NONE_YET]),
        ([stock(2)], {"weight": 50}, [Reason.LOW_STOCK]),
        ([stock(2, age=61)], {"weight": 50}, [Reason.STALE, Reason.LOW_STOCK]),
        ([stock(9, age=61)], {"weight": 50}, [Reason.STALE]),
        ([stock(1, size=9)], {"weight": 50}, [Reason.REDUNDANT]),
        ([stock(1, size=9, age=61)], {"weight": 50}, [Reason.STALE, Reason.REDUNDANT]),
    ],
)
def test_reasons(stocks: list[Stock], fields: dict[str, int], reasons: list[Reason]) -> None:
    assert list(reasons_of(gap(*stocks, **fields), PERIOD, any_posts=False)) == reasons


def test_under_posted_is_less_than_half_of_the_weight() -> None:
    few = gap(stock(2, posted=1), posted_in_all=5, weight=41)
    enough = gap(stock(2, posted=1), posted_in_all=5, weight=40)
    assert reasons_of(few, PERIOD, any_posts=True) == (Reason.LOW_STOCK, Reason.UNDER_POSTED)
    assert reasons_of(enough, PERIOD, any_posts=True) == (Reason.LOW_STOCK,)


def explanation(*stocks: Stock, **fields: Any) -> str:
    (advice,) = recommendations_of([gap(*stocks, **fields)], PERIOD)
    return advice.explanation


def test_explanations_are_sentences_with_the_numbers() -> None:
    assert explanation(weight=50) == ("Coffee has no photo yet and needs 7 for the next 30 days.")
    assert explanation(stock(6), weight=50) == (
        "Coffee has 6 photos to use and needs 7 for the next 30 days; 1 is missing."
    )
    assert explanation(stock(1, size=9), weight=50) == (
        "Coffee has 9 photos to use, but so many show the same scene that they count as 1.5; "
        "5.5 are missing."
    )
    assert explanation(stock(8, age=75), weight=50) == "The newest photo of Coffee is 75 days old."


def test_photos_that_only_have_to_be_sorted_are_pointed_out() -> None:
    waiting = stock(2, condition=Condition(unsorted=True))
    assert explanation(stock(6), waiting, weight=50) == (
        "Coffee has 6 photos to use and needs 7 for the next 30 days; 1 is missing. "
        "2 photos more could be sorted into it."
    )


def test_recommended_is_what_counts_and_lacks_or_is_stale() -> None:
    pillars = [
        pillar("short", weight=10),
        pillar("stale", weight=10),
        pillar("fine", weight=10),
        pillar("off", weight=10, state=PillarState.INACTIVE),
        pillar("unplanned", weight=0),
    ]
    stocks = [
        stock(1, pillar="short"),
        stock(9, pillar="stale", age=61),
        stock(2, pillar="fine"),
    ]
    found = gaps_of(strategy(*pillars), stocks, PERIOD)
    advice = recommendations_of(found, PERIOD)
    assert [a.pillar.rpartition("/")[2] for a in advice] == ["short", "stale"]
    assert [a.gap for a in advice] == [1.0, -7.0]
