"""Comparing pillars: what chance does, what a real difference does, and what is proposed."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.counts import LOOKS, Counts, Metric, next_look, total
from services.scheduler.domain.results import (
    LEAST_POSTS,
    Lift,
    Measured,
    PillarResult,
    compared,
    suggested,
)
from tests.support.measured_posts import FIRST, posts

EVEN = {"p0": 25, "p1": 25, "p2": 25, "p3": 25}


def at_random(seed: int, counts: list[list[int]]) -> list[Measured]:
    """Posts with these counts of the pillars ``p0``, …, mixed over the days."""
    pairs = [(f"p{pillar}", count) for pillar, own in enumerate(counts) for count in own]
    random.Random(seed).shuffle(pairs)
    return [
        Measured(pillar, "main", FIRST + timedelta(day), count)
        for day, (pillar, count) in enumerate(pairs)
    ]


@pytest.mark.parametrize(("sizes", "runs"), [([20, 20, 20, 20], 1000), ([8, 12, 20, 40], 300)])
def test_equal_pillars_lead_to_no_suggestion(sizes: list[int], runs: int) -> None:
    """Acceptance: with equal rates there is none in at least 95 % of 1,000 runs."""
    found = sum(
        suggested(EVEN, compared(posts(random.Random(seed), [20.0] * 4, sizes))) is not None
        for seed in range(runs)
    )
    assert found <= 0.05 * runs


def test_a_pillar_that_gets_twice_as_much_is_found_with_80_posts_each() -> None:
    """Acceptance: with a real twofold effect it is found within a stated number of posts."""
    runs = 200
    found = 0
    for seed in range(runs):
        result = compared(posts(random.Random(seed), [40.0, 20.0, 20.0, 20.0], [80] * 4))
        weights = suggested(EVEN, result)
        found += weights is not None and weights["p0"] > 25
    assert found >= 0.9 * runs


def test_what_grows_with_the_audience_is_no_better_pillar() -> None:
    """One pillar is posted after the other, while the audience grows fourfold."""
    runs = 300
    found = 0
    for seed in range(runs):
        made = posts(random.Random(seed), [20.0] * 4, [20] * 4, growth=4.0, in_order=True)
        found += suggested(EVEN, compared(made)) is not None
    assert found <= 0.05 * runs


def test_a_pillar_of_the_larger_channel_is_no_better_pillar() -> None:
    """All posts of p0 also went to a channel where everything gets ten times as much."""
    small = posts(random.Random(1), [10.0] * 3, [30] * 3)
    large = posts(random.Random(2), [100.0] * 2, [30, 30])
    moved = [replace(post, channels="large main") for post in large]
    results = {result.pillar: result for result in compared([*small, *moved])}
    assert results["p0"].mean > 3 * results["p2"].mean
    assert suggested(EVEN, list(results.values())) is None


def test_a_doubling_is_told_with_an_interval_around_it() -> None:
    [first, *others] = compared(posts(random.Random(5), [40.0, 20.0, 20.0], [150] * 3))
    assert first.lift is not None
    assert 1 < first.lift.low < 2 < first.lift.high
    assert first.posts_needed == 0
    assert all(other.lift and other.lift.value < 1 for other in others)


def test_one_post_that_everybody_saw_decides_nothing() -> None:
    made = posts(random.Random(3), [20.0] * 4, [20] * 4)
    viral = [replace(made[0], count=1_000_000), *made[1:]]
    assert suggested(EVEN, compared(viral)) is None


def test_few_posts_tell_nothing_but_how_many_it_takes() -> None:
    made = at_random(1, [[900] * (LEAST_POSTS - 1), list(range(10, 40))])
    few, _ = compared(made)
    assert few.lift is None
    assert few.posts_needed is not None
    assert few.posts_needed > 0
    assert few.mean == 900
    assert suggested({"p0": 50, "p1": 50}, [few]) is None


def test_posts_are_asked_for_only_of_pillars_that_lack_them() -> None:
    many, few = compared(at_random(1, [[5] * 20, [5] * (LEAST_POSTS - 3)]))
    assert (many.lift, many.posts_needed) == (None, None)
    assert (few.lift, few.posts_needed) == (None, 3)
    # All but five of each were on channels of their own.
    shared = at_random(1, [[5] * 5, [5] * 5])
    own = [replace(p, channels=p.pillar) for p in at_random(2, [[5] * 15, [5] * 15])]
    assert [r.posts_needed for r in compared([*shared, *own])] == [LEAST_POSTS - 5] * 2


def test_what_cannot_be_compared_is_not() -> None:
    assert compared([]) == []
    [alone] = compared(posts(random.Random(1), [20.0], [30]))
    assert (alone.lift, alone.posts_needed) == (None, None)
    apart = [
        replace(post, channels=post.pillar)
        for post in posts(random.Random(1), [20.0, 90.0], [30, 30])
    ]
    assert [result.lift for result in compared(apart)] == [None, None]


def test_posts_of_which_nobody_took_note_are_no_error() -> None:
    results = compared(at_random(1, [[0] * 20, [0] * 20]))
    assert [result.lift for result in results] == [Lift(1.0, 1.0, 1.0)] * 2
    assert suggested({"p0": 50, "p1": 50}, results) is None


@given(st.permutations(range(60)), st.integers(0, 5))
def test_the_order_in_which_posts_are_listed_does_not_show(order: list[int], seed: int) -> None:
    made = posts(random.Random(seed), [30.0, 20.0, 10.0], [20] * 3)
    listed = compared([made[place] for place in order])
    assert [r.pillar for r in listed] == ["p0", "p1", "p2"]
    for one, other in zip(listed, compared(made), strict=True):
        assert one.lift is not None
        assert other.lift is not None
        assert one.lift.value == pytest.approx(other.lift.value)


def clear(pillar: str, low: float, high: float) -> PillarResult:
    return PillarResult(pillar, 90, 10.0, Lift((low * high) ** 0.5, low, high), 0)


def test_a_suggestion_goes_a_quarter_of_the_way() -> None:
    """40 times 1.5 is 60 of 120: half of 100; a quarter of the way from 40 is 42.5."""
    weights = {"p0": 40, "p1": 40, "p2": 20}
    assert suggested(weights, [clear("p0", 1.125, 2.0)]) == {"p0": 43, "p1": 38, "p2": 19}
    tenfold, doubled = clear("p0", 9.0, 11.0), clear("p0", 1.6, 2.5)
    assert suggested(weights, [tenfold]) == suggested(weights, [doubled])


def test_what_is_not_planned_or_not_clear_moves_nothing() -> None:
    assert suggested(EVEN, [clear("gone", 1.5, 3.0)]) is None
    assert suggested(EVEN, [clear("p0", 0.9, 3.0)]) is None
    assert suggested({"p0": 1, "p1": 1}, [clear("p0", 1.01, 1.02)]) is None
    assert suggested({}, [clear("p0", 1.5, 3.0)]) is None


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 100), min_size=1),
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 100.0)),
)
def test_the_sum_stays_and_no_weight_moves_far(
    weights: dict[str, int], lifts: dict[str, float]
) -> None:
    results = [clear(p, lift, lift * 1.1) for p, lift in lifts.items() if not 0.9 < lift <= 1.0]
    moved = suggested(weights, results)
    if moved is None:
        return
    assert sum(moved.values()) == sum(weights.values())
    assert moved.keys() == weights.keys()
    assert moved != weights
    # A quarter of the way to a doubling or halving of one against the other, and rounding.
    for pillar, weight in weights.items():
        assert 0.8 * weight - 1 <= moved[pillar] <= 1.75 * weight + 1


def test_missing_numbers_are_not_zeros() -> None:
    assert Counts().interactions is None
    assert Counts(reach=7).interactions is None
    assert Counts(likes=0).interactions == 0
    assert Counts(likes=3, shares=2, reach=90).interactions == 5
    assert (total(None, None), total(None, 4)) == (None, 4)
    assert Counts(saves=4).of(Metric.SAVES) == 4
    assert Counts(saves=4).of(Metric.REACH) is None


def test_looks_come_at_fixed_ages_and_end() -> None:
    looks = []
    now = FIRST
    while (now_next := next_look(FIRST, now)) is not None:
        looks.append(now_next - FIRST)
        now = now_next
    assert tuple(looks) == LOOKS
    assert next_look(FIRST, FIRST + timedelta(days=2)) == FIRST + timedelta(days=3)
