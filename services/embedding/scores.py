"""How well vectors tell what photos show: whether like finds like, and whether groups are pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from libs.agreement import adjusted_rand, normalised_information, purity
from libs.k_means import spherical_k_means

Vectors = NDArray[np.float32]

_NEAREST = 5
# Photos whose cosines with all others are in memory at a time.
_ROWS = 512
_GROUPINGS = 5


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Each photo looks for its like among all others; shares from 0 to 1.

    ``recall1`` and ``recall5``: one of its label is the nearest, or among the five nearest.
    ``mean_average_precision``: how far in front all of its label are. ``knn5``: the five nearest,
    weighted with their cosines, vote for its label.
    """

    recall1: float
    recall5: float
    mean_average_precision: float
    knn5: float


@dataclass(frozen=True, slots=True)
class Grouping:
    """Spherical k-means with as many groups as there are labels, against the labels.

    ``purity``: photos that have the most frequent label of their group. ``nmi``: normalised mutual
    information. ``ari``: adjusted Rand index. All are 1 at best.
    """

    purity: float
    nmi: float
    ari: float


def retrieval(vectors: Vectors, labels: Sequence[str]) -> Retrieval:
    """``vectors`` are of unit length, [n, dimension]; each label occurs at least twice."""
    named = np.array(labels)
    measured = [
        _of_one(cosines, position, named)
        for start in range(0, len(vectors), _ROWS)
        for position, cosines in enumerate(vectors[start : start + _ROWS] @ vectors.T, start)
    ]
    return Retrieval(*(float(value) for value in np.mean(measured, axis=0)))


def grouping(vectors: Vectors, labels: Sequence[str], seed: int = 0) -> Grouping:
    """``vectors`` are of unit length, [n, dimension]. The same ``seed`` gives the same numbers.

    They are means over several groupings: a single one depends on a few vectors too much.
    """
    random = np.random.default_rng(seed)
    measured = []
    for _ in range(_GROUPINGS):
        found = spherical_k_means(vectors, len(set(labels)), random).tolist()
        told = normalised_information(found, labels)
        measured.append((purity(found, labels), told, adjusted_rand(found, labels)))
    return Grouping(*(float(value) for value in np.mean(measured, axis=0)))


def _of_one(
    cosines: Vectors, position: int, labels: NDArray[np.str_]
) -> tuple[bool, bool, float, bool]:
    order = np.argsort(-cosines, kind="stable")
    ranked = order[order != position]
    hits = labels[ranked] == labels[position]
    votes: defaultdict[str, float] = defaultdict(float)
    for other in ranked[:_NEAREST]:
        votes[str(labels[other])] += float(cosines[other])
    precisions = (np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits]
    winner = max(votes, key=lambda label: votes[label])
    return (
        bool(hits[0]),
        bool(hits[:_NEAREST].any()),
        float(precisions.mean()),
        winner == labels[position],
    )
