"""Agglomeration by a coarsened Bayes factor on sums and counts.

Two groups are joined while "drawn around one centre" explains them better than "drawn around two",
under x = m + e with m ~ N(0, rho/D I), e ~ N(0, (1 - rho)/D I) (the two-covariance model of speaker
verification). Counts are coarsened to e(n) = (cap + 1) n / (cap + n), so that a large group does
not become infinitely picky. The sign of the factor decides; its scale is 2/D of natural units.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BayesFactor:
    """The criterion: ``granularity`` is rho, ``cap`` the coarsening of counts."""

    granularity: float
    cap: float

    @property
    def ratio(self) -> float:
        """Variance between centres over variance within, rho / (1 - rho)."""
        return self.granularity / (1.0 - self.granularity)

    def coarse(self, counts: npt.ArrayLike) -> Doubles:
        """e(n): 1 for one item, ``cap`` + 1 for infinitely many."""
        n = np.asarray(counts, dtype=np.float64)
        return (self.cap + 1.0) * n / (self.cap + n)

    def evidence(self, coarse: npt.ArrayLike, square: npt.ArrayLike) -> Doubles:
        """Log evidence of one centre for a coarse count and squared length of the coarse sum."""
        spread = 1.0 + np.asarray(coarse, dtype=np.float64) * self.ratio
        gain = self.ratio / (1.0 - self.granularity)
        return np.asarray(gain * np.asarray(square, dtype=np.float64) / spread - np.log(spread))

    def between(self, sum_a: Doubles, n_a: float, sum_b: Doubles, n_b: float) -> float:
        """The factor of two groups given by the sums of their unit vectors and their counts."""
        e_a, e_b = float(self.coarse(n_a)), float(self.coarse(n_b))
        a, b = sum_a * (e_a / n_a), sum_b * (e_b / n_b)
        joint = a + b
        apart = self.evidence(e_a, a @ a) + self.evidence(e_b, b @ b)
        return float(self.evidence(e_a + e_b, joint @ joint) - apart)

    def joining(
        self, counts: npt.ArrayLike, lengths: npt.ArrayLike, cosines: npt.ArrayLike
    ) -> Doubles:
        """``between(group, item)`` for items at these cosines to the groups' mean vectors, which
        have these ``lengths``.
        """
        e = self.coarse(counts)
        along = e * np.asarray(lengths, dtype=np.float64)
        joint = along**2 + 2.0 * along * np.asarray(cosines, dtype=np.float64) + 1.0
        return self.evidence(e + 1.0, joint) - self.evidence(e, along**2) - self.evidence(1.0, 1.0)

    def joining_cosine(self, counts: npt.ArrayLike, lengths: npt.ArrayLike) -> Doubles:
        """The cosine at which one item and a group are even: ``between(group, item) == 0``.

        ``lengths`` are the lengths of the groups' *mean* vectors.
        """
        e, r = self.coarse(counts), self.ratio
        mean = np.maximum(np.asarray(lengths, dtype=np.float64), 1e-9)
        square = (e * mean) ** 2
        logs = np.log1p((e + 1) * r) - np.log1p(e * r) - np.log1p(r)
        apart = square / (1 + e * r) + 1 / (1 + r)
        joint = (logs * (1 - self.granularity) / r + apart) * (1 + (e + 1) * r)
        return np.asarray((joint - square - 1) / (2 * e * mean))


@dataclass(frozen=True, slots=True)
class Merge:
    """One step: unit ``second`` went into unit ``first`` (the lower index) at ``score``."""

    first: int
    second: int
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Agglomeration:
    """``labels`` (M,) of the units, numbered 0..K-1 by lowest member; ``merges`` in order."""

    labels: Indices
    merges: tuple[Merge, ...]


def agglomerate(
    sums: npt.ArrayLike, counts: npt.ArrayLike, factor: BayesFactor, stop: float = 0.0
) -> Agglomeration:
    """Joins the best pair until no factor is at least ``stop``; ties go to the lower index.

    ``sums`` (M, D) and ``counts`` (M,) describe the units to begin with. Costs M² D once and M a
    merge; holds two float32 matrices of M × M.
    """
    table = _Table(np.asarray(sums, dtype=np.float64), np.asarray(counts, np.float64), factor)
    merges = []
    while (step := table.best()) is not None and step.score >= stop:
        table.merge(step.first, step.second)
        merges.append(step)
    return Agglomeration(_labels(len(table.counts), merges), tuple(merges))


def _labels(units: int, merges: list[Merge]) -> Indices:
    parent = np.arange(units)
    for merge in reversed(merges):
        parent[merge.second] = parent[merge.first]
    return np.unique(parent, return_inverse=True)[1].astype(np.int64)


class _Table:
    """The factors of all pairs of live groups, with each row's best partner kept."""

    def __init__(self, sums: Doubles, counts: Doubles, factor: BayesFactor) -> None:
        self.counts = counts.copy()
        self._factor = factor
        self._squares = np.einsum("ij,ij->i", sums, sums)
        rows = sums.astype(np.float32)
        self._gram = rows @ rows.T
        self._dead = np.zeros(len(counts), dtype=bool)
        self._refresh()
        self._score = np.empty_like(self._gram)
        for index in range(len(counts)):
            self._score[index] = self._row(index)
        self._partner = self._score.argmax(axis=1) if len(counts) else np.empty(0, np.int64)
        self._top = self._score[np.arange(len(counts)), self._partner]

    def _refresh(self) -> None:
        self._coarse = self._factor.coarse(self.counts)
        self._weight = self._coarse / self.counts
        self._length = self._squares * self._weight**2
        self._own = self._factor.evidence(self._coarse, self._length)

    def _refresh_one(self, i: int) -> None:
        self._coarse[i] = self._factor.coarse(self.counts[i])
        self._weight[i] = self._coarse[i] / self.counts[i]
        self._length[i] = self._squares[i] * self._weight[i] ** 2
        self._own[i] = self._factor.evidence(self._coarse[i], self._length[i])

    def _row(self, i: int) -> Doubles:
        cross = self._gram[i] * (self._weight[i] * self._weight)
        joint = (self._length[i] + self._length) + 2.0 * cross
        row = self._factor.evidence(self._coarse[i] + self._coarse, joint)
        row -= self._own[i] + self._own
        row[i] = -np.inf
        row[self._dead] = -np.inf
        return row

    def best(self) -> Merge | None:
        """The best pair of live groups, or None when fewer than two are left."""
        if len(self._top) == 0:
            return None
        i = int(self._top.argmax())
        if not np.isfinite(self._top[i]):
            return None
        j = int(self._partner[i])
        return Merge(min(i, j), max(i, j), float(self._top[i]))

    def merge(self, i: int, j: int) -> None:
        """Puts group ``j`` into group ``i``."""
        self._squares[i] += self._squares[j] + 2.0 * float(self._gram[i, j])
        self.counts[i] += self.counts[j]
        self._gram[i] += self._gram[j]
        self._gram[:, i] = self._gram[i]
        self._dead[j] = True
        self._refresh_one(i)
        row = self._row(i).astype(np.float32)
        self._score[i] = row
        self._score[:, i] = row
        self._score[:, j] = -np.inf
        self._repair(i, j, row)

    def _repair(self, i: int, j: int, row: npt.NDArray[np.float32]) -> None:
        lost = (self._partner == i) | (self._partner == j)
        lost[i] = True
        better = (row > self._top) | ((row == self._top) & (i < self._partner))
        better &= ~lost
        self._top[better] = row[better]
        self._partner[better] = i
        stale = np.flatnonzero(lost & ~self._dead)
        self._partner[stale] = self._score[stale].argmax(axis=1)
        self._top[stale] = self._score[stale, self._partner[stale]]
        self._top[j] = -np.inf
