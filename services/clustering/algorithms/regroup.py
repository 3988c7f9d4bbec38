"""Grouping a whole collection anew, by any algorithm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from libs.errors import FailedPrecondition
from services.clustering.algorithms.answer import groups_of, make_groups
from services.clustering.algorithms.clustering import Diff, Group, Previous
from services.clustering.algorithms.collapse import collapse
from services.clustering.algorithms.components import OUTSIDE, renumber, summarise
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.identity import carry_keys, compare
from services.clustering.algorithms.items import Rows, read_rows
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.others.port import GroupingAlgorithm
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix, fit_epoch, unit


@dataclass(frozen=True, slots=True)
class Regrouped:
    """Groups with keys carried over from before; the fields are those of Clustering.

    There is no memory to go on from: what follows has to begin with a fit.
    """

    groups: tuple[Group, ...]
    unclustered: tuple[str, ...]
    duplicates: Mapping[str, str]
    rejected: tuple[str, ...]
    diff: Diff
    next_key: int


def regroup(
    algorithm: GroupingAlgorithm,
    ids: Sequence[str],
    vectors: npt.ArrayLike,
    previous: Previous,
    params: Params,
    times: Sequence[float] | None = None,
) -> Regrouped:
    """Groups the collection by another algorithm than the mixture.

    Copies are told by ``params`` and go where the one goes that stands for them. ``times`` say when
    each item came in, for algorithms that go by that; without them the ids tell. Nothing is grouped
    where there are fewer than ``min_size`` distinct items. Takes processor time. Raises
    InvalidArgument for repeated ids and wrong shapes, FailedPrecondition (TOO_MANY_ITEMS) if the
    algorithm cannot take so many.
    """
    rows = read_rows(ids, vectors)
    units = unit(rows.vectors)
    leader_of = collapse(units, params.near_duplicate, params.direct_max, params.seed)
    leaders, photo_of = np.unique(leader_of, return_inverse=True)
    labels = np.full(len(leaders), OUTSIDE, dtype=np.int64)
    if len(leaders) >= params.min_size:
        _require_few(algorithm, len(leaders))
        order = _order(rows, ids, leaders, times)
        labels[order] = algorithm.group(units[leaders][order], params.seed)
    labels = _large_enough(labels, algorithm.least)
    return _answer(rows, units[leaders], leaders, photo_of, labels, previous, params)


def regroup_by_mixture(
    ids: Sequence[str], vectors: npt.ArrayLike, previous: Previous, params: Params
) -> Regrouped:
    """The same by the mixture."""
    found = Engine(params).fit(ids, vectors, previous)
    return Regrouped(
        found.groups,
        found.unclustered,
        found.duplicates,
        found.rejected,
        found.diff,
        found.memory.next_key,
    )


def _require_few(algorithm: GroupingAlgorithm, items: int) -> None:
    if items > algorithm.most:
        raise FailedPrecondition(
            f"this algorithm can group {algorithm.most} distinct items at most and there are "
            f"{items}; the mixture can",
            reason="TOO_MANY_ITEMS",
            metadata={"items": str(items), "most": str(algorithm.most)},
        )


def _order(
    rows: Rows, ids: Sequence[str], leaders: Indices, times: Sequence[float] | None
) -> Indices:
    """Which of the distinct items came first, second, …; the id decides between equals."""
    if times is None:
        return np.arange(len(leaders))
    of_id = dict(zip(ids, times, strict=True))
    came = np.array([of_id[item] for item in rows.ids[leaders].tolist()])
    return np.argsort(came, kind="stable")


def _large_enough(labels: Indices, least: int) -> Indices:
    """The labels over groups of enough items, numbered in the order of their first item."""
    counts = np.bincount(labels[labels >= 0])
    labels = renumber(labels, counts >= least)
    found, first = np.unique(labels[labels >= 0], return_index=True)
    ranks = np.empty(len(found), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(found))
    return np.append(ranks, OUTSIDE)[labels]


def _answer(
    rows: Rows,
    photos: Matrix,
    leaders: Indices,
    photo_of: Indices,
    labels: Indices,
    previous: Previous,
    params: Params,
) -> Regrouped:
    of_items = labels[photo_of]
    members = groups_of(rows.ids, of_items, int(labels.max(initial=OUTSIDE)) + 1)
    keys, next_key = carry_keys(members, previous)
    cohesions = _cohesions(photos, labels, params)
    groups = make_groups(rows.ids, photo_of, photos, labels, keys, cohesions)
    names = rows.ids[leaders]
    stand_ins = names[photo_of]
    copies = np.flatnonzero(stand_ins != rows.ids)
    return Regrouped(
        groups=groups,
        unclustered=tuple(rows.ids[of_items < 0].tolist()),
        duplicates=dict(zip(rows.ids[copies].tolist(), stand_ins[copies].tolist(), strict=True)),
        rejected=tuple(rows.rejected.tolist()),
        diff=compare(previous.groups, {group.key: group.members for group in groups}),
        next_key=next_key,
    )


def _cohesions(photos: Matrix, labels: Indices, params: Params) -> Doubles:
    """Mean pairwise cosine of the members of each group, after centring."""
    if len(photos) == 0:
        return np.zeros(0)
    rows = fit_epoch(photos, params.dimensions, params.seed).transform(photos)
    return summarise(rows, labels).cohesions()
