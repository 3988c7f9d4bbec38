"""Whether a pillar's posts reach more, or less, than the others.

What posts reach are overdispersed counts: most get little, a few get very much. So logarithms are
compared, and no single post decides. A pillar is compared with the other posts of its persona by a
regression of ``log(1 + count)`` on belonging to it, within blocks of posts that went to the same
channels about the same time (Frisch and Waugh 1933), so that neither a larger channel nor an
audience that grows looks like a better pillar. Standard errors are those of MacKinnon and White
(1985, HC3): they need no equal spread. Intervals hold for all pillars together (Bonferroni), and a
pillar differs if its interval leaves out 1.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.scheduler.domain.student import critical

# People look every week, and each look is a chance to see what is not there.
ERROR_RATE: Final = 0.01
# With fewer posts of a pillar, or of the others, the spread is a guess.
LEAST_POSTS: Final = 8
_BLOCK: Final = 12
# How many posts more it takes is told for this difference, to be seen in four of five cases.
_WORTH_SEEING: Final = 2.0
_FOUR_OF_FIVE: Final = 0.842
_PART_OF_THE_WAY: Final = 0.25
_MOST_LIFT: Final = 2.0
_NOTHING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Measured:
    """What a post has of one metric. ``channels`` names those that told it, together."""

    pillar: str
    channels: str
    posted_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Lift:
    """How many times as much as the persona's other posts get, with its interval."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 1."""
        return not self.low <= 1.0 <= self.high


@dataclass(frozen=True, slots=True)
class PillarResult:
    """What is known of a pillar; ``lift`` is None where nothing can be compared.

    ``posts_needed``: about how many posts more a doubling would take to show; None if unknown.
    """

    pillar: str
    posts: int
    mean: float
    lift: Lift | None
    posts_needed: int | None


def compared(posts: Sequence[Measured]) -> list[PillarResult]:
    """One result for each pillar of ``posts``, by name."""
    of_pillar: dict[str, list[int]] = defaultdict(list)
    for post in posts:
        of_pillar[post.pillar].append(post.count)
    blocks = [_Block.of(block) for block in _blocks(posts)]
    tested = sum(len(mine) >= LEAST_POSTS for mine in of_pillar.values())
    error_rate = ERROR_RATE / max(1, tested)
    return [
        _result(pillar, mine, _fitted(pillar, blocks), error_rate)
        for pillar, mine in sorted(of_pillar.items())
    ]


@dataclass(frozen=True, slots=True)
class _Fit:
    """The effect of belonging to a pillar, on logarithms, its standard error and the degrees of
    freedom of that. ``mine`` and ``others``: how many posts could be compared.
    """

    effect: float
    error: float
    freedom: int
    mine: int
    others: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Posts that are compared: their pillars, and their logarithms above the block's mean."""

    pillars: Sequence[str]
    logs: Sequence[float]

    @classmethod
    def of(cls, posts: Sequence[Measured]) -> "_Block":
        logs = [math.log1p(post.count) for post in posts]
        level = sum(logs) / len(logs)
        return cls([post.pillar for post in posts], [log - level for log in logs])


def _result(pillar: str, mine: Sequence[int], fit: _Fit | None, error_rate: float) -> PillarResult:
    count, mean = len(mine), sum(mine) / len(mine)
    if fit is None or fit.freedom < 1:
        return PillarResult(pillar, count, mean, None, None)
    far = critical(error_rate, fit.freedom)
    lift = None
    if min(fit.mine, fit.others) >= LEAST_POSTS:
        span = far * fit.error
        lift = Lift(*(math.exp(fit.effect + s) for s in (0.0, -span, span)))
    return PillarResult(pillar, count, mean, lift, _needed(fit, count, far))


def _fitted(pillar: str, blocks: Sequence[_Block]) -> _Fit | None:
    """None if no block has posts both of the pillar and of others."""
    rows: list[tuple[float, float, float]] = []
    used = mine = 0
    for block in blocks:
        size, own = len(block.pillars), block.pillars.count(pillar)
        if 0 < own < size:
            used, mine, share = used + 1, mine + own, own / size
            marks = ((mark == pillar) - share for mark in block.pillars)
            rows += zip(marks, block.logs, [1 / size] * size, strict=True)
    spread = sum(x * x for x, _, _ in rows)
    if not spread:
        return None
    effect = sum(x * y for x, y, _ in rows) / spread
    total = 0.0
    for x, y, of_block in rows:
        rest = 1 - of_block - x * x / spread
        if rest > _NOTHING:
            total += (x * (y - effect * x) / rest) ** 2
    freedom = len(rows) - used - 1
    return _Fit(effect, math.sqrt(total) / spread, freedom, mine, len(rows) - mine)


def _needed(fit: _Fit, count: int, far: float) -> int | None:
    """The error shrinks with the root of the number of posts, if all pillars go on as they did.
    None if it is the others that lack posts first."""
    if fit.others < min(fit.mine, LEAST_POSTS):
        return None
    wanted = math.log(_WORTH_SEEING) / (far + _FOUR_OF_FIVE)
    needed = math.ceil(count * (fit.error / wanted) ** 2)
    return max(needed - count, LEAST_POSTS - fit.mine, 0)


def _blocks(posts: Sequence[Measured]) -> list[list[Measured]]:
    """The posts that can be compared: on the same channels, about the same time."""
    by_channels: dict[str, list[Measured]] = defaultdict(list)
    for post in sorted(posts, key=lambda post: post.posted_at):
        by_channels[post.channels].append(post)
    blocks = []
    for group in by_channels.values():
        number = max(1, round(len(group) / _BLOCK))
        edges = [len(group) * i // number for i in range(number + 1)]
        blocks += [group[start:end] for start, end in itertools.pairwise(edges)]
    return blocks


def suggested(weights: Mapping[str, int], results: Sequence[PillarResult]) -> dict[str, int] | None:
    """Other weights for these pillars, with the same sum; None if there is no reason for any.

    They go a quarter of the way to where each pillar that clearly differs has its weight times its
    lift, twice or half of it at most: what stands out by chance is overestimated.
    """
    lifts = {r.pillar: _bounded(r.lift.value) for r in results if r.lift and r.lift.is_clear}
    total = sum(weights.values())
    if total <= 0 or not lifts.keys() & weights.keys():
        return None
    raw = {pillar: weight * lifts.get(pillar, 1.0) for pillar, weight in weights.items()}
    scale = total / sum(raw.values())
    moved = {
        pillar: weight + _PART_OF_THE_WAY * (raw[pillar] * scale - weight)
        for pillar, weight in weights.items()
    }
    whole = _whole(moved, total)
    return None if whole == weights else whole


def _bounded(lift: float) -> float:
    return min(max(lift, 1 / _MOST_LIFT), _MOST_LIFT)


def _whole(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers with that sum, by the largest remainders."""
    floors = {pillar: math.floor(share) for pillar, share in shares.items()}
    missing = total - sum(floors.values())
    order = sorted(shares, key=lambda pillar: (floors[pillar] - shares[pillar], pillar))
    return {p: n + (p in order[:missing]) for p, n in floors.items()}
