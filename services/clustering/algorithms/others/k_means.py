"""K_MEANS: as many groups as asked for."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from libs.k_means import spherical_k_means
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.prep import Matrix, fit_epoch

_DIMENSIONS = 128


@dataclass(frozen=True, slots=True)
class KMeans:
    """Spherical k-means on the centred vectors; every item is in a group."""

    groups: int
    least: int = 1
    most: ClassVar[int] = 200_000

    def group(self, units: Matrix, seed: int) -> Indices:
        """See GroupingAlgorithm."""
        rows = fit_epoch(units, _DIMENSIONS, seed).transform(units)
        groups = min(self.groups, len(rows))
        return spherical_k_means(rows, groups, np.random.default_rng(seed))
