"""Groups as sums and counts, and the test that decides whether an item belongs to one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.linkage import BayesFactor, Doubles, Indices
from services.clustering.algorithms.prep import Matrix

OUTSIDE = -1
_PSEUDO_COUNTS = 10.0
_MEMORY = 200.0
_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True)
class Null:
    """Mean and deviation of the cosine of unrelated items."""

    mean: float
    sd: float

    @property
    def dimensions(self) -> float:
        """The dimension in which random directions have cosines as spread out as the null's."""
        return 1.0 / max(self.sd, 1e-6) ** 2

    def floor(self, groups: int) -> float:
        """The cosine that the best of ``groups`` unrelated centres is expected to stay below."""
        return self.mean + self.sd * float(np.sqrt(2.0 * np.log(max(2, groups))))


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """K groups: ``sums`` (K, D) of unit vectors, ``counts`` (K,), cosine statistics (K,).

    ``means`` and ``deviations`` are those of each member's cosine to the centre of the *others*,
    so that a newcomer, who has no part in the centre, is measured by the same rule.
    """

    sums: Doubles
    counts: Doubles
    means: Doubles
    deviations: Doubles

    def __len__(self) -> int:
        return len(self.counts)

    def centroids(self) -> Matrix:
        """(K, D) unit vectors."""
        lengths = np.linalg.norm(self.sums, axis=1, keepdims=True)
        return np.asarray(self.sums / np.maximum(lengths, 1e-9), dtype=np.float32)

    def mean_lengths(self) -> Doubles:
        """Length of each group's mean vector: 1 when all members are equal."""
        return np.asarray(np.linalg.norm(self.sums, axis=1) / np.maximum(self.counts, 1.0))

    def cohesions(self) -> Doubles:
        """Mean cosine of all pairs of members, from sums and counts alone."""
        return cohesions(self.sums, self.counts)

    @property
    def closeness(self) -> float:
        """The mean cosine of all members to their groups; 0 where there are none."""
        return float(self.counts @ self.means / max(self.counts.sum(), 1.0))

    def take(self, chosen: npt.NDArray[np.bool_] | Indices) -> "Components":
        """Some of the groups."""
        return Components(
            self.sums[chosen], self.counts[chosen], self.means[chosen], self.deviations[chosen]
        )

    def with_added(self, labels: Indices, rows: Matrix, cosines: Doubles) -> "Components":
        """The components after rows joined them; the statistics remember some 200 members."""
        sums, counts = self.sums.copy(), self.counts.copy()
        means, variances = self.means.copy(), self.deviations**2
        for label, row, cosine in zip(labels, rows, cosines, strict=True):
            sums[label] += row
            counts[label] += 1
            rate = 1.0 / min(counts[label] + _PSEUDO_COUNTS, _MEMORY)
            surprise = cosine - means[label]
            means[label] += rate * surprise
            variances[label] += rate * (surprise**2 - variances[label])
        return Components(sums, counts, means, np.sqrt(variances))

    def with_removed(self, labels: Indices, rows: Matrix) -> "Components":
        """The components after member rows left them."""
        sums, counts = self.sums.copy(), self.counts.copy()
        np.subtract.at(sums, labels, rows.astype(np.float64))
        np.subtract.at(counts, labels, 1.0)
        return Components(sums, counts, self.means, self.deviations)

    def with_moved_in(self, labels: Indices, rows: Matrix) -> "Components":
        """The components after rows were put there; what is usual for members stays as it is."""
        sums, counts = self.sums.copy(), self.counts.copy()
        np.add.at(sums, labels, rows.astype(np.float64))
        np.add.at(counts, labels, 1.0)
        return Components(sums, counts, self.means, self.deviations)

    def with_born(self, born: "Components") -> "Components":
        """These components followed by new ones."""
        return Components(
            np.vstack([self.sums, born.sums]),
            np.append(self.counts, born.counts),
            np.append(self.means, born.means),
            np.append(self.deviations, born.deviations),
        )

    def with_merged(self, kept: int, gone: int) -> "Components":
        """Component ``gone`` added to ``kept``; ``gone`` stays behind empty."""
        sums, counts = self.sums.copy(), self.counts.copy()
        means, deviations = self.means.copy(), self.deviations.copy()
        share = counts[gone] / (counts[kept] + counts[gone])
        sums[kept] += sums[gone]
        counts[kept] += counts[gone]
        means[kept] += share * (means[gone] - means[kept])
        deviations[kept] += share * (deviations[gone] - deviations[kept])
        sums[gone], counts[gone] = 0.0, 0.0
        return Components(sums, counts, means, deviations)


def cohesions(sums: Doubles, counts: Doubles) -> Doubles:
    """(|S|² - n) / (n (n - 1)): mean cosine of all pairs; 0 for a single item."""
    pairs = np.maximum(counts * (counts - 1.0), 1.0)
    return np.asarray((np.einsum("ij,ij->i", sums, sums) - counts) / pairs)


