"""Putting an answer together from a state."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.clustering.algorithms.clustering import Clustering, Group, RefitReason
from services.clustering.algorithms.components import sum_up
from services.clustering.algorithms.identity import compare
from services.clustering.algorithms.items import floats
from services.clustering.algorithms.linkage import Doubles, Indices
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
    )


def _groups(state: State) -> tuple[Group, ...]:
    centroids, similarities = _centroids(state)
    cohesions = state.components.cohesions()
    labels = state.labels[state.photo_of]
    groups = []
    for number, key in enumerate(state.keys.tolist()):
        items = np.flatnonzero(labels == number)
        close = similarities[state.photo_of[items]]
        order = np.lexsort((state.ids[items], -close))
        groups.append(
            Group(
                key=key,
                members=tuple(state.ids[items[order]].tolist()),
                similarities=tuple(close[order].tolist()),
                centroid=centroids[number],
                cohesion=float(cohesions[number]),
            )
        )
    return tuple(sorted(groups, key=lambda group: (-len(group.members), len(group.key), group.key)))


def _centroids(state: State) -> tuple[Matrix, Doubles]:
    """(K, d) unit centroids of distinct photos; (M,) each photo's cosine to its own."""
    photos = floats(state.vectors)
    inside = np.flatnonzero(state.labels >= 0)
    owners = state.labels[inside]
    centroids = unit(sum_up(photos[inside], owners, len(state.keys)))
    similarities = np.zeros(len(photos))
    similarities[inside] = np.einsum("ij,ij->i", photos[inside], centroids[owners])
    return centroids, similarities
