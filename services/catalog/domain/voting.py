"""What people's votes between two pictures say: scores, who leads, and what to ask next.

Scores are ELO: a vote moves as many points from one candidate to the other as it was a surprise.
They depend on the order of the votes, so who is best is judged by all votes at once, after Bradley
and Terry (Rank analysis of incomplete block designs I, Biometrika 39, 1952): candidate i is
preferred to j with the probability 1 / (1 + exp(s_j - s_i)). The strengths s are those that are
most probable after the votes, if before them each was normal with the mean 0 and the deviation
``PRIOR``; how sure each is follows from the curvature there (Laplace's approximation, candidates
taken one by one). What to ask is chosen as for the best of several arms: the leader against whoever
is most probably better (after D. Russo, Simple Bayesian algorithms for best arm identification,
COLT 2016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from math import erfc, exp, floor, hypot, prod, sqrt

START_SCORE = 1000
K = 32
PRIOR = 2.5
_SWEEPS = 50
_STILL = 1e-3
_STEPS = 20
_REACH = 4.0
_WARM_UP = 2


class Over(StrEnum):
    """Why there is nothing more to ask."""

    CONFIDENT = "CONFIDENT"
    NO_PAIRS_LEFT = "NO_PAIRS_LEFT"
    TOO_FEW = "TOO_FEW"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A candidate that can be voted on: its id, its score, and in how many votes it took part."""

    id: str
    score: int = START_SCORE
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote that counts: the ids of who won and who lost."""

    winner: str
    loser: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a vote has come.

    ``leader`` is the id of whoever is most probably the best, empty without any; ``probability``,
    0..1, says how probably. ``pair`` are the ids to ask next, left and right; none
    where it is ``over``.
    """

    leader: str = ""
    probability: float = 0.0
    pair: tuple[str, str] | None = None
    over: Over | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of a strength: it is normal with this mean and deviation."""

    mean: float
    deviation: float


def points(winner: int, loser: int) -> int:
    """The points that the winner of a vote takes from the loser, by their scores before it.

    32 times the improbability of the outcome, rounded half away from zero: equals exchange 16.
    """
    expected = 1 / (1 + 10 ** ((loser - winner) / 400))
    return floor(K * (1 - expected) + 0.5)


def pair_of(one: str, other: str) -> tuple[str, str]:
    """Two ids in order, so that a pair is one pair whichever of them won."""
    return (one, other) if one < other else (other, one)


def sides(seed: str, one: str, other: str) -> tuple[str, str]:
    """Who is shown left and who right: by chance, but for one seed always the same."""
    low, high = pair_of(one, other)
    digest = sha256(f"{seed}/{low}/{high}".encode()).digest()
    return (low, high) if digest[0] % 2 else (high, low)


def leading(contestants: Sequence[Contestant]) -> list[Contestant]:
    """The highest score first; of equals, the one that came first."""
    return sorted(contestants, key=lambda each: (-each.score, each.id))


def standing(
    contestants: Sequence[Contestant], ballots: Sequence[Ballot], confidence: float, seed: str
) -> Standing:
    """How far the vote has come, and what to ask next.

    It is over when the leader is the best with the probability ``confidence`` (1: never), or when
    every pair was asked. ``ballots`` may name candidates that are out; these still say something of
    whom they met. The time it takes grows as the number of candidates and ballots does.
    """
    if len(contestants) < 2:
        return Standing(leader=contestants[0].id if contestants else "", over=Over.TOO_FEW)
    strengths = _strengths([each.id for each in contestants], ballots)
    # Of equals, the one that leads by its score.
    board = sorted(leading(contestants), key=lambda each: -strengths[each.id].mean)
    leader, *ids = [each.id for each in board]
    probability = _chance(strengths, leader, ids)
    if confidence < 1 and probability >= confidence:
        return Standing(leader, probability, over=Over.CONFIDENT)
    rivals = {id: _rival(strengths, leader, id) for id in ids} if confidence < 1 else {}
    pair = _next_pair(board, rivals, ballots)
    if pair is None:
        return Standing(leader, probability, over=Over.NO_PAIRS_LEFT)
    return Standing(leader, probability, sides(seed, *pair))


def _chance(strengths: Mapping[str, Estimate], leader: str, rivals: Sequence[str]) -> float:
    """How probable it is that the leader is better than all rivals.

    The integral, over what the leader's strength may be, of the probability that each rival is
    below it.
    """
    best, others = strengths[leader], [strengths[id] for id in rivals]
    weights = chances = 0.0
    for step in range(-_STEPS, _STEPS + 1):
        off = step * _REACH / _STEPS
        weight = exp(-(off**2) / 2)
        strength = best.mean + off * best.deviation
        weights += weight
        chances += weight * prod(_below(other, strength) for other in others)
    return chances / weights


def _rival(strengths: Mapping[str, Estimate], leader: str, id: str) -> float:
    """How probable it is that this one is better than the leader."""
    best, other = strengths[leader], strengths[id]
    between = Estimate(best.mean - other.mean, hypot(best.deviation, other.deviation))
    return _below(between, 0.0)


def _strengths(ids: Sequence[str], ballots: Sequence[Ballot]) -> Mapping[str, Estimate]:
    """The strength of each: Newton's method, one candidate after the other."""
    met: dict[str, list[tuple[str, int]]] = {id: [] for id in ids}
    for ballot in ballots:
        met.setdefault(ballot.winner, []).append((ballot.loser, 1))
        met.setdefault(ballot.loser, []).append((ballot.winner, 0))
    strength = dict.fromkeys(met, 0.0)
    curvature = dict.fromkeys(met, 1 / PRIOR**2)
    for _ in range(_SWEEPS):
        largest = 0.0
        for id, others in met.items():
            own = strength[id]
            slope, bend = -own / PRIOR**2, 1 / PRIOR**2
            for other, won in others:
                probability = 1 / (1 + exp(strength[other] - own))
                slope += won - probability
                bend += probability * (1 - probability)
            step = slope / bend
            strength[id], curvature[id] = own + step, bend
            largest = max(largest, abs(step))
        if largest < _STILL:
            break
    return {id: Estimate(strength[id], 1 / sqrt(curvature[id])) for id in met}


