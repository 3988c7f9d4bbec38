from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.clustering.algorithms.hero import (
    Candidate,
    choose_hero,
    diverse_top_k,
    parts_of,
    rank,
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
