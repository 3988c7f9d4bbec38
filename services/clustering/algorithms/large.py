"""FIT for collections too large to compare all pairs: sample, micro-clusters, a second look.

Rows are streamed in shards and never all held. The sample shows only the larger groups; those it
missed are found in a second round among the rows that no group accepted.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from services.clustering.algorithms.components import (
    OUTSIDE,
    Acceptance,
    Components,
    Null,
    cosine_statistics,
    cosines_to_others,
    follow,
    sum_up,
    summarise,
)
from services.clustering.algorithms.fit import Fit, Units, bayes_factor, fit_direct, fit_units
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.merging import merge_close
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix

Shards = Callable[[], Iterable[Matrix]]

_MICRO_ITERATIONS = 6
_MICRO_LEAST_COSINE = 0.25
_POOL_SHARE_FOR_MORE = 0.05
_ROWS_AT_ONCE = 4_096


def fit_large(shards: Shards, total: int, pairs: Null, params: Params) -> Fit:
    """Groups ``total`` prepared rows; each call of ``shards`` streams them anew, in one order."""
    generator = np.random.default_rng(params.seed)
    places = np.sort(generator.choice(total, min(params.sample, total), replace=False))
    first = _fit_sample(_gather(shards, places), pairs, params, total)
    acceptance = Acceptance(bayes_factor(params), first.null, params.outlier_z)
    components = first.components
    labels = np.full(total, OUTSIDE, dtype=np.int64)
    _assign_outside(shards, labels, components, acceptance)
    for _ in range(params.rounds if _share_outside(labels) > _POOL_SHARE_FOR_MORE else 1):
        if (more := _residual_round(shards, labels, components, acceptance, params)) is None:
            break
        components = more
    return _settle(shards, labels, acceptance, params)


def _share_outside(labels: Indices) -> float:
    return float((labels == OUTSIDE).mean())


def _fit_sample(rows: Matrix, pairs: Null, params: Params, population: int) -> Fit:
    if len(rows) <= params.direct_max:
        return fit_direct(rows, pairs, params, population)
    return fit_units(rows, micro_clusters(rows, params), pairs, params, population)


def _residual_round(
    shards: Shards, labels: Indices, known: Components, acceptance: Acceptance, params: Params
) -> Components | None:
    """Finds the groups among the rows outside and lets these rows choose again."""
    outside = np.flatnonzero(labels == OUTSIDE)
    if len(outside) < params.min_size:
        return None
    if len(outside) > params.sample:
        chosen = np.random.default_rng(params.seed).choice(len(outside), params.sample, False)
        outside = outside[np.sort(chosen)]
    found = _fit_sample(_gather(shards, outside), acceptance.null, params, len(outside))
    if len(found.components) == 0:
        return None
    components = known.with_born(found.components)
    _assign_outside(shards, labels, components, acceptance)
    return components


def _assign_outside(
    shards: Shards, labels: Indices, components: Components, acceptance: Acceptance
) -> None:
    """Labels, in place, every row that is still outside and that a component accepts."""
    for part, rows in _parts(shards):
        waiting = part[labels[part] == OUTSIDE]
        labels[waiting] = acceptance.assign(rows[waiting - part[0]], components)[0]


def _settle(shards: Shards, labels: Indices, acceptance: Acceptance, params: Params) -> Fit:
    """Exact components of the labelled rows; close ones merged, small and loose ones dropped."""
    components = _measure(shards, labels)
    components, gone_to = merge_close(
        components,
        np.arange(len(components)),
        acceptance.factor,
        params.merge_margin,
        params.min_cohesion,
    )
    keep = components.counts >= params.min_size
    keep &= components.cohesions() >= params.min_cohesion
    labels = follow(labels, gone_to, keep)
    return Fit(labels, _measure(shards, labels), acceptance.null)


def _measure(shards: Shards, labels: Indices) -> Components:
    groups = int(labels.max(initial=OUTSIDE)) + 1
    sums = _sum_up(shards, labels, groups)
    cosines = np.zeros(len(labels))
    for part, rows in _parts(shards):
        inside = part[labels[part] >= 0]
        cosines[inside] = cosines_to_others(rows[inside - part[0]], sums[labels[inside]])
    members = labels[labels >= 0]
    counts = np.bincount(members, minlength=groups).astype(np.float64)
    return Components(sums, counts, *cosine_statistics(cosines[labels >= 0], members, counts))


def _sum_up(shards: Shards, labels: Indices, groups: int) -> Doubles:
    sums: Doubles = np.zeros((groups, 1))
    for part, rows in _parts(shards):
        inside = labels[part] >= 0
        sums = sums + sum_up(rows[inside], labels[part][inside], groups)
    return sums


def _parts(shards: Shards) -> Iterator[tuple[Indices, Matrix]]:
    """Each shard with the numbers of its rows."""
    start = 0
    for rows in shards():
        yield np.arange(start, start + len(rows)), rows
        start += len(rows)


def _gather(shards: Shards, places: Indices) -> Matrix:
    """The rows at these places, which are in ascending order."""
    found = []
    for part, rows in _parts(shards):
        first, last = np.searchsorted(places, [part[0], part[-1] + 1])
        found.append(rows[places[first:last] - part[0]])
    return np.vstack(found)


def micro_clusters(rows: Matrix, params: Params) -> Units:
    """Spherical k-means with many small clusters; items far from theirs take no part.

    At most a third as many clusters as rows, so that a cluster is more than one row on average.
    """
    count = min(params.micro_clusters, max(len(rows) // 3, 1))
    generator = np.random.default_rng(params.seed)
    centres = rows[np.sort(generator.choice(len(rows), count, replace=False))]
    nearest = np.zeros(len(rows), dtype=np.int64)
    for _ in range(_MICRO_ITERATIONS):
        nearest = _nearest(rows, centres)
        centres = _centres(rows, nearest, centres)
    return _units(rows, nearest, centres)


def _nearest(rows: Matrix, centres: Matrix) -> Indices:
    parts = [
        (rows[start : start + _ROWS_AT_ONCE] @ centres.T).argmax(axis=1)
        for start in range(0, len(rows), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.int64)


def _centres(rows: Matrix, nearest: Indices, before: Matrix) -> Matrix:
    sums = sum_up(rows, nearest, len(before))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-9), before).astype(np.float32)


def _units(rows: Matrix, nearest: Indices, centres: Matrix) -> Units:
    """Units of the items whose cosine to their centre, times its mean length, is high enough."""
    close = np.einsum("ij,ij->i", rows, centres[nearest])
    sizes = np.maximum(np.bincount(nearest, minlength=len(centres)), 1)
    lengths = np.bincount(nearest, close, len(centres)) / sizes
    taken = close * lengths[nearest] >= _MICRO_LEAST_COSINE
    of = np.full(len(rows), OUTSIDE, dtype=np.int64)
    of[taken] = np.unique(nearest[taken], return_inverse=True)[1]
    groups = summarise(rows, of)
    return Units(groups.sums, groups.counts, of)
