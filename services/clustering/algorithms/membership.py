"""To which groups an item belongs, in shares."""

import numpy as np

from services.clustering.algorithms.components import Components
from services.clustering.algorithms.linkage import BayesFactor, Doubles, Indices
from services.clustering.algorithms.prep import Matrix

# What the factor counts for. By its theory that would be half the dimension, but with numbers that
# are not independent nearly every share would be 0 or 1. With this, the shares of photos that were
# kept from the fit say how often they are right; see tests/bench/membership_quality.py.
_SHARPNESS = 3.0


def responsibilities(
    rows: Matrix,
    components: Components,
    factor: BayesFactor,
    best: int,
    own: Indices | None = None,
) -> tuple[Indices, Doubles, Doubles]:
    """(n, b) the ``best`` groups of each prepared row, the likeliest first, and their shares 0..1;
    (n,) the share of standing alone. What is left belongs to other groups.

    A group's odds are those of "the item is drawn around the same centre" against "it stands
    alone". ``own`` are the groups that the rows are counted in, which then do not vouch for
    themselves; negative for none.
    """
    count = min(best, len(components))
    if count == 0 or len(rows) == 0:
        nothing = np.empty((len(rows), 0))
        return nothing.astype(np.int64), nothing, np.ones(len(rows))
    counts, lengths, cosines = _closeness(rows, components, own)
    odds = _SHARPNESS * factor.joining(counts, lengths, cosines)
    order = np.argsort(-odds, axis=1, kind="stable")[:, :count]
    highest = np.maximum(odds.max(axis=1, keepdims=True), 0.0)
    weights = np.exp(odds - highest)
    alone = np.exp(-highest)
    total = weights.sum(axis=1, keepdims=True) + alone
    return order, np.take_along_axis(weights / total, order, axis=1), (alone / total)[:, 0]


def _closeness(
    rows: Matrix, components: Components, own: Indices | None
) -> tuple[Doubles, Doubles, Doubles]:
    """(n, K) the counts of the groups, the lengths of their mean vectors, and the cosines to these,
    as each row finds them."""
    exact = rows.astype(np.float64)
    cosines = exact @ components.centroids().T.astype(np.float64)
    counts = np.tile(components.counts, (len(rows), 1))
    lengths = np.tile(components.mean_lengths(), (len(rows), 1))
    if own is not None:
        members = np.flatnonzero(own >= 0)
        groups = own[members]
        others = components.sums[groups] - exact[members]
        size = np.linalg.norm(others, axis=1)
        counts[members, groups] -= 1.0
        lengths[members, groups] = size / np.maximum(counts[members, groups], 1.0)
        along = np.einsum("ij,ij->i", exact[members], others)
        cosines[members, groups] = along / np.maximum(size, 1e-9)
    return counts, lengths, cosines
