"""Spherical k-means: as many groups of unit vectors as asked for."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]

_STARTS = 5
_MAX_ROUNDS = 100
# Vectors whose cosines with all centres are in memory at a time.
_ROWS = 8_192


def spherical_k_means(vectors: Vectors, groups: int, random: np.random.Generator) -> Numbers:
    """The number of the group of each vector [n, d]: the tightest of several random starts."""
    best, tightest = np.zeros(len(vectors), dtype=np.int64), -np.inf
    for _ in range(_STARTS):
        found, tightness = _k_means(vectors, _first_centres(vectors, groups, random))
        if tightness > tightest:
            best, tightest = found, tightness
    return best


def _first_centres(vectors: Vectors, groups: int, random: np.random.Generator) -> Vectors:
    """k-means++ (Arthur and Vassilvitskii 2007): each next centre is likely to be far away."""
    chosen = [int(random.integers(len(vectors)))]
    nearest = vectors @ vectors[chosen[0]]
    for _ in range(groups - 1):
        distance = np.clip(1.0 - nearest, 0.0, None)
        distance[chosen] = 0.0
        total = float(distance.sum())
        shares = distance / total if total > 0 else np.full(len(vectors), 1 / len(vectors))
        chosen.append(int(random.choice(len(vectors), p=shares / shares.sum())))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return vectors[chosen]


def _k_means(vectors: Vectors, centres: Vectors) -> tuple[Numbers, float]:
    found = np.full(len(vectors), -1, dtype=np.int64)
    for _ in range(_MAX_ROUNDS):
        nearest = _nearest(vectors, centres)
        if np.array_equal(nearest, found):
            break
        found = nearest
        _move(centres, vectors, found)
    return found, float((vectors * centres[found]).sum())


def _nearest(vectors: Vectors, centres: Vectors) -> Numbers:
    parts = [
        (vectors[start : start + _ROWS] @ centres.T).argmax(axis=1)
        for start in range(0, len(vectors), _ROWS)
    ]
    return np.concatenate(parts).astype(np.int64)


def _move(centres: Vectors, vectors: Vectors, found: Numbers) -> None:
    """Each centre to the middle of its vectors, in place; one without any stays."""
    order = np.argsort(found, kind="stable")
    groups, starts = np.unique(found[order], return_index=True)
    totals = np.add.reduceat(vectors[order], starts, axis=0)
    lengths = np.maximum(np.linalg.norm(totals, axis=1, keepdims=True), 1e-12)
    centres[groups] = totals / lengths
