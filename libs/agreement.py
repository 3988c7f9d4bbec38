"""How well a grouping agrees with labels. Items outside all groups count as groups of one."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


def singles(labels: Sequence[int]) -> list[int]:
    """The labels with every negative one replaced by a number of its own."""
    following = max(labels, default=-1) + 1
    return [label if label >= 0 else following + position for position, label in enumerate(labels)]


def adjusted_rand(found: Sequence[Hashable], truth: Sequence[Hashable]) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985): 1 equal, 0 as by chance."""
    table = _contingency(found, truth)
    together = _pairs(table).sum()
    left, right = _pairs(table.sum(axis=1)).sum(), _pairs(table.sum(axis=0)).sum()
    expected = left * right / max(_pairs(table.sum()), 1.0)
    ceiling = (left + right) / 2
    return 1.0 if ceiling == expected else float((together - expected) / (ceiling - expected))


def normalised_information(found: Sequence[Hashable], truth: Sequence[Hashable]) -> float:
    """What each grouping tells of the other, as a share of the mean of what they hold: 1 equal, 0
    independent (normalised mutual information with the arithmetic mean)."""
    table = _contingency(found, truth) / max(len(found), 1)
    left, right = _entropy(table.sum(axis=1)), _entropy(table.sum(axis=0))
    shared = left + right - _entropy(table.ravel())
    return 1.0 if left + right == 0.0 else float(2 * shared / (left + right))


def bcubed(found: Sequence[Hashable], truth: Sequence[Hashable]) -> float:
    """BCubed F1 (Bagga & Baldwin 1998): precision and recall of each item's group, averaged."""
    table = _contingency(found, truth)
    squares, total = table**2, max(float(table.sum()), 1.0)
    precision = float((squares / table.sum(axis=1, keepdims=True)).sum()) / total
    recall = float((squares / table.sum(axis=0, keepdims=True)).sum()) / total
    return 2 * precision * recall / max(precision + recall, 1e-12)


def pairwise_f1(found: Sequence[Hashable], truth: Sequence[Hashable]) -> float:
    """F1 of "these two belong together" over all pairs."""
    table = _contingency(found, truth)
    claimed, true = _pairs(table.sum(axis=1)).sum(), _pairs(table.sum(axis=0)).sum()
    return float(2 * _pairs(table).sum() / max(claimed + true, 1.0))


def purity(found: Sequence[int], truth: Sequence[Hashable]) -> float:
    """Share of the clustered items that carry their group's most frequent label."""
    inside = [(f, t) for f, t in zip(found, truth, strict=True) if f >= 0]
    if not inside:
        return 0.0
    table = _contingency([f for f, _ in inside], [t for _, t in inside])
    return float(table.max(axis=1).sum() / table.sum())


def _pairs(counts: npt.ArrayLike) -> Counts:
    n = np.asarray(counts, dtype=np.float64)
    return np.asarray(n * (n - 1) / 2)


def _entropy(shares: Counts) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _contingency(found: Sequence[Hashable], truth: Sequence[Hashable]) -> Counts:
    rows, columns = _numbers(found), _numbers(truth)
    table = np.zeros((max(rows, default=-1) + 1, max(columns, default=-1) + 1))
    np.add.at(table, (rows, columns), 1.0)
    return table


def _numbers(labels: Sequence[Hashable]) -> list[int]:
    known: dict[Hashable, int] = {}
    return [known.setdefault(label, len(known)) for label in labels]
