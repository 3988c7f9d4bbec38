"""Putting an answer together from a state."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.clustering.algorithms.clustering import Clustering, Group, RefitReason
from services.clustering.algorithms.components import sum_up
from services.clustering.algorithms.identity import compare
from services.clustering.algorithms.items import floats
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.memory import History, Memory, Pool
from services.clustering.algorithms.prep import Matrix, unit
from services.clustering.algorithms.state import State, Texts


def groups_of(ids: Texts, labels: Indices, groups: int) -> list[tuple[str, ...]]:
    """The ids of each group 0..groups-1, in the order of the items."""
    members: list[list[str]] = [[] for _ in range(groups)]
    for item, label in zip(ids.tolist(), labels.tolist(), strict=True):
        if label >= 0:
            members[label].append(item)
    return [tuple(group) for group in members]


def make_answer(
    state: State, before: Mapping[str, Sequence[str]], refit: RefitReason | None
) -> Clustering:
    """The answer that a state stands for; ``before`` are the groups it is compared with."""
    groups = _groups(state)
    names = state.ids[state.leaders].tolist()
    return Clustering(
        groups=groups,
        unclustered=tuple(state.ids[state.labels[state.photo_of] < 0].tolist()),
        duplicates={
            item: names[photo]
            for item, photo in zip(state.ids.tolist(), state.photo_of.tolist(), strict=True)
            if item != names[photo]
        },
        rejected=tuple(state.rejected.tolist()),
        diff=compare(before, {group.key: group.members for group in groups}),
        refit=refit,
        state=state,
        memory=memory_of(state),
    )


def memory_of(state: State) -> Memory:
    """What is to be remembered after a fit."""
    photos = floats(state.vectors)
    inside = np.flatnonzero(state.labels >= 0)
    names = state.ids[state.leaders]
    outside = np.flatnonzero(state.labels < 0)
    outside = outside[np.argsort(names[outside], kind="stable")]
    sums = sum_up(photos[inside], state.labels[inside], len(state.keys))
    return Memory(
        keys=state.keys,
        sums=sums.astype(np.float32),
        components=state.components,
        epoch=state.epoch,
        null=state.null,
        pool=Pool(names[outside], state.vectors[outside], np.zeros(len(outside), dtype=bool)),
        history=History(state.fitted, state.fitted_outside, state.components.closeness),
        next_key=state.next_key,
    )


def _groups(state: State) -> tuple[Group, ...]:
    return make_groups(
        state.ids,
        state.photo_of,
        floats(state.vectors),
        state.labels,
        state.keys.tolist(),
        state.components.cohesions(),
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
