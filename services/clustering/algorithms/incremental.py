"""ADD: new items join groups, wait in a pool, found new groups; groups merge. One epoch only."""

import numpy as np

from services.clustering.algorithms.components import OUTSIDE, Acceptance, Components, summarise
from services.clustering.algorithms.linkage import Indices, agglomerate
from services.clustering.algorithms.merging import merge_close
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix
from services.clustering.algorithms.significance import Dendrogram

_BATCH = 256
_NEIGHBOUR_COSINE = 0.25
_NEIGHBOURS_MAX = 1_200


class Online:
    """Groups that grow. ``labels`` (M,) say where each photo is, ``OUTSIDE`` if nowhere.

    Groups are numbered as they were, new ones after them; a group that was merged away stays in
    ``components`` empty, and ``merged`` says where it went. ``joined`` counts the newcomers that a
    group took at once, ``closeness`` adds up their cosines to it.
    """

    def __init__(
        self,
        components: Components,
        labels: Indices,
        pool: Indices,
        pool_rows: Matrix,
        acceptance: Acceptance,
        params: Params,
    ) -> None:
        self.components = components
        self.labels = labels.copy()
        self.merged: dict[int, int] = {}
        self.joined = 0
        self.closeness = 0.0
        self._pool = pool
        self._pool_rows = pool_rows
        self._acceptance = acceptance
        self._params = params

    @property
    def pool(self) -> Indices:
        """The places of those that wait, the oldest first."""
        return self._pool

    def add(self, photos: Indices, rows: Matrix) -> None:
        """Takes in prepared rows; ``photos`` are their places in ``labels``."""
        for start in range(0, len(photos), _BATCH):
            part = slice(start, start + _BATCH)
            touched = self._join(photos[part], rows[part])
            waiting = int((self.labels[photos[part]] == OUTSIDE).sum())
            born = self._found_groups(waiting) if waiting else []
            self._merge(np.array([*touched, *born], dtype=np.int64))

    def _join(self, photos: Indices, rows: Matrix) -> list[int]:
        labels, cosines = self._acceptance.assign(rows, self.components)
        inside = labels >= 0
        self.components = self.components.with_added(labels[inside], rows[inside], cosines[inside])
        self.labels[photos] = labels
        self.joined += int(inside.sum())
        self.closeness += float(cosines[inside].sum())
        newest = slice(-self._params.pool_max, None)
        self._pool = np.append(self._pool, photos[~inside])[newest]
        self._pool_rows = np.vstack([self._pool_rows, rows[~inside]])[newest]
        return [int(label) for label in np.unique(labels[inside])]

    def _found_groups(self, newcomers: int) -> list[int]:
        """Looks for groups around the newest ``newcomers`` of the pool."""
        near = self._neighbourhood(newcomers)
        if len(near) < self._params.min_size:
            return []
        rows = self._pool_rows[near]
        tree = agglomerate(rows, np.ones(len(rows)), self._acceptance.factor)
        labels = Dendrogram(rows.astype(np.float64), np.ones(len(rows)), tree).significant(
            self._acceptance.null,
            len(self._pool),
            self._params.min_size,
            self._params.min_cohesion,
        )
        return self._give_birth(near, labels) if labels.max(initial=OUTSIDE) >= 0 else []

    def _neighbourhood(self, newcomers: int) -> Indices:
        """Places in the pool near any newcomer that has enough company to found a group."""
        cosines = self._pool_rows[-newcomers:] @ self._pool_rows.T
        near = cosines >= _NEIGHBOUR_COSINE
        founders = near.sum(axis=1) >= self._params.min_size
        if not founders.any():
            return np.empty(0, dtype=np.int64)
        closeness = np.where(near, cosines, -1.0)[founders].max(axis=0)
        order = np.argsort(-closeness, kind="stable")[:_NEIGHBOURS_MAX]
        return np.sort(order[closeness[order] > 0])

    def _give_birth(self, near: Indices, labels: Indices) -> list[int]:
        first = len(self.components)
        born = summarise(self._pool_rows[near], labels)
        self.components = self.components.with_born(born)
        inside = labels >= 0
        self._leave_pool(near[inside], labels[inside] + first)
        closest, cosines = self._acceptance.assign(self._pool_rows, self.components)
        joining = np.flatnonzero(closest >= first)
        self.components = self.components.with_added(
            closest[joining], self._pool_rows[joining], cosines[joining]
        )
        self._leave_pool(joining, closest[joining])
        return list(range(first, len(self.components)))

    def _leave_pool(self, places: Indices, labels: Indices) -> None:
        self.labels[self._pool[places]] = labels
        self._pool = np.delete(self._pool, places)
        self._pool_rows = np.delete(self._pool_rows, places, axis=0)

    def _merge(self, touched: Indices) -> None:
        self.components, gone_to = merge_close(
            self.components,
            touched,
            self._acceptance.factor,
            self._params.merge_margin,
            self._params.min_cohesion,
        )
        for gone, kept in gone_to.items():
            self.labels[self.labels == gone] = kept
        self.merged = {old: gone_to.get(new, new) for old, new in self.merged.items()} | gone_to
