"""FIT: a whole collection at once, up to a few thousand items."""

from dataclasses import dataclass

import numpy as np

from services.clustering.algorithms.components import (
    OUTSIDE,
    Acceptance,
    Components,
    Null,
    follow,
    renumber,
    summarise,
)
from services.clustering.algorithms.linkage import BayesFactor, Doubles, Indices, agglomerate
from services.clustering.algorithms.merging import merge_close
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix
from services.clustering.algorithms.significance import Dendrogram, within_null


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """``labels`` (n,) 0..K-1 or ``OUTSIDE``, the components they make, the null in use."""

    labels: Indices
    components: Components
    null: Null


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What agglomeration starts from: sums and counts of M units, ``of`` (n,) the unit of each row,
    ``OUTSIDE`` for rows that take no part.
    """

    sums: Doubles
    counts: Doubles
    of: Indices

    @classmethod
    def single(cls, rows: Matrix) -> "Units":
        """Every row a unit."""
        return cls(rows.astype(np.float64), np.ones(len(rows)), np.arange(len(rows)))


def bayes_factor(params: Params) -> BayesFactor:
    """The criterion with these parameters."""
    return BayesFactor(params.granularity, params.count_cap)


def fit_direct(rows: Matrix, pairs: Null, params: Params, population: int | None = None) -> Fit:
    """Groups prepared rows (n, D), n at most a few thousand.

    ``pairs`` is the null of random pairs. ``population`` is the number of items the rows were
    picked from (all, by default): the more there were, the less a coincidence means.
    """
    return fit_units(rows, Units.single(rows), pairs, params, population or len(rows))


def fit_units(rows: Matrix, units: Units, pairs: Null, params: Params, population: int) -> Fit:
    """Groups rows by way of units: agglomerate, keep what is significant, let items choose."""
    tree = agglomerate(units.sums, units.counts, bayes_factor(params))
    taken = units.of >= 0
    null = within_null(rows[taken], tree.labels[units.of[taken]], pairs, params.seed)
    groups = Dendrogram(units.sums, units.counts, tree).significant(
        null, population, params.min_size, params.min_cohesion
    )
    labels = np.where(taken, groups[units.of], OUTSIDE)
    for _ in range(params.refine_passes):
        labels = _refine(rows, labels, Acceptance(bayes_factor(params), null, params.outlier_z))
        labels = _drop(rows, labels, params)
    labels = _at_rest(rows, labels, params)
    return Fit(labels, summarise(rows, labels), null)


def _refine(rows: Matrix, labels: Indices, acceptance: Acceptance) -> Indices:
    return acceptance.assign(rows, summarise(rows, labels), labels)[0]


def _drop(rows: Matrix, labels: Indices, params: Params) -> Indices:
    groups = summarise(rows, labels)
    fit = (groups.counts >= params.min_size) & (groups.cohesions() >= params.min_cohesion)
    return renumber(labels, fit)


def _at_rest(rows: Matrix, labels: Indices, params: Params) -> Indices:
    """Merges what the next update would merge, so that an update with no items changes nothing."""
    groups = summarise(rows, labels)
    merged, gone_to = merge_close(
        groups,
        np.arange(len(groups)),
        bayes_factor(params),
        params.merge_margin,
        params.min_cohesion,
    )
    return follow(labels, gone_to, merged.counts > 0)
