"""Which groups are more than a coincidence, measured against the collection's own noise."""

import math

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.components import Null, cohesions
from services.clustering.algorithms.linkage import Agglomeration, Doubles, Indices
from services.clustering.algorithms.prep import Matrix, unit

_NULL_PAIRS = 20_000
_ENOUGH_PAIRS = 50


def within_null(rows: Matrix, labels: Indices, pairs: Null, seed: int) -> Null:
    """The null of the noise *within* tentative groups.

    Random pairs describe the noise only when most of them are unrelated. In a collection of a few
    themes they are not (with two themes half of the pairs share one), and their spread would hide
    every group. What is left of the items after their own group's mean is taken out has no such
    structure; on pure noise both measures agree. The smaller one is used.
    """
    residuals, owners = _residuals(rows, labels)
    if len(residuals) < 2:
        return Null(0.0, pairs.sd)
    generator = np.random.default_rng(seed)
    first = generator.integers(0, len(residuals), _NULL_PAIRS)
    second = (first + generator.integers(1, len(residuals), _NULL_PAIRS)) % len(residuals)
    strangers = owners[first] != owners[second]
    if strangers.sum() >= _ENOUGH_PAIRS:
        first, second = first[strangers], second[strangers]
    cosines = np.einsum("ij,ij->i", residuals[first], residuals[second], dtype=np.float64)
    return Null(0.0, min(pairs.sd, max(float(cosines.std()), 1e-3)))


def _residuals(rows: Matrix, labels: Indices) -> tuple[Matrix, Indices]:
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, labels, rows.astype(np.float64))
    shared = counts[labels] >= 2
    owners = labels[shared]
    return unit(rows[shared] - sums[owners] / counts[owners, None]), owners


def is_significant(concentration: float, count: int, null: Null, population: int) -> bool:
    """Whether ``count`` items picked freely from ``population`` are too aligned for chance.

    ``concentration`` is |S|²/n for the sum S of n unit vectors: nearly gamma distributed with
    mean 1 when the directions are independent. Its upper tail (Chernoff bound) must be rarer than
    one choice of n items of all.
    """
    if concentration <= 1.0:
        return False
    evidence = null.dimensions / 2.0 * (concentration - 1.0 - math.log(concentration))
    return evidence >= _log_choose(population, count)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(max(n - k, 0) + 1)


class Dendrogram:
    """The tree of an agglomeration: units 0..M-1, then one node a merge, each with sum and count.

    ``significant`` cuts it: a node is a group when it is large enough, no coincidence and cohesive.
    What is not is taken apart again, but a part of something broad must also stand out from it,
    as any part of evenly spread noise around a common theme would look cohesive by itself.
    """

    def __init__(self, sums: Doubles, counts: Doubles, agglomeration: Agglomeration) -> None:
        units = len(counts)
        self._sums = np.vstack([sums, np.zeros((len(agglomeration.merges), sums.shape[1]))])
        self._counts = np.append(counts, np.zeros(len(agglomeration.merges)))
        self._children: list[tuple[int, int]] = []
        current = np.arange(units)
        for node, merge in enumerate(agglomeration.merges, start=units):
            pair = (int(current[merge.first]), int(current[merge.second]))
            self._children.append(pair)
            self._sums[node] = self._sums[pair[0]] + self._sums[pair[1]]
            self._counts[node] = self._counts[pair[0]] + self._counts[pair[1]]
            current[merge.first], current[merge.second] = node, -1
        self._units = units
        self._roots = [int(node) for node in current if node >= 0]
        self._cohesions = cohesions(self._sums, self._counts)

    def significant(
        self, null: Null, population: int, min_size: int, min_cohesion: float
    ) -> Indices:
        """(M,) labels of the units, 0..K-1 in the order of their lowest unit, or -1."""
        labels = np.full(self._units, -1, dtype=np.int64)
        waiting = [(root, -1) for root in reversed(self._roots)]
        found = 0
        while waiting:
            node, broad = waiting.pop()
            if self._counts[node] < min_size:
                continue
            if self._is_group(node, broad, null, population, min_cohesion):
                labels[self._leaves(node)] = found
                found += 1
            elif node >= self._units:
                top = node if broad < 0 else broad
                waiting += [(child, top) for child in reversed(self._children[node - self._units])]
        return labels

    def _is_group(
        self, node: int, broad: int, null: Null, population: int, min_cohesion: float
    ) -> bool:
        count = int(self._counts[node])
        concentration = float(self._sums[node] @ self._sums[node]) / count
        return (
            self._cohesions[node] >= min_cohesion
            and is_significant(concentration, count, null, population)
            and (broad < 0 or self._stands_out(node, broad, null))
        )

    def _stands_out(self, node: int, broad: int, null: Null) -> bool:
        count, all_of_it = int(self._counts[node]), int(self._counts[broad])
        mean = self._sums[broad] / all_of_it
        apart = self._sums[node] - count * mean
        spread = max(1.0 - float(mean @ mean), 1e-9)
        return is_significant(float(apart @ apart) / (count * spread), count, null, all_of_it)

    def _leaves(self, node: int) -> npt.NDArray[np.int64]:
        leaves, waiting = [], [node]
        while waiting:
            current = waiting.pop()
            if current < self._units:
                leaves.append(current)
            else:
                waiting += self._children[current - self._units]
        return np.array(leaves, dtype=np.int64)
