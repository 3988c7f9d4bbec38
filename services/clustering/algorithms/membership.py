"""To which groups an item belongs, in shares."""

import numpy as np

from services.clustering.algorithms.components import Components, Null
from services.clustering.algorithms.linkage import BayesFactor, Doubles, Indices
from services.clustering.algorithms.prep import Matrix


def responsibilities(
    rows: Matrix, components: Components, factor: BayesFactor, null: Null, best: int
) -> tuple[Indices, Doubles]:
    """(n, b) the ``best`` groups of each prepared row, the likeliest first, and their shares 0..1.

    A group's odds are those of "the item is drawn around the same centre" against "it stands
    alone"; what the shares lack of 1 speaks for standing alone, or for other groups.
    """
    count = min(best, len(components))
    if count == 0 or len(rows) == 0:
        return np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0))
    cosines = rows.astype(np.float64) @ components.centroids().T.astype(np.float64)
    odds = (
        null.dimensions
        / 2.0
        * factor.joining(components.counts, components.mean_lengths(), cosines)
    )
    order = np.argsort(-odds, axis=1, kind="stable")[:, :count]
    highest = np.maximum(odds.max(axis=1, keepdims=True), 0.0)
    weights = np.exp(odds - highest)
    total = weights.sum(axis=1, keepdims=True) + np.exp(-highest)
    return order, np.take_along_axis(weights / total, order, axis=1)