def _next_pair(
    board: Sequence[Contestant], rivals: Mapping[str, float], ballots: Sequence[Ballot]
) -> tuple[str, str] | None:
    """The pair to ask next, of those that were not asked.

    Once everybody was shown ``_WARM_UP`` times, the leader meets whoever is most probably better.
    Before that, and where the leader met everybody: the one with the fewest votes, and of the
    others the one whose score is closest.
    """
    asked: dict[str, set[str]] = {each.id: set() for each in board}
    for ballot in ballots:
        if ballot.winner in asked and ballot.loser in asked:
            asked[ballot.winner].add(ballot.loser)
            asked[ballot.loser].add(ballot.winner)
    leader = board[0].id
    open = [id for id in rivals if id not in asked[leader]]
    if open and min(each.votes for each in board) >= _WARM_UP:
        return leader, max(open, key=lambda id: rivals[id])
    return _fewest_first(board, asked)


def _fewest_first(
    contestants: Sequence[Contestant], asked: dict[str, set[str]]
) -> tuple[str, str] | None:
    ids = {each.id for each in contestants}
    for one in sorted(contestants, key=lambda each: (each.votes, each.id)):
        if len(ids & asked[one.id]) == len(ids) - 1:
            continue
        left = [each for each in contestants if each.id not in asked[one.id] and each is not one]
        other = min(left, key=lambda each: (abs(each.score - one.score), each.votes, each.id))
        return one.id, other.id
    return None


def _below(estimate: Estimate, value: float) -> float:
    """How probable it is that something is below ``value``."""
    return 0.5 * erfc((estimate.mean - value) / estimate.deviation / sqrt(2))
