"""How long grouping takes, beside HDBSCAN: `python -m tests.bench.clustering_times [ITEMS …]`.

Made-up uneven libraries of vectors with 512 numbers; processor time, so other load counts little.
HDBSCAN compares all pairs, which takes ten minutes at 50,000 items; beyond, its time is carried on
with the square of the number.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.cluster import HDBSCAN

from libs.agreement import adjusted_rand, singles
from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.regroup import regroup_by_mixture
from tests.unit.clustering.algorithms.samples import Sample, library

_ITEMS, _DIMENSIONS = (5_000, 10_000, 20_000, 50_000), 512
_MOST_FOR_HDBSCAN = 50_000

Labels = list[int]


def ours(sample: Sample) -> Labels:
    previous = Previous({}, next_key=1)
    found = regroup_by_mixture(sample.ids, sample.vectors, previous, Params())
    owners = {item: n for n, group in enumerate(found.groups) for item in group.members}
    return [owners.get(item, -1) for item in sample.ids]


def hdbscan(sample: Sample) -> Labels:
    found = HDBSCAN(min_cluster_size=5, min_samples=1, copy=True).fit_predict(sample.vectors)
    return np.asarray(found).tolist()


def timed(method: Callable[[Sample], Labels], sample: Sample) -> tuple[float, float]:
    """Seconds of processor time, and the adjusted Rand index."""
    start = time.process_time()
    labels = method(sample)
    seconds = time.process_time() - start
    return seconds, adjusted_rand(singles(labels), singles(sample.truth))


def main() -> None:
    print("| items | ours, CPU s | ARI | HDBSCAN, CPU s | ARI | ours / HDBSCAN |")
    print("|---|---|---|---|---|---|")
    measured = (0, 0.0)
    for items in [int(text) for text in sys.argv[1:]] or _ITEMS:
        sample = library(items, dimensions=_DIMENSIONS, seed=1)
        own, agreement = timed(ours, sample)
        if items <= _MOST_FOR_HDBSCAN:
            other, told = timed(hdbscan, sample)
            measured, cells = (items, other), f"{other:.1f} | {told:.3f}"
        else:
            other = measured[1] * (items / measured[0]) ** 2
            cells = f"{other:.0f} (from {measured[0]}) | - "
        print(
            f"| {items} | {own:.1f} | {agreement:.3f} | {cells} | {own / other:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
