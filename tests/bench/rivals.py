"""Other ways to find groups, as families of settings: what our clustering is measured against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import (
    HDBSCAN,
    AgglomerativeClustering,
    Birch,
    KMeans,
    MiniBatchKMeans,
)

from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix, fit_epoch, unit
from services.clustering.algorithms.regroup import regroup_by_mixture

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """A labelled collection: unit vectors of one model, and the cosine of its near-duplicates."""

    name: str
    model: str
    ids: list[str]
    labels: list[str]
    units: Matrix
    near_duplicate: float
    _prepared: dict[int, Matrix] = field(default_factory=dict)

    def prepared(self, dimensions: int) -> Matrix:
        """Centred, on the main axes; made once, as it would not count for a rival's time."""
        if dimensions not in self._prepared:
            epoch = fit_epoch(self.units, dimensions, seed=1)
            self._prepared[dimensions] = epoch.transform(self.units)
        return self._prepared[dimensions]

    def centred(self) -> Matrix:
        return unit(self.units - self.units.mean(axis=0))

    @property
    def true_groups(self) -> int:
        return len(set(self.labels))


Method = Callable[[Case], Labels]
Family = Mapping[str, Method]


def ours(params: Params) -> Method:
    def run(case: Case) -> Labels:
        wanted = Params(
            granularity=params.granularity,
            outlier_z=params.outlier_z,
            near_duplicate=case.near_duplicate,
        )
        found = regroup_by_mixture(case.ids, case.units, Previous({}, next_key=1), wanted)
        owners = {item: n for n, group in enumerate(found.groups) for item in group.members}
        return np.array([owners.get(item, -1) for item in case.ids])

    return run


def hdbscan(size: int, samples: int | None, dimensions: int | None) -> Method:
    def run(case: Case) -> Labels:
        rows = case.prepared(dimensions) if dimensions else case.units
        return HDBSCAN(min_cluster_size=size, min_samples=samples, copy=True).fit_predict(rows)

    return run


def average_linkage(cosine: float) -> Method:
    def run(case: Case) -> Labels:
        model = AgglomerativeClustering(
            n_clusters=None,
            metric="precomputed",
            linkage="average",
            distance_threshold=1 - cosine,
        )
        rows = case.prepared(128)
        return model.fit_predict(1.0 - rows @ rows.T)

    return run


def birch(threshold: float) -> Method:
    def run(case: Case) -> Labels:
        return Birch(threshold=threshold, n_clusters=None).fit_predict(case.prepared(64))

    return run


def finch(partition: int) -> Method:
    """Partition 1 is the finest one. The method gives all of them and does not choose."""

    def run(case: Case) -> Labels:
        found = finch_partitions(case.centred())
        return found[min(partition, len(found)) - 1]

    return run


def finch_partitions(units: Matrix) -> list[Labels]:
    """FINCH (Sarfraz, Sharma and Stiefelhagen, "Efficient Parameter-free Clustering Using First
    Neighbor Relations", CVPR 2019): items are linked to their nearest one; what hangs together is a
    group; the means of the groups are the items of the next, coarser partition.
    """
    partitions: list[Labels] = []
    labels, means = np.arange(len(units)), units
    while len(means) > 1:
        cosines = means @ means.T
        np.fill_diagonal(cosines, -2.0)
        first = cosines.argmax(axis=1)
        places = np.arange(len(means))
        graph = coo_matrix((np.ones(len(means)), (places, first)), shape=cosines.shape)
        count, joined = connected_components(graph, directed=False)
        if count in (1, len(means)):
            break
        labels = joined[labels]
        partitions.append(labels.astype(np.int64))
        sums = np.zeros((count, units.shape[1]))
        np.add.at(sums, labels, units)
        means = unit(sums)
    return partitions or [labels]


def k_means(case: Case) -> Labels:
    return KMeans(case.true_groups, n_init=5, random_state=0).fit_predict(case.prepared(128))


def mini_batch_k_means(case: Case) -> Labels:
    model = MiniBatchKMeans(case.true_groups, n_init=5, random_state=0)
    return model.fit_predict(case.prepared(128))


DEFAULT = "ours, the default"
# Each family holds the settings among which it is chosen; those of the known number have no choice.
FAMILIES: dict[str, Family] = {
    "ours": {
        DEFAULT if value == Params().granularity else f"ours, granularity {value}": ours(
            Params(granularity=value)
        )
        for value in (0.30, 0.35, 0.40, 0.45, 0.50)
    },
    "HDBSCAN": {
        f"HDBSCAN {size}/{samples or size}, {f'pca{d}' if d else 'raw'}": hdbscan(size, samples, d)
        for d, sizes in ((64, (4, 5, 10)), (None, (5,)))
        for size in sizes
        for samples in (1, None)
    },
    "average linkage": {
        f"average linkage {cosine:.2f}": average_linkage(cosine)
        for cosine in (0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45)
    },
    "BIRCH": {f"BIRCH {value:.1f}": birch(value) for value in (0.5, 0.6, 0.7, 0.8, 0.9)},
    "FINCH": {f"FINCH, partition {number}": finch(number) for number in (1, 2, 3)},
    "k-means, number given": {"k-means, number given": k_means},
    "MiniBatchKMeans, number given": {"MiniBatchKMeans, number given": mini_batch_k_means},
}
NUMBER_GIVEN = ("k-means, number given", "MiniBatchKMeans, number given")
