"""Which photo goes out when: strategies, variety, reasons."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.domain.photo import Photo, Rights
from services.scheduler.domain.planning import (
    Candidate,
    Copies,
    Decision,
    Pillar,
    Seen,
    Strategy,
    Use,
    Variety,
    VarietyRule,
    plan,
)
from services.scheduler.domain.slots import Cadence, Slot, slots

LISBON = ZoneInfo("Europe/Lisbon")
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
PILLARS = [Pillar("a", "Art", 45, 3), Pillar("b", "Bread", 35, 3), Pillar("c", "Clay", 20, 3)]


def photos(
    pillar: str, count: int, *, rights: Rights | None = None, **fields: object
) -> list[Candidate]:
    """Photos of scenes of their own, the first one best."""
    made = [
        Candidate(
            picture=Photo(f"{pillar}{number:03}", pillar, "", 4, 3, rights=rights or Rights()),
            file_name=f"{pillar}{number:03}.jpg",
            scene=f"scene {pillar}{number}",
            quality=1 - number / 1000,
            create_time=MONDAY - 100 * DAY,
        )
        for number in range(count)
    ]
    return [replace(each, **fields) for each in made]  # type: ignore[arg-type]


def daily(count: int, start: datetime = MONDAY) -> list[Slot]:
    return [Slot(start + number * DAY, "daily") for number in range(count)]


def planned(
    when: Sequence[Slot],
    stock: Sequence[Candidate],
    strategy: Strategy = Strategy.SHARE,
    uses: Sequence[Use] = (),
    pillars: Sequence[Pillar] = PILLARS,
    variety: Variety | None = None,
) -> list[Decision]:
    found = list(plan(when, pillars, stock, uses, strategy, LISBON, variety))
    return [decision for decision in found if decision is not None]


def used(decisions: Sequence[Decision]) -> list[str]:
    return [decision.photo for decision in decisions]


def of(decisions: Sequence[Decision]) -> str:
    return "".join(decision.pillar for decision in decisions)


def stock_of(**counts: int) -> list[Candidate]:
    return [photo for pillar, count in counts.items() for photo in photos(pillar, count)]


def test_the_pillar_that_lacks_most_comes_first() -> None:
    decisions = planned(daily(6), stock_of(a=9, b=9, c=9))
    assert of(decisions) == "abcaba", "45, 35 and 20 per cent of six"
    assert used(decisions)[:4] == ["a000", "b000", "c000", "a001"]
    assert decisions[0].reason == (
        "Art has 0 % of the posts of 30 days and is to have 45 %; its best photo (quality 1.00)"
    )
    assert [round(score.weight) for score in decisions[0].scores] == [45, 35, 20]


def test_shares_follow_the_weights_over_a_hundred_posts() -> None:
    free = Variety(pillar_gap=timedelta(0), pillar_per_week=99)
    decisions = planned(daily(100), stock_of(a=100, b=100, c=100), variety=free)
    counts = Counter(of(decisions))
    for pillar in PILLARS:
        assert abs(counts[pillar.name] - pillar.weight) <= 5


@pytest.mark.parametrize(
    ("per_week", "weights"),
    [
        (3, (45, 35, 20)),
        (4, (50, 30, 20)),
        (5, (45, 35, 20)),
        (5, (40, 30, 20, 10)),
        (7, (45, 35, 20)),
        (7, (34, 33, 33)),
    ],
)
def test_shares_follow_the_weights_over_a_hundred_commits(
    per_week: int, weights: Sequence[int]
) -> None:
    """One post a commit, at the usual cadence and with all rules of variety."""
    pillars = [
        Pillar(name, name.upper(), weight, 3) for name, weight in zip("abcd", weights, strict=False)
    ]
    stock = [photo for pillar in pillars for photo in photos(pillar.name, 60)]
    cadence, uses, start = Cadence(LISBON, per_week=per_week), list[Use](), MONDAY
    for _ in range(100):
        slot = next(slots(cadence, start, [use.at for use in uses]))
        gone = {use.photo for use in uses}
        left = [photo for photo in stock if photo.photo not in gone]
        [chosen] = planned([slot], left, uses=uses, pillars=pillars)
        assert not chosen.relaxed
        uses.append(Use(slot.at, chosen.photo, chosen.pillar, chosen.scene))
        start = slot.at
    counts = Counter(use.pillar for use in uses)
    assert all(abs(counts[pillar.name] - pillar.weight) <= 5 for pillar in pillars), counts


def test_a_pillar_without_photos_is_skipped_and_the_others_share_its_weight() -> None:
    decisions = planned(daily(4), stock_of(b=9, c=9))
    assert set(of(decisions)) == {"b", "c"}
    assert [round(score.weight) for score in decisions[0].scores] == [64, 36]


def test_of_equal_pillars_the_one_of_higher_priority_comes_first() -> None:
    equal = [Pillar("a", "A", 50, 2), Pillar("b", "B", 50, 5)]
    assert of(planned(daily(1), stock_of(a=3, b=3), pillars=equal)) == "b"


def test_the_best_photo_of_all_pillars() -> None:
    stock = [*photos("a", 3, quality=0.4), *photos("b", 3, quality=0.9), *photos("c", 3)]
    found = planned(daily(4), stock, Strategy.BEST_FIRST)
    assert of(found)[:2] == "cb", "and not the same pillar within two days"
    assert found[0].reason == "the best photo left (quality 1.00)"


def test_the_pillar_of_longest_ago() -> None:
    uses = [Use(MONDAY - 3 * DAY, "x", "a", "x"), Use(MONDAY - 9 * DAY, "y", "c", "y")]
    decisions = planned(daily(3), stock_of(a=5, b=5, c=5), Strategy.ROTATION, uses)
    assert of(decisions) == "bca"
    assert decisions[1].scores[0].score == 10


def test_the_theme_of_a_week_is_kept_until_sunday_and_switched_when_it_runs_out() -> None:
    decisions = planned(daily(14), stock_of(a=30, b=30, c=30), Strategy.THEME)
    assert of(decisions)[:7] == "a" * 7
    assert len(set(of(decisions)[7:])) == 1 != of(decisions)[7:][:1].count("a")
    assert decisions[1].reason.startswith("Art is the theme of the week")
    short = planned(daily(7), stock_of(a=2, b=30, c=30), Strategy.THEME)
    assert of(short)[:2] == "aa"
    assert "a" not in of(short)[2:]
    assert len(short) == 7


def test_a_pillar_is_not_twice_within_two_days_and_three_times_a_week() -> None:
    decisions = planned(daily(28), stock_of(a=99, b=99, c=99))
    last: dict[str, datetime] = {}
    weeks: Counter[tuple[str, int]] = Counter()
    for decision in decisions:
        assert not decision.relaxed
        pillar, at = decision.pillar, decision.slot.at
        assert at - last.get(pillar, MONDAY - 9 * DAY) >= 2 * DAY
        last[pillar] = at
        weeks[pillar, at.astimezone(LISBON).isocalendar().week] += 1
    assert max(weeks.values()) <= 3


def test_posts_that_are_there_count_before_and_after() -> None:
    uses = [Use(MONDAY + DAY, "x", "a", "scene b0"), Use(MONDAY - DAY, "y", "c", "y")]
    (decision,) = planned(daily(1), stock_of(a=3, b=3, c=3), uses=uses)
    assert decision.photo == "b001", "its scene goes out tomorrow"
    assert decision.refused == {VarietyRule.PILLAR_GAP: 3, VarietyRule.SCENE: 1}


def test_near_duplicates_are_seven_days_apart() -> None:
    one_scene = photos("a", 5, scene="beach")
    only = [Pillar("a", "Art", 100, 3)]
    when = [Slot(MONDAY + days * DAY, "") for days in (0, 3.5, 10.5, 17.5)]
    found = planned(when, one_scene, pillars=only)
    assert [decision.relaxed for decision in found] == [False, True, False, False]
    assert found[1].reason == "nothing kept its distance; Art was used longest ago"
    assert found[1].refused == {VarietyRule.SCENE: 4}


def test_what_may_not_go_out_then_is_left_for_later() -> None:
    embargo = Rights(embargo_time=MONDAY + 2 * DAY)
    stock = [*photos("a", 1, rights=embargo), *photos("b", 1, rights=Rights(held=True))]
    when = [Slot(MONDAY, ""), Slot(MONDAY + 3 * DAY, ""), Slot(MONDAY + 6 * DAY, "")]
    found = list(plan(when, PILLARS, stock, [], Strategy.SHARE, LISBON))
    assert [decision and decision.photo for decision in found] == [None, "a000", None]


def test_nothing_is_planned_of_pillars_that_are_not() -> None:
    assert planned(daily(3), photos("z", 5)) == []


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_plan_is_the_same_however_often_it_is_made(strategy: Strategy) -> None:
    stock = stock_of(a=20, b=20, c=20)
    first = planned(daily(30), stock, strategy)
    assert planned(daily(30), stock[::-1], strategy) == first
    assert len(set(used(first))) == 30, "each photo once"


@st.composite
def libraries(draw: st.DrawFn) -> tuple[list[Candidate], list[Use]]:
    scenes = st.integers(0, 12).map(str)
    stock = [
        Candidate(
            Photo(f"p{number:03}", draw(st.sampled_from("abc")), "", 4, 3),
            "",
            draw(scenes),
            draw(st.none() | st.floats(0, 1)),
            MONDAY - draw(st.integers(0, 99)) * DAY,
        )
        for number in range(draw(st.integers(0, 40)))
    ]
    uses = [
        Use(MONDAY + hours * timedelta(hours=1), f"u{number}", draw(st.sampled_from("abc")), "0")
        for number, hours in enumerate(draw(st.lists(st.integers(-900, 900), max_size=8)))
    ]
    return stock, uses


@given(libraries(), st.sampled_from(list(Strategy)), st.integers(1, 7))
@settings(max_examples=150)
def test_whatever_there_is_the_hard_rules_hold(
    library: tuple[list[Candidate], list[Use]], strategy: Strategy, per_week: int
) -> None:
    stock, uses = library
    # Over the day on which Lisbon puts its clocks forward.
    cadence = Cadence(LISBON, min_gap=timedelta(hours=20), per_week=per_week)
    when = list(slots(cadence, MONDAY, [use.at for use in uses], horizon=timedelta(days=40)))
    found = planned(when, stock, strategy, uses)
    assert len(found) == min(len(when), len(stock))
    assert len(set(used(found))) == len(found)
    moments = sorted([*(use.at for use in uses), *(d.slot.at for d in found)])
    fresh = {d.slot.at for d in found}
    for one, next in pairwise(moments):
        assert next - one >= timedelta(hours=20) or not {one, next} & fresh
    for decision in found:
        if not decision.relaxed:
            assert not any(near(decision, each, uses) for each in found if each is not decision)


def near(decision: Decision, other: Decision, uses: Sequence[Use]) -> bool:
    """Whether an earlier decision, or a post that was there, shows the same scene within 7 days."""
    taken: Iterator[tuple[datetime, str]] = iter(
        [(use.at, use.scene) for use in uses]
        + ([(other.slot.at, other.scene)] if other.slot.at < decision.slot.at else [])
    )
    at, scene = decision.slot.at, decision.scene
    return any(there == scene and abs(moment - at) < 7 * DAY for moment, there in taken)


def test_a_copy_keeps_its_distance_from_what_was_seen_and_what_is_planned() -> None:
    stock = photos("a", 4)
    first, second, third, fourth = (candidate.photo for candidate in stock)
    copies = Copies(
        of={first: [second], second: [first], third: ["gone"]},
        seen=[Seen(third, MONDAY + 2 * DAY, 3 * DAY)],
        distance=4 * DAY,
    )
    free = Variety(pillar_gap=timedelta(0), pillar_per_week=99)
    found = list(plan(daily(7), PILLARS, stock, [], Strategy.SHARE, LISBON, free, copies))
    chosen = [each.photo if each else "" for each in found]
    assert chosen == [first, fourth, "", "", second, third, ""]
    assert found[0] is not None
    assert found[0].refused == {}
    assert found[1] is not None
    assert found[1].refused == {VarietyRule.REPEAT: 2}
    assert not any(each.relaxed for each in found if each), "it is never given up"
