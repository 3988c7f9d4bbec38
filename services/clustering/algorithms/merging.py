"""Joining groups that have come to look like one."""

import numpy as np

from services.clustering.algorithms.components import Components, cohesions
from services.clustering.algorithms.linkage import BayesFactor, Doubles, Indices

_ROUNDING = 1e-3


def merge_close(
    groups: Components, touched: Indices, factor: BayesFactor, margin: float, min_cohesion: float
) -> tuple[Components, dict[int, int]]:
    """Merges a touched group with its best partner while their factor is at least ``margin``.

    Never makes a group that is too loose to be one (``min_cohesion``). The larger group survives,
    the lower index on a tie. Returns the components, those that went away left empty, and where
    each of those went (one hop: the value is alive).
    """
    gone_to: dict[int, int] = {}
    waiting = _mergeable(groups, np.unique(touched), factor, margin, min_cohesion)
    while waiting:
        index = waiting.pop(0)
        if groups.counts[index] == 0:
            continue
        partner = _best_partner(groups, index, factor, margin, min_cohesion)
        if partner is None:
            continue
        kept, gone = _survivor(groups, index, partner)
        groups = groups.with_merged(kept, gone)
        gone_to = {old: kept if new == gone else new for old, new in gone_to.items()}
        gone_to[gone] = kept
        waiting.insert(0, kept)
    return groups, gone_to


def _mergeable(
    groups: Components, touched: Indices, factor: BayesFactor, margin: float, min_cohesion: float
) -> list[int]:
    """The touched groups that may have a partner, all looked at in one go and roughly."""
    if len(touched) == 0:
        return []
    counts = np.maximum(groups.counts, 1.0)
    coarse = factor.coarse(counts)
    weights = (coarse / counts).astype(np.float32)
    rows = groups.sums.astype(np.float32)
    squares = np.einsum("ij,ij->i", rows, rows)
    gram = rows[touched] @ rows.T
    lengths = squares * weights**2
    joint = lengths[touched, None] + lengths + 2.0 * gram * weights[touched, None] * weights
    own = factor.evidence(coarse, lengths)
    scores = factor.evidence(coarse[touched, None] + coarse, joint) - (own[touched, None] + own)
    size = counts[touched, None] + counts
    cohesion = (squares[touched, None] + squares + 2.0 * gram - size) / (size * (size - 1.0))
    possible = (scores >= margin - _ROUNDING) & (cohesion >= min_cohesion - _ROUNDING)
    possible &= (groups.counts > 0) & (groups.counts[touched, None] > 0)
    possible[np.arange(len(touched)), touched] = False
    return [int(index) for index in touched[possible.any(axis=1)]]


def _survivor(groups: Components, a: int, b: int) -> tuple[int, int]:
    first, second = min(a, b), max(a, b)
    larger = groups.counts[second] > groups.counts[first]
    return (second, first) if larger else (first, second)


def _best_partner(
    groups: Components, index: int, factor: BayesFactor, margin: float, min_cohesion: float
) -> int | None:
    scores = factors_to_all(groups, index, factor)
    joint = cohesions(groups.sums + groups.sums[index], groups.counts + groups.counts[index])
    scores[joint < min_cohesion] = -np.inf
    best = int(scores.argmax())
    return best if scores[best] >= margin else None


def factors_to_all(groups: Components, index: int, factor: BayesFactor) -> Doubles:
    """(K,) Bayes factors of one group and each other one; minus infinity for empty ones."""
    counts = np.maximum(groups.counts, 1.0)
    coarse = factor.coarse(counts)
    scaled = groups.sums * (coarse / counts)[:, None]
    squares = np.einsum("ij,ij->i", scaled, scaled)
    joint = squares + squares[index] + 2.0 * (scaled @ scaled[index])
    own = factor.evidence(coarse, squares)
    scores: Doubles = factor.evidence(coarse + coarse[index], joint) - (own + own[index])
    scores[index] = -np.inf
    scores[groups.counts == 0] = -np.inf
    return scores
