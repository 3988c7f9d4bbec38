"""How good a group is: how alike its members are, who does not belong, how it would be split.

The thresholds are cosines of sentence models, where unrelated texts are near 0. Those of photos are
not: unrelated ones of the shared photos have a mean of 0.24 to 0.35, by model, and shots of one
scene begin at 0.69 to 0.86. So for photos a cosine counts by how far it is from the first to the
second (``Scale``), and then the same thresholds mean the same. Means of cosines scale like them.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.prep import Matrix, unit

TIGHT = 0.85
MODERATE = 0.70
SPLIT_BELOW = 0.65
GAIN = 0.05
OUTLIER_BELOW = 0.60
SCENE = 0.78
"""Where two shots of one scene are on the scale: where texts are about the same thing, too."""

ENOUGH_FACES = 8
"""So many groups tell what unrelated items are like."""

_OUTLIER_DEVIATIONS = 2.0
_LEAST_RANGE = 0.05
_LEAST_PART = 2
_ITERATIONS = 30

Doubles = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


class Verdict(StrEnum):
    """How close the members of a group are."""

    TIGHT = "tight"
    MODERATE = "moderate"
    LOOSE = "loose"


def verdict_of(cohesion: float) -> Verdict:
    """What a cohesion says."""
    if cohesion >= TIGHT:
        return Verdict.TIGHT
    return Verdict.MODERATE if cohesion >= MODERATE else Verdict.LOOSE


@dataclass(frozen=True, slots=True)
class Scale:
    """Cosines as likenesses: 0 at ``origin``, growing by ``slope``, never beyond -1..1."""

    origin: float = 0.0
    slope: float = 1.0

    @classmethod
    def of_photos(cls, unrelated: float, scene: float) -> "Scale":
        """For a mean cosine of unrelated photos and the cosine of one scene."""
        return cls(unrelated, SCENE / max(scene - unrelated, _LEAST_RANGE))

    def likeness(self, cosine: npt.ArrayLike) -> Doubles:
        """The likeness that a cosine stands for."""
        scaled = (np.asarray(cosine, dtype=np.float64) - self.origin) * self.slope
        return np.clip(scaled, -1.0, 1.0)


def unrelated_cosine(faces: npt.ArrayLike, sample: npt.ArrayLike) -> float:
    """The cosine of two unrelated items of a collection.

    The mean of two ``faces``, the heroes of different groups, where there are ``ENOUGH_FACES``.
    With fewer groups many items are related, so it is then what a quarter of the pairs of a random
    ``sample`` stay below.
    """
    rows = unit(faces)
    if len(rows) >= ENOUGH_FACES:
        return _mean_cosine(rows.sum(axis=0, dtype=np.float64), len(rows))
    rows = unit(sample)
    first, second = np.triu_indices(len(rows), 1)
    return float(np.quantile((rows @ rows.T)[first, second], 0.25)) if len(first) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A group in two: whether each row is in the smaller part, the cohesion of both, the gain."""

    smaller: Booleans
    cohesion: float
    rest_cohesion: float
    gain: float


@dataclass(frozen=True, slots=True)
class Kinship:
    """How close two groups are: the mean likeness across them, the cohesion of both together, and
    whether they should be one."""

    likeness: float
    joint_cohesion: float
    merge: bool


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Unit vectors (n, d) of the members that are looked at, on a scale."""

    rows: Matrix
    scale: Scale

    @classmethod
    def of(cls, vectors: npt.ArrayLike, scale: Scale) -> "Group":
        """A group of vectors of any length but zero."""
        return cls(unit(vectors), scale)

    @property
    def cohesion(self) -> float:
        """The mean likeness of two members; 1 for a single one."""
        return _cohesion(self.rows, self.scale)

    def member_likeness(self) -> Doubles:
        """(n,) the mean likeness of each member to the others; 1 for a single one."""
        count = len(self.rows)
        if count < 2:
            return np.ones(count)
        own = np.einsum("ij,ij->i", self.rows, self.rows, dtype=np.float64)
        return self.scale.likeness((self.rows @ self._sum() - own) / (count - 1))

    def outliers(self) -> list[int]:
        """The members that do not belong, the strangest first: less than ``OUTLIER_BELOW`` alike,
        and far below what is usual here, so that not half of a loose group is strange."""
        likeness = self.member_likeness()
        usual = float(np.median(likeness)) - _OUTLIER_DEVIATIONS * _spread(likeness)
        strange = np.flatnonzero((likeness < OUTLIER_BELOW) & (likeness < usual))
        return sorted(strange.tolist(), key=lambda row: (likeness[row], row))

    def split(self) -> Split | None:
        """How to split it in two, if it is loose enough for that and gains by it."""
        if self.cohesion >= SPLIT_BELOW or len(self.rows) < 2 * _LEAST_PART:
            return None
        part = _halves(self.rows)
        if min(part.sum(), (~part).sum()) < _LEAST_PART:
            return None
        smaller = part if part.sum() <= (~part).sum() else ~part
        inside = _cohesion(self.rows[smaller], self.scale)
        outside = _cohesion(self.rows[~smaller], self.scale)
        share = float(smaller.mean())
        gain = share * inside + (1.0 - share) * outside - self.cohesion
        return Split(smaller, inside, outside, gain) if gain >= GAIN else None

    def kinship(self, other: "Group") -> Kinship:
        """How close it is to another group. They should be one if splitting both again would not
        gain enough to be proposed."""
        own, its = len(self.rows), len(other.rows)
        sums = self._sum(), other._sum()
        likeness = float(self.scale.likeness(float(sums[0] @ sums[1]) / (own * its)))
        joint = float(self.scale.likeness(_mean_cosine(sums[0] + sums[1], own + its)))
        apart = (own * self.cohesion + its * other.cohesion) / (own + its)
        return Kinship(likeness, joint, apart - joint < GAIN)

    def _sum(self) -> Doubles:
        return np.asarray(self.rows.sum(axis=0, dtype=np.float64))


def _cohesion(rows: Matrix, scale: Scale) -> float:
    if len(rows) < 2:
        return 1.0
    return float(scale.likeness(_mean_cosine(rows.sum(axis=0, dtype=np.float64), len(rows))))


def _mean_cosine(total: Doubles, count: int) -> float:
    return (float(total @ total) - count) / (count * (count - 1))


def _spread(values: Doubles) -> float:
    """A deviation that a few strange values do not change."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _halves(rows: Matrix) -> Booleans:
    """Two-means on the sphere, begun along the direction in which the members differ most."""
    centred = (rows - rows.mean(axis=0)).astype(np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    part: Booleans = centred @ axes[0] > 0
    for _ in range(_ITERATIONS):
        if part.all() or not part.any():
            return part
        centres = unit(np.stack([rows[part].sum(axis=0), rows[~part].sum(axis=0)]))
        now: Booleans = rows @ (centres[0] - centres[1]) > 0
        if (now == part).all():
            break
        part = now
    # Whichever way the axis points.
    return part if part[0] else ~part
