"""Our clustering beside others on the labelled shared photos; unclustered photos count as singles.

Run: python -m tests.bench.clustering_quality
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans

from libs.agreement import (
    adjusted_rand,
    bcubed,
    pairwise_f1,
    purity,
    singles,
)
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import fit_epoch, unit
from tests.integration.clustering.labelled_photos import LabelledPhotos, load
from tests.support.shared import SHARED

Labels = npt.NDArray[np.int64]
Method = Callable[[LabelledPhotos], Labels]


def ours(params: Params) -> Method:
    def run(photos: LabelledPhotos) -> Labels:
        found = Engine(params).fit(photos.ids, photos.vectors)
        keys = {group.key: number for number, group in enumerate(found.groups)}
        labels = found.labels()
        return np.array([keys.get(labels.get(item, ""), -1) for item in photos.ids])

    return run


def prepared(photos: LabelledPhotos, dimensions: int) -> npt.NDArray[np.float32]:
    units = unit(photos.vectors)
    return fit_epoch(units, dimensions, seed=1).transform(units)


def hdbscan(samples: int, dimensions: int | None) -> Method:
    def run(photos: LabelledPhotos) -> Labels:
        rows = prepared(photos, dimensions) if dimensions else unit(photos.vectors)
        return HDBSCAN(min_cluster_size=5, min_samples=samples, copy=True).fit_predict(rows)

    return run


def average_linkage(cosine: float) -> Method:
    def run(photos: LabelledPhotos) -> Labels:
        model = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - cosine
        )
        return model.fit_predict(prepared(photos, 128))

    return run


def known_k_means(photos: LabelledPhotos) -> Labels:
    groups = len(set(photos.labels))
    return KMeans(groups, n_init=5, random_state=0).fit_predict(prepared(photos, 128))


METHODS: dict[str, Method] = {
    "ours, defaults": ours(Params()),
    "ours, fewer (rho .25)": ours(Params(granularity=0.25)),
    "ours, finer (rho .55)": ours(Params(granularity=0.55)),
    "HDBSCAN 5/1, pca64": hdbscan(1, 64),
    "HDBSCAN 5/5, pca64": hdbscan(5, 64),
    "HDBSCAN 5/1, raw": hdbscan(1, None),
    "average linkage .25": average_linkage(0.25),
    "average linkage .35": average_linkage(0.35),
    "k-means, K GIVEN": known_k_means,
}


def rows(photos: LabelledPhotos) -> Iterator[str]:
    for name, method in METHODS.items():
        start = time.process_time()
        labels = method(photos).tolist()
        seconds = time.process_time() - start
        single, truth = singles(labels), photos.labels
        numbers = [
            adjusted_rand(single, truth),
            pairwise_f1(single, truth),
            bcubed(single, truth),
            purity(labels, truth),
        ]
        outside = Counter(labels)[-1] / len(labels)
        cells = " | ".join(f"{number:.3f}" for number in numbers)
        groups = len(set(labels) - {-1})
        yield f"| {name} | {cells} | {groups} | {outside:.3f} | {seconds:.2f} |"


def main() -> None:
    for model in ("mobilenet-v2-1.0-224", "mobilenet-edgetpu-1.0-224"):
        photos = load(SHARED, model)
        print(f"\n{model}: {len(photos.ids)} photos, {len(set(photos.labels))} labels")
        print("| method | ARI | F1 | BCubed | purity | groups | unclustered | CPU s |")
        print("|---|---|---|---|---|---|---|---|")
        for row in rows(photos):
            print(row)


if __name__ == "__main__":
    main()
