"""Putting an answer together from what a fit found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.clustering.algorithms.clustering import Clustering, Group
from services.clustering.algorithms.components import sum_up
from services.clustering.algorithms.fit import Fit
from services.clustering.algorithms.identity import compare
from services.clustering.algorithms.items import Items, floats
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.memory import History, Memory, Pool, Texts
from services.clustering.algorithms.prep import Epoch, Matrix, unit


def groups_of(ids: Texts, labels: Indices, groups: int) -> list[tuple[str, ...]]:
    """The ids of each group 0..groups-1, in the order of the items."""
    members: list[list[str]] = [[] for _ in range(groups)]
    for item, label in zip(ids.tolist(), labels.tolist(), strict=True):
        if label >= 0:
            members[label].append(item)
    return [tuple(group) for group in members]


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A collection and its groups.

    N items are M distinct photos and their copies, in K groups. ``photo_of`` (N,) is the photo of
    each item, ``leaders`` (M,) the item that stands for each photo; ``fit`` has the group of each
    photo, ``keys`` (K,) name these.
    """

    items: Items
    photo_of: Indices
    leaders: Indices
    fit: Fit
    keys: Texts
    epoch: Epoch
    next_key: int


def make_answer(whole: Whole, before: Mapping[str, Sequence[str]]) -> Clustering:
    """The answer; ``before`` are the groups it is compared with."""
    ids, labels = whole.items.ids, whole.fit.labels
    photos = floats(whole.items.vectors[whole.leaders])
    cohesions = whole.fit.components.cohesions()
    groups = make_groups(ids, whole.photo_of, photos, labels, whole.keys.tolist(), cohesions)
    names = ids[whole.leaders].tolist()
    return Clustering(
        groups=groups,
        unclustered=tuple(ids[labels[whole.photo_of] < 0].tolist()),
        duplicates={
            item: names[photo]
            for item, photo in zip(ids.tolist(), whole.photo_of.tolist(), strict=True)
            if item != names[photo]
        },
        rejected=tuple(whole.items.rejected.tolist()),
        diff=compare(before, {group.key: group.members for group in groups}),
        memory=_memory(whole, photos),
    )


def _memory(whole: Whole, photos: Matrix) -> Memory:
    """What is to be remembered; of the photos outside, the newest by their ids come last."""
    labels, components = whole.fit.labels, whole.fit.components
    inside, outside = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    leaders = whole.leaders[outside]
    sums = sum_up(photos[inside], labels[inside], len(whole.keys))
    return Memory(
        keys=whole.keys,
        sums=sums.astype(np.float32),
        components=components,
        epoch=whole.epoch,
        null=whole.fit.null,
        pool=Pool(
            whole.items.ids[leaders],
            whole.items.vectors[leaders],
            np.zeros(len(leaders), dtype=bool),
        ),
        history=History(len(labels), len(outside), components.closeness),
        next_key=whole.next_key,
    )


def make_groups(
    ids: Texts,
    photo_of: Indices,
    photos: Matrix,
    labels: Indices,
    keys: Sequence[str],
    cohesions: Doubles,
) -> tuple[Group, ...]:
    """The groups, the largest first: ``photo_of`` (N,) is the photo of each item, ``photos`` (M, d)
    its unit vector, ``labels`` (M,) its group; ``keys`` and ``cohesions`` (K,) are the groups'.
    """
    centroids, similarities = _centroids(photos, labels, len(keys))
    of_items = labels[photo_of]
    groups = []
    for number, key in enumerate(keys):
        items = np.flatnonzero(of_items == number)
        close = similarities[photo_of[items]]
        order = np.lexsort((ids[items], -close))
        groups.append(
            Group(
                key=key,
                members=tuple(ids[items[order]].tolist()),
                similarities=tuple(close[order].tolist()),
                centroid=centroids[number],
                cohesion=float(cohesions[number]),
            )
        )
    return tuple(sorted(groups, key=lambda group: (-len(group.members), len(group.key), group.key)))


def _centroids(photos: Matrix, labels: Indices, groups: int) -> tuple[Matrix, Doubles]:
    """(K, d) unit centroids of distinct photos; (M,) each photo's cosine to its own."""
    inside = np.flatnonzero(labels >= 0)
    owners = labels[inside]
    centroids = unit(sum_up(photos[inside], owners, groups))
    similarities = np.zeros(len(photos))
    similarities[inside] = np.einsum("ij,ij->i", photos[inside], centroids[owners])
    return centroids, similarities
