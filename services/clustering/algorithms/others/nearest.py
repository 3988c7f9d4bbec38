"""NEAREST: each item joins the best group among its nearest items, or makes one of its own."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.prep import Matrix

_NEAREST = 20
_VOUCHING = 3
_ASKED = 10
# By how much less than ``threshold`` the mean and the worst cosine to the asked members may be.
_MEAN_SLACK, _WORST_SLACK = 0.08, 0.23
_ROWS_AT_ONCE = 256
# Scores closer than this are equal: it is what the rounding of single precision amounts to.
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Nearest:
    """Looks at each item once, in the order in which they came in.

    The score of a group is the larger one of the cosine to its centroid and the mean cosine to its
    (up to) three nearest members among the twenty nearest items so far. The best group with a score
    of at least ``threshold`` is joined, the larger one on a tie, then the older one, if the cosines
    to its first ten members agree: their mean may be 0.08 less than the threshold, the worst 0.23.
    """

    threshold: float
    least: int
    most: ClassVar[int] = 50_000

    def group(self, units: Matrix, seed: int) -> Indices:
        """See GroupingAlgorithm."""
        groups = _Groups(self.threshold)
        for start in range(0, len(units), _ROWS_AT_ONCE):
            block = units[start : start + _ROWS_AT_ONCE]
            cosines = block @ units[: start + len(block)].T
            for row, unit in enumerate(block):
                place = start + row
                groups.place(unit, cosines[row, :place])
        return np.array(groups.labels, dtype=np.int64)


@dataclass(slots=True)
class _Group:
    """``total`` is the sum of its unit vectors, ``first`` are up to ten members."""

    total: Doubles
    count: int = 0
    first: list[int] = field(default_factory=list)


class _Groups:
    """The groups so far, the oldest first; ``labels`` are those of the items so far."""

    def __init__(self, threshold: float) -> None:
        self.labels: list[int] = []
        self._threshold = threshold
        self._least_mean = round(threshold - _MEAN_SLACK, _DIGITS)
        self._least_worst = round(threshold - _WORST_SLACK, _DIGITS)
        self._groups: list[_Group] = []

    def place(self, unit: Matrix, cosines: Matrix) -> None:
        """Puts the next item into a group; ``cosines`` are those to all items before it."""
        for label in self._candidates(unit, cosines):
            if self._agree(cosines[self._groups[label].first]):
                break
        else:
            label = len(self._groups)
            self._groups.append(_Group(np.zeros(len(unit))))
        group = self._groups[label]
        group.total += unit
        group.count += 1
        if len(group.first) < _ASKED:
            group.first.append(len(self.labels))
        self.labels.append(label)

    def _candidates(self, unit: Matrix, cosines: Matrix) -> list[int]:
        """The groups that the item may join, the best first."""
        nearest: defaultdict[int, list[float]] = defaultdict(list)
        for place in _highest(cosines):
            nearest[self.labels[place]].append(float(cosines[place]))
        scored = []
        for label, close in nearest.items():
            group = self._groups[label]
            centroid = float(unit @ group.total) / float(np.linalg.norm(group.total))
            score = round(max(centroid, float(np.mean(close[:_VOUCHING]))), _DIGITS)
            if score >= self._threshold:
                scored.append((-score, -group.count, label))
        return [label for _, _, label in sorted(scored)]

    def _agree(self, cosines: Matrix) -> bool:
        mean, worst = round(float(cosines.mean()), _DIGITS), round(float(cosines.min()), _DIGITS)
        return mean >= self._least_mean and worst >= self._least_worst


def _highest(cosines: Matrix) -> Indices:
    """The places of the twenty highest, the highest first; earlier ones first on a tie."""
    if len(cosines) > _NEAREST:
        least = np.partition(cosines, -_NEAREST)[-_NEAREST]
        places = np.flatnonzero(cosines >= least)
    else:
        places = np.arange(len(cosines))
    return places[np.argsort(-cosines[places], kind="stable")][:_NEAREST]
