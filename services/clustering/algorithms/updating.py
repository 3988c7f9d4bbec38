"""One update: a state, items that came, items that went; the next answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from libs.errors import InvalidArgument
from services.clustering.algorithms.answer import make_answer
from services.clustering.algorithms.clustering import Clustering
from services.clustering.algorithms.collapse import Leaders
from services.clustering.algorithms.components import OUTSIDE, Acceptance, renumber
from services.clustering.algorithms.fit import bayes_factor
from services.clustering.algorithms.incremental import Online, refit_due
from services.clustering.algorithms.items import Items, floats, texts
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.removal import without
from services.clustering.algorithms.state import State


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """A state without what went, and the items to add to it."""

    state: State
    items: Items

    @classmethod
    def of(cls, state: State, items: Items, removed: Collection[str]) -> "Update":
        """Removal happens first, so that an id given again is replaced.

        Raises InvalidArgument for vectors of another dimension than the state's.
        """
        known, given = state.vectors.shape[1], items.vectors.shape[1]
        if len(state.ids) and len(items.ids) and known != given:
            raise InvalidArgument.of(
                "vectors",
                f"have {given} dimensions but the clustering was made with {known}; "
                "run a full fit with vectors of one model",
            )
        replaced = [*items.ids.tolist(), *items.rejected.tolist()]
        state = without(state, {*removed, *replaced})
        return cls(replace(state, rejected=np.append(state.rejected, items.rejected)), items)

    @property
    def photos(self) -> int:
        """At most this many photos there will be."""
        return len(self.state.leaders) + len(self.items.ids)

    def everything(self) -> Items:
        """All items there will be, for a full fit."""
        return contents(self.state, self.items)

    def run(self, before: Mapping[str, Sequence[str]], params: Params) -> Clustering:
        """The incremental way; ``before`` are the groups that the answer is compared with."""
        grown, newcomers = self._grown(params.near_duplicate)
        online = _online(grown, newcomers, params)
        state = _with_groups(grown, online)
        reason = refit_due(state.labels, state.fitted, state.fitted_outside, params)
        return make_answer(state, before, reason)

    def _grown(self, near_duplicate: float) -> tuple[State, Indices]:
        """The state with the new items, in no group yet, and the numbers of the new photos."""
        state, items = self.state, self.items
        leaders = Leaders(floats(state.vectors), near_duplicate)
        found = leaders.add(floats(items.vectors)) if len(items.ids) else state.leaders[:0]
        first, fresh = len(state.leaders), leaders.positions[len(state.leaders) :]
        grown = replace(
            state,
            ids=np.append(state.ids, items.ids),
            photo_of=np.append(state.photo_of, found),
            leaders=np.append(state.leaders, len(state.ids) + fresh),
            vectors=np.vstack([state.vectors, items.vectors[fresh]])
            if len(fresh)
            else state.vectors,
            labels=np.append(state.labels, np.full(len(fresh), OUTSIDE, dtype=np.int64)),
        )
        return grown, np.arange(first, first + len(fresh))


def contents(state: State, items: Items | None = None) -> Items:
    """What a state holds, with more items, sorted by id; copies have their photo's vector."""
    ids, vectors = state.ids, state.vectors[state.photo_of]
    if items is not None and len(items.ids):
        ids = np.append(ids, items.ids)
        vectors = np.vstack([vectors, items.vectors]) if len(vectors) else items.vectors
    order = np.argsort(ids, kind="stable")
    return Items(ids[order], vectors[order], state.rejected)


def _online(state: State, newcomers: Indices, params: Params) -> Online:
    """The groups of a state after the new photos were offered to them."""
    acceptance = Acceptance(bayes_factor(params), state.null, params.outlier_z)
    known = state.labels[: len(state.labels) - len(newcomers)]
    pool = np.flatnonzero(known == OUTSIDE)[-params.pool_max :]
    online = Online(
        state.components,
        state.labels,
        pool,
        state.epoch.transform(floats(state.vectors[pool])),
        acceptance,
        params,
    )
    online.add(newcomers, state.epoch.transform(floats(state.vectors[newcomers])))
    return online


def _with_groups(state: State, online: Online) -> State:
    """The state with the groups as they are now; those born get keys never used before."""
    born = len(online.components) - len(state.keys)
    minted = [f"g{state.next_key + number}" for number in range(born)]
    alive = online.components.counts > 0
    return replace(
        state,
        labels=renumber(online.labels, alive),
        keys=np.append(state.keys, texts(minted))[alive],
        components=online.components.take(alive),
        next_key=state.next_key + born,
    )