def summarise(rows: Matrix, labels: Indices) -> Components:
    """The components of rows labelled 0..K-1 or ``OUTSIDE``."""
    inside = labels >= 0
    rows, labels = rows[inside], labels[inside]
    sums = sum_up(rows, labels, int(labels.max(initial=OUTSIDE)) + 1)
    counts = np.bincount(labels, minlength=len(sums)).astype(np.float64)
    cosines = cosines_to_others(rows, sums[labels])
    return Components(sums, counts, *cosine_statistics(cosines, labels, counts))


def sum_up(rows: Matrix, labels: Indices, groups: int) -> Doubles:
    """(K, D) sums of the rows of each group; every label is 0..K-1."""
    sums = np.zeros((groups, rows.shape[1]))
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(groups + 1))
    for group in range(groups):
        members = order[starts[group] : starts[group + 1]]
        sums[group] = rows[members].sum(axis=0, dtype=np.float64)
    return sums


def cosines_to_others(rows: Matrix, sums: Doubles) -> Doubles:
    """The cosine of each member row to the sum of its group without it."""
    others = sums - rows
    lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-9)
    return np.asarray(np.einsum("ij,ij->i", rows, others) / lengths)


def cosine_statistics(
    cosines: Doubles, labels: Indices, counts: Doubles
) -> tuple[Doubles, Doubles]:
    """Mean and deviation a group; see ``deviations_of``."""
    safe = np.maximum(counts, 1.0)
    means = np.bincount(labels, cosines, len(counts)) / safe
    variances = np.bincount(labels, (cosines - means[labels]) ** 2, len(counts)) / safe
    return means, deviations_of(variances, safe)


def deviations_of(variances: Doubles, counts: Doubles) -> Doubles:
    """Deviations that lean on their median, as small groups know little."""
    usual = float(np.median(variances)) if len(counts) else 0.0
    shrunk = (counts * variances + _PSEUDO_COUNTS * usual) / (counts + _PSEUDO_COUNTS)
    return np.asarray(np.sqrt(shrunk))


@dataclass(frozen=True, slots=True)
class Acceptance:
    """When an item belongs to its nearest group: it is as likely a member as a group of its own
    (``factor``), not unusual among the members (``outlier_z``), and no coincidence (``null``).
    """

    factor: BayesFactor
    null: Null
    outlier_z: float

    def thresholds(self, components: Components) -> Doubles:
        """(K,) the cosine that an item needs to join each group; no cosine is enough for an empty
        one.
        """
        counts = np.maximum(components.counts, 1.0)
        joining = self.factor.joining_cosine(counts, components.mean_lengths())
        usual = components.means - self.outlier_z * components.deviations
        floor = self.null.floor(len(components))
        needed = np.maximum(np.maximum(joining, usual), floor)
        return np.where(components.counts > 0, needed, np.inf)

    def assign(
        self, rows: Matrix, components: Components, own: Indices | None = None
    ) -> tuple[Indices, Doubles]:
        """The nearest group of each row, ``OUTSIDE`` where it is not near enough, and its cosine.

        ``own`` are the present groups of the rows, which then do not vouch for themselves.
        """
        labels = np.full(len(rows), OUTSIDE, dtype=np.int64)
        closeness = np.zeros(len(rows))
        if len(components) == 0:
            return labels, closeness
        centroids, needed = components.centroids(), self.thresholds(components)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            cosines = rows[part] @ centroids.T
            if own is not None:
                _leave_out(cosines, rows[part], components.sums, own[part])
            nearest = cosines.argmax(axis=1)
            closeness[part] = cosines[np.arange(len(nearest)), nearest]
            labels[part] = np.where(closeness[part] >= needed[nearest], nearest, OUTSIDE)
        return labels, closeness


def _leave_out(cosines: Matrix, rows: Matrix, sums: Doubles, own: Indices) -> None:
    members = np.flatnonzero(own >= 0)
    groups = own[members]
    cosines[members, groups] = cosines_to_others(rows[members], sums[groups])


def renumber(labels: Indices, keep: npt.NDArray[np.bool_]) -> Indices:
    """Labels over the kept groups only, numbered anew in the same order; the rest is outside."""
    numbers = np.append(np.where(keep, np.cumsum(keep) - 1, OUTSIDE), OUTSIDE)
    return np.asarray(numbers[labels], dtype=np.int64)


def follow(labels: Indices, gone_to: Mapping[int, int], keep: npt.NDArray[np.bool_]) -> Indices:
    """Labels after groups went into others, over the kept groups only."""
    numbers = np.append(np.arange(len(keep)), OUTSIDE)
    numbers[list(gone_to)] = list(gone_to.values())
    return renumber(numbers[labels], keep)
