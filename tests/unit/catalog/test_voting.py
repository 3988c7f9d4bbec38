"""Votes between two pictures: points, sides, what to ask, when to stop, who wins."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.domain.voting import (
    START_SCORE,
    Ballot,
    Contestant,
    Over,
    Standing,
    leading,
    pair_of,
    points,
    sides,
    standing,
)

CONFIDENCE = 0.6
Voter = Callable[[str, str], str]


@dataclass
class Contest:
    """Candidates and the votes on them, kept as the service keeps them."""

    ids: Sequence[str]
    seed: str = "a run"
    scores: dict[str, int] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)
    ballots: list[Ballot] = field(default_factory=list)

    def standing(self, confidence: float = CONFIDENCE) -> Standing:
        contestants = [
            Contestant(id, self.scores.get(id, START_SCORE), self.votes.get(id, 0))
            for id in self.ids
        ]
        return standing(contestants, self.ballots, confidence, self.seed)

    def record(self, winner: str, loser: str) -> None:
        won, lost = (self.scores.get(id, START_SCORE) for id in (winner, loser))
        moved = points(won, lost)
        self.scores |= {winner: won + moved, loser: lost - moved}
        for id in (winner, loser):
            self.votes[id] = self.votes.get(id, 0) + 1
        self.ballots.append(Ballot(winner, loser))

    def hold(self, voter: Voter, most: int, confidence: float = CONFIDENCE) -> Standing:
        """Asks until it is over, ``most`` questions at most."""
        for _ in range(most):
            found = self.standing(confidence)
            if found.pair is None:
                return found
            left, right = found.pair
            winner = voter(left, right)
            self.record(winner, right if winner == left else left)
        return self.standing(confidence)


def voter_of(strengths: dict[str, float], seed: int) -> Voter:
    """Somebody who prefers the stronger as often as its lead in ELO points says.

    What is said of a pair depends on the pair alone, not on when it is asked, nor on the side.
    """

    def vote(left: str, right: str) -> str:
        low, high = pair_of(left, right)
        chance = random.Random(f"{seed}/{low}/{high}").random()
        expected = 1 / (1 + 10 ** ((strengths[high] - strengths[low]) / 400))
        return low if chance < expected else high

    return vote


def known_strengths(count: int, lead: float, seed: int) -> dict[str, float]:
    """One that leads by so many ELO points, and others that are 40 points apart."""
    ids = [f"{number:02}" for number in range(count)]
    random.Random(seed).shuffle(ids)
    return {id: lead if place == 0 else -40.0 * place for place, id in enumerate(ids)}


@pytest.mark.parametrize(
    ("winner", "loser", "moved"),
    [(1000, 1000, 16), (800, 1200, 29), (1200, 800, 3), (3000, 0, 0), (0, 3000, 32)],
)
def test_points_by_how_surprising_a_vote_is(winner: int, loser: int, moved: int) -> None:
    assert points(winner, loser) == moved


@given(st.integers(-5000, 5000), st.integers(-5000, 5000))
def test_what_one_may_win_the_other_may_win_too(one: int, other: int) -> None:
    assert 0 <= points(one, other) <= 32
    assert points(one, other) + points(other, one) in (31, 32, 33), "but for rounding"


@given(st.text(), st.text(), st.text())
def test_sides_are_the_same_whoever_is_named_first(seed: str, one: str, other: str) -> None:
    assert sides(seed, one, other) == sides(seed, other, one)
    assert set(sides(seed, one, other)) == {one, other}


def test_sides_are_even() -> None:
    low_is_left = sum(sides(f"run {number}", "a", "b") == ("a", "b") for number in range(2000))
    assert 900 < low_is_left < 1100


def test_the_leader_has_the_highest_score_and_of_equals_the_oldest() -> None:
    board = leading([Contestant("b", 1000), Contestant("c", 1016), Contestant("a", 1000)])
    assert [each.id for each in board] == ["c", "a", "b"]


@pytest.mark.parametrize(("contestants", "leader"), [([], ""), ([Contestant("a", 900, 3)], "a")])
def test_nothing_to_compare(contestants: list[Contestant], leader: str) -> None:
    assert standing(contestants, [], 1, "s") == Standing(leader=leader, over=Over.TOO_FEW)


def test_the_fewest_votes_come_first_and_then_the_closest_score() -> None:
    contestants = [
        Contestant("a", 1100, 4),
        Contestant("b", 1010, 1),
        Contestant("c", 900, 2),
        Contestant("d", 1040, 4),
        Contestant("e", 1030, 3),
    ]
    assert set(standing(contestants, [], 1, "s").pair or ()) == {"b", "e"}
    met = [Ballot("b", "e"), Ballot("d", "b")]
    assert set(standing(contestants, met, 1, "s").pair or ()) == {"b", "a"}
    met += [Ballot("a", "b"), Ballot("b", "c")]
    assert set(standing(contestants, met, 1, "s").pair or ()) == {"c", "e"}, "b met everybody"


def test_votes_on_candidates_that_are_out_say_something_of_the_others() -> None:
    contestants = [Contestant("a", 1000, 9), Contestant("b", 1000, 9)]
    plain = standing(contestants, [], CONFIDENCE, "s")
    assert plain.probability == pytest.approx(0.5)
    known = [Ballot("a", f"out {n}") for n in range(4)] + [
        Ballot(f"out {n}", "b") for n in range(4)
    ]
    assert standing(contestants, known, CONFIDENCE, "s").probability > 0.95


@settings(max_examples=20)
@given(st.integers(2, 10), st.integers(0, 999))
def test_without_a_stop_every_pair_is_asked_once(count: int, seed: int) -> None:
    strengths = known_strengths(count, 0, seed)
    contest = Contest(sorted(strengths))
    pairs = count * (count - 1) // 2
    found = contest.hold(voter_of(strengths, seed), pairs + 1, confidence=1)
    assert found.over is Over.NO_PAIRS_LEFT
    asked = {pair_of(ballot.winner, ballot.loser) for ballot in contest.ballots}
    assert asked == set(combinations(contest.ids, 2))
    assert len(contest.ballots) == pairs
    assert sum(contest.scores.values()) == START_SCORE * count


@settings(max_examples=15)
@given(st.integers(2, 9), st.integers(0, 999), st.integers(0, 999))
def test_swapping_sides_leaves_winners_unchanged(count: int, seed: int, other: int) -> None:
    strengths = known_strengths(count, 300, seed)
    voter = voter_of(strengths, seed)
    one, two = (Contest(sorted(strengths), f"run {n}") for n in (seed, other + 1000))
    first, second = (contest.hold(voter, 100) for contest in (one, two))
    assert first == second
    assert one.scores == two.scores


@pytest.mark.parametrize(("count", "lead"), [(8, 800), (12, 700), (16, 600)])
def test_the_true_best_wins_with_at_most_half_of_all_pairs(count: int, lead: float) -> None:
    contests, pairs = 60, count * (count - 1) // 2
    right = asked = 0
    for seed in range(contests):
        strengths = known_strengths(count, lead, seed)
        contest = Contest(sorted(strengths))
        found = contest.hold(voter_of(strengths, seed), pairs // 2)
        right += strengths[found.leader] == lead
        asked += len(contest.ballots)
        assert len(contest.ballots) <= pairs // 2
    assert right >= 0.95 * contests
    assert asked < 0.45 * pairs * contests, "it ends earlier than it must"


def test_somebody_consistent_is_asked_little() -> None:
    strengths = {f"{number:02}": -4000.0 * number for number in range(16)}
    contest = Contest(sorted(strengths))
    found = contest.hold(voter_of(strengths, 1), 120)
    assert (found.over, found.leader) == (Over.CONFIDENT, "00")
    assert len(contest.ballots) <= 30


def test_more_confidence_takes_more_votes() -> None:
    strengths = known_strengths(12, 600, 7)
    taken = []
    for confidence in (0.5, 0.6, 0.7, 1.0):
        contest = Contest(sorted(strengths))
        contest.hold(voter_of(strengths, 7), 66, confidence)
        taken.append(len(contest.ballots))
    assert taken == sorted(taken)
    assert taken[-1] == 66
