"""FIT for collections too large to compare all pairs: sample, micro-clusters, a second look.

Rows are seen in shards, in any order, and never all held. The sample shows only the larger groups;
those it missed are found in a second round among a sample of the rows that no group accepted. The
steps are functions of their own, so that the shards may be worked on anywhere.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from services.clustering.algorithms.components import (
    OUTSIDE,
    Acceptance,
    Components,
    Null,
    cosines_to_others,
    follow,
    sum_up,
    summarise,
)
from services.clustering.algorithms.fit import Fit, Units, bayes_factor, fit_direct, fit_units
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.merging import merge_close
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix
from services.clustering.algorithms.reservoir import Ranks, lowest, ranks_of
from services.clustering.algorithms.tally import Moments, Tally

Shards = Callable[[], Iterable[Matrix]]

_MICRO_ITERATIONS = 6
_MICRO_LEAST_COSINE = 0.25
_POOL_SHARE_FOR_MORE = 0.05
_ROWS_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a shard must know for its rows to choose their groups."""

    components: Components
    acceptance: Acceptance

    def choose(self, rows: Matrix, labels: Indices) -> Indices:
        """(n,) the groups of prepared rows; those that have one keep it."""
        waiting = np.flatnonzero(labels == OUTSIDE)
        chosen = labels.copy()
        chosen[waiting] = self.acceptance.assign(rows[waiting], self.components)[0]
        return chosen


def first_model(rows: Matrix, pairs: Null, params: Params, population: int) -> Model:
    """The groups that a sample of a population shows."""
    fit = _fit_sample(rows, pairs, params, population)
    acceptance = Acceptance(bayes_factor(params), fit.null, params.outlier_z)
    return Model(fit.components, acceptance)


def rounds_of(outside: int, total: int, params: Params) -> int:
    """How often to look again after ``outside`` of all rows found no group."""
    return params.rounds if outside > _POOL_SHARE_FOR_MORE * total else 1


def further_model(model: Model, rows: Matrix, params: Params, population: int) -> Model | None:
    """The model with the groups among a sample of the rows outside; None if there are none."""
    if len(rows) < params.min_size:
        return None
    found = _fit_sample(rows, model.acceptance.null, params, population)
    if len(found.components) == 0:
        return None
    return Model(model.components.with_born(found.components), model.acceptance)


def settled(tally: Tally, acceptance: Acceptance, params: Params) -> tuple[Indices, Tally]:
    """Where each group of all shards together ends, ``OUTSIDE`` for small and loose ones, and the
    groups that are left; close ones are merged."""
    groups = len(tally.counts)
    unknown = np.zeros(groups)
    merged, gone_to = merge_close(
        Components(tally.sums, tally.counts, unknown, unknown),
        np.arange(groups),
        acceptance.factor,
        params.merge_margin,
        params.min_cohesion,
    )
    keep = (merged.counts >= params.min_size) & (merged.cohesions() >= params.min_cohesion)
    places = follow(np.arange(groups), gone_to, keep)
    return places, tally.moved(places, int(keep.sum()))


def moments_of(rows: Matrix, labels: Indices, tally: Tally) -> Moments:
    """How near the labelled rows of a shard are to the others of their groups."""
    inside = labels >= 0
    cosines = cosines_to_others(rows[inside], tally.sums[labels[inside]])
    return Moments.of(cosines, labels[inside], len(tally.counts))


def fit_large(shards: Shards, total: int, pairs: Null, params: Params) -> Fit:
    """Groups ``total`` prepared rows; each call of ``shards`` streams them anew, in one order."""
    ranks = ranks_of(np.arange(total, dtype=np.uint64), params.seed)
    sample = _gather(shards, lowest(ranks, params.sample))
    model = first_model(sample, pairs, params, total)
    labels = _chosen(shards, np.full(total, OUTSIDE, dtype=np.int64), model)
    for _ in range(rounds_of(int((labels == OUTSIDE).sum()), total, params)):
        if (more := _second_look(shards, labels, model, ranks, params)) is None:
            break
        model = more
        labels = _chosen(shards, labels, model)
    groups = len(model.components)
    found = Tally.empty(groups, sample.shape[1])
    for part, rows in _parts(shards):
        found += Tally.of(rows, labels[part], groups)
    places, left = settled(found, model.acceptance, params)
    labels = np.append(places, OUTSIDE)[labels]
    return Fit(labels, _measured(shards, labels, left), model.acceptance.null)


def _chosen(shards: Shards, labels: Indices, model: Model) -> Indices:
    return np.concatenate([model.choose(rows, labels[part]) for part, rows in _parts(shards)])


def _second_look(
    shards: Shards, labels: Indices, model: Model, ranks: Ranks, params: Params
) -> Model | None:
    outside = np.flatnonzero(labels == OUTSIDE)
    if len(outside) == 0:
        return None
    rows = _gather(shards, outside[lowest(ranks[outside], params.sample)])
    return further_model(model, rows, params, len(outside))


def _measured(shards: Shards, labels: Indices, tally: Tally) -> Components:
    nothing = np.zeros(len(tally.counts))
    moments = Moments(nothing, nothing, nothing)
    for part, rows in _parts(shards):
        moments += moments_of(rows, labels[part], tally)
    return moments.components(tally)


def _fit_sample(rows: Matrix, pairs: Null, params: Params, population: int) -> Fit:
    if len(rows) <= params.direct_max:
        return fit_direct(rows, pairs, params, population)
    return fit_units(rows, micro_clusters(rows, params), pairs, params, population)


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
