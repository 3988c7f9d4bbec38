"""HDBSCAN, DBSCAN and AGGLOMERATIVE, by scikit-learn, which need not be installed.

Vectors are centred and projected onto the collection's main axes first: unrelated items then have a
cosine around 0 whatever the model, and a threshold means about the same everywhere.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar

import numpy as np

from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.prep import Matrix, fit_epoch

_DIMENSIONS = 128
# Densities tell more in fewer dimensions.
_DENSITY_DIMENSIONS = 64
# A distance of 0, as of a threshold of 1, is refused.
_LEAST_REACH = 1e-6


def is_installed() -> bool:
    """Whether scikit-learn is there."""
    return find_spec("sklearn") is not None


@dataclass(frozen=True, slots=True)
class Hdbscan:
    """Groups of at least ``least`` items that last while the density changes."""

    least: int
    most: ClassVar[int] = 20_000

    def group(self, units: Matrix, seed: int) -> Indices:
        """See GroupingAlgorithm."""
        from sklearn.cluster import HDBSCAN

        model = HDBSCAN(min_cluster_size=self.least, min_samples=1, copy=True)
        return _labels(model.fit_predict(_prepared(units, _DENSITY_DIMENSIONS, seed)))


@dataclass(frozen=True, slots=True)
class Dbscan:
    """Items with ``least`` items (themselves included) at a cosine of ``threshold`` or above,
    and all that such items reach."""

    threshold: float
    least: int
    most: ClassVar[int] = 20_000

    def group(self, units: Matrix, seed: int) -> Indices:
        """See GroupingAlgorithm."""
        from sklearn.cluster import DBSCAN

        reach = max(1.0 - self.threshold, _LEAST_REACH)
        model = DBSCAN(eps=reach, min_samples=self.least, metric="cosine")
        return _labels(model.fit_predict(_prepared(units, _DENSITY_DIMENSIONS, seed)))


@dataclass(frozen=True, slots=True)
class Agglomerative:
    """Joins the two nearest groups while the mean cosine between them is at least ``threshold``."""

    threshold: float
    least: int
    most: ClassVar[int] = 10_000

    def group(self, units: Matrix, seed: int) -> Indices:
        """See GroupingAlgorithm."""
        from sklearn.cluster import AgglomerativeClustering

        model = AgglomerativeClustering(
            n_clusters=None,
            metric="precomputed",
            linkage="average",
            distance_threshold=1.0 - self.threshold,
        )
        rows = _prepared(units, _DIMENSIONS, seed)
        return _labels(model.fit_predict(1.0 - rows @ rows.T))


def _prepared(units: Matrix, dimensions: int, seed: int) -> Matrix:
    return fit_epoch(units, dimensions, seed).transform(units)


def _labels(found: Indices) -> Indices:
    return np.asarray(found, dtype=np.int64)
