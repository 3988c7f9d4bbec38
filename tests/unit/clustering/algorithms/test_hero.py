from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clustering.algorithms.hero import (
    Candidate,
    choose_hero,
    diverse_top_k,
    parts_of,
    rank,
    top_heroes,
)
from tests.unit.clustering.algorithms.samples import unit

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("candidate", "score"),
    [
        pytest.param(Candidate("a", 1.0, 1.0, 1.0, NOW), 1.0, id="all the best"),
        pytest.param(
            Candidate("a", 0.5, 0.8, 0.2, NOW), 0.40 * 0.5 + 0.30 * 0.8 + 0.03 + 0.15, id="all"
        ),
        pytest.param(Candidate("a", 1.0, 0.0, 0.0, days_ago(30)), 0.40 + 0.075, id="half-life"),
        pytest.param(Candidate("a", 1.0, 0.0), 0.40 / 0.70, id="two parts missing"),
        pytest.param(Candidate("a", None, 0.6), 0.6, id="one part only"),
        pytest.param(Candidate("a"), 0.0, id="nothing known"),
        pytest.param(Candidate("a", 3.0, -1.0), 0.40 / 0.70, id="clipped"),
        pytest.param(Candidate("a", float("nan"), 0.5), 0.5, id="not a number is not known"),
        pytest.param(Candidate("a", None, None, None, NOW + timedelta(days=9)), 1.0, id="future"),
    ],
)
def test_score(candidate, score):
    assert parts_of(candidate, NOW).score == pytest.approx(score)


def test_parts_explain_the_score():
    hero = choose_hero([Candidate("a", 0.9, 0.7, None, days_ago(60))], NOW)
    assert (hero.parts.quality, hero.parts.centrality, hero.parts.subject) == (0.9, 0.7, None)
    assert hero.parts.recency == pytest.approx(0.25)


GOOD, BETTER, BEST = (Candidate(name, q, 0.5) for name, q in (("a", 0.6), ("b", 0.65), ("c", 0.9)))


@pytest.mark.parametrize(
    ("candidates", "current", "pinned", "expected"),
    [
        pytest.param([GOOD, BEST], None, None, "c", id="best wins"),
        pytest.param([GOOD, BETTER], "a", None, "a", id="a little better is not enough"),
        pytest.param([GOOD, BEST], "a", None, "c", id="clearly better replaces"),
        pytest.param([GOOD, BEST], None, "a", "a", id="pin wins"),
        pytest.param([GOOD, BEST], "c", "a", "a", id="pin wins over the current one"),
        pytest.param([GOOD, BEST], None, "gone", "c", id="pinned member gone"),
        pytest.param([GOOD, BETTER], "gone", None, "b", id="current member gone"),
        pytest.param([GOOD, Candidate("v", 1.0, 1.0, vetoed=True)], "v", None, "a", id="veto"),
        pytest.param([Candidate("v", vetoed=True)], None, None, None, id="all vetoed"),
        pytest.param([], None, None, None, id="empty group"),
        pytest.param(
            [
                Candidate("x", 0.5, 0.5, None, days_ago(1e5)),
                Candidate("y", 0.5, 0.5, None, days_ago(9e4)),
            ],
            None,
            None,
            "y",
            id="tie: newer",
        ),
        pytest.param([Candidate("y", 0.5), Candidate("x", 0.5)], None, None, "x", id="tie: id"),
    ],
)
def test_choice(candidates, current, pinned, expected):
    hero = choose_hero(candidates, NOW, current, pinned)
    assert (hero.id if hero else None) == expected
    if hero:
        assert hero.pinned == (pinned == hero.id)


def test_hysteresis_is_five_hundredths_of_the_score():
    sitting = Candidate("a", 0.5)
    assert choose_hero([sitting, Candidate("b", 0.549)], NOW, "a").id == "a"
    assert choose_hero([sitting, Candidate("b", 0.55)], NOW, "a").id == "b"


def test_a_blurred_photo_is_never_chosen_while_there_is_another():
    blurred = Candidate("blurred", 0.1, 1.0, 1.0, NOW)
    plain = Candidate("plain", 0.3, 0.1, 0.0, days_ago(400))
    assert choose_hero([blurred, plain], NOW).id == "plain"
    assert choose_hero([blurred, plain], NOW, current="blurred").id == "plain"
    assert choose_hero([blurred], NOW).id == "blurred"


