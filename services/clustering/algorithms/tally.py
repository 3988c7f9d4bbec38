"""What the rows of each group add up to; parts of a collection are counted apart and added."""

from dataclasses import dataclass

import numpy as np

from services.clustering.algorithms.components import Components, deviations_of, sum_up
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.prep import Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """``sums`` (K, D) and ``counts`` (K,) of the rows of K groups."""

    sums: Doubles
    counts: Doubles

    @classmethod
    def empty(cls, groups: int, dimensions: int) -> "Tally":
        """Nothing yet."""
        return cls(np.zeros((groups, dimensions)), np.zeros(groups))

    @classmethod
    def of(cls, rows: Matrix, labels: Indices, groups: int) -> "Tally":
        """Of rows labelled 0..groups-1 or ``OUTSIDE``."""
        inside = labels >= 0
        counts = np.bincount(labels[inside], minlength=groups).astype(np.float64)
        return cls(sum_up(rows[inside], labels[inside], groups), counts)

    def __add__(self, other: "Tally") -> "Tally":
        """Of both; groups that one of them does not know yet are empty there."""
        groups = max(len(self.counts), len(other.counts))
        mine, theirs = self.widened(groups), other.widened(groups)
        return Tally(mine.sums + theirs.sums, mine.counts + theirs.counts)

    def widened(self, groups: int) -> "Tally":
        """The same with empty groups at the end."""
        more = groups - len(self.counts)
        if more <= 0:
            return self
        return Tally(np.pad(self.sums, ((0, more), (0, 0))), np.pad(self.counts, (0, more)))

    def moved(self, places: Indices, groups: int) -> "Tally":
        """The same after group k went into ``places[k]``, or away where that is ``OUTSIDE``."""
        kept = places >= 0
        target = Tally.empty(groups, self.sums.shape[1])
        np.add.at(target.sums, places[kept], self.sums[kept])
        np.add.at(target.counts, places[kept], self.counts[kept])
        return target


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """(K,) how many cosines there are of each group, their sum, and the sum of their squares."""

    counts: Doubles
    firsts: Doubles
    seconds: Doubles

    @classmethod
    def of(cls, cosines: Doubles, labels: Indices, groups: int) -> "Moments":
        """Of members with these groups."""
        return cls(
            np.bincount(labels, minlength=groups).astype(np.float64),
            np.bincount(labels, cosines, groups).astype(np.float64),
            np.bincount(labels, cosines**2, groups).astype(np.float64),
        )

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.counts + other.counts, self.firsts + other.firsts, self.seconds + other.seconds
        )

    def components(self, tally: Tally) -> Components:
        """The groups of that tally, with these as the statistics of their members."""
        safe = np.maximum(self.counts, 1.0)
        means = self.firsts / safe
        variances = np.maximum(self.seconds / safe - means**2, 0.0)
        return Components(tally.sums, tally.counts, means, deviations_of(variances, safe))