def test_ranking_does_not_depend_on_the_order_given():
    candidates = [Candidate(str(i), (i * 7 % 5) / 4) for i in range(10)]
    ranked = [hero.id for hero in rank(candidates, NOW)]
    assert ranked == [hero.id for hero in rank(candidates[::-1], NOW)]


def test_top_k_are_apart():
    vectors = unit(np.array([[1, 0], [1, 0.05], [0, 1], [1, 1.0]]))
    assert diverse_top_k(["a", "b", "c", "d"], vectors, 3, max_cosine=0.9) == ["a", "c", "d"]
    assert diverse_top_k(["a", "b", "c", "d"], vectors, 3, max_cosine=0.5) == ["a", "c"]
    assert diverse_top_k(["a", "b"], vectors[:2], 1) == ["a"]
    assert diverse_top_k([], vectors[:0], 3) == []


def shot(name: str, sharpness: float, exposure: float = 0.8, **other) -> Candidate:
    """Good in every other way."""
    return Candidate(name, 0.9, 1.0, 1.0, NOW, sharpness=sharpness, exposure=exposure, **other)


PLAIN = [Candidate(f"p{n}", 0.4, 0.3, sharpness=0.7, exposure=0.8) for n in range(4)]


@pytest.mark.parametrize(
    ("bad", "chosen"),
    [
        pytest.param(shot("bad", 0.34), False, id="blurred"),
        pytest.param(shot("bad", 0.7, exposure=0.3), False, id="dark"),
        pytest.param(shot("bad", 0.36), True, id="a little soft"),
        pytest.param(Candidate("bad", 0.9, 1.0), True, id="not measured"),
    ],
)
def test_blur_is_judged_by_what_the_others_are_like(bad, chosen):
    hero = choose_hero([bad, *PLAIN], NOW)
    assert (hero.id == "bad") is chosen
    assert (choose_hero([bad, *PLAIN], NOW, current="bad").id == "bad") is chosen
    assert choose_hero([bad, *PLAIN], NOW, pinned="bad").id == "bad"


def test_where_all_are_soft_one_of_them_is_chosen():
    assert choose_hero([shot("a", 0.1), shot("b", 0.11)], NOW) is not None


def spread_out(*names: str) -> dict[str, np.ndarray]:
    return dict(zip(names, np.eye(len(names), dtype=np.float32), strict=True))


def test_the_best_of_each_kind_stand_for_a_group():
    candidates = [
        Candidate(name, quality) for name, quality in zip("abcd", (0.9, 0.8, 0.7, 0.6), strict=True)
    ]
    vectors = spread_out("a", "b", "c", "d") | {"b": np.array([1, 0.01, 0, 0], np.float32)}
    assert [hero.id for hero in top_heroes(candidates, vectors, NOW, 2, 0.9)] == ["a", "c"]
    assert [h.id for h in top_heroes(candidates, vectors, NOW, 9, 0.9)] == ["a", "c", "d"]
    assert [h.id for h in top_heroes(candidates, vectors, NOW, 9, 0.9, "b")] == ["b", "c", "d"]


def test_vetoed_and_blurred_ones_stand_for_nothing():
    candidates = [shot("blurred", 0.1), shot("vetoed", 0.9, vetoed=True), *PLAIN]
    vectors = spread_out(*(candidate.id for candidate in candidates))
    heroes = top_heroes(candidates, vectors, NOW, 10, 0.9)
    assert [hero.id for hero in heroes] == ["p0", "p1", "p2", "p3"]
    assert all(hero.parts.quality == 0.4 for hero in heroes)
    assert top_heroes([], {}, NOW, 10, 0.9) == []


@given(st.integers(0, 50), st.integers(1, 10), st.floats(0.0, 1.0))
def test_no_two_heroes_reach_the_bound(seed, most, bound):
    rows = unit(np.random.default_rng(seed).normal(size=(20, 3)))
    candidates = [Candidate(str(n), n / 20) for n in range(20)]
    vectors = {str(n): rows[n] for n in range(20)}
    heroes = top_heroes(candidates, vectors, NOW, most, bound)
    chosen = np.stack([vectors[hero.id] for hero in heroes])
    gram = chosen @ chosen.T - 9 * np.eye(len(chosen))
    assert len(heroes) <= most
    assert (gram < bound).all()
