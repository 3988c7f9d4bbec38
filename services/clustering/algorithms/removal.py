"""Taking items out of a state; sums and counts stay exact."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.components import renumber
from services.clustering.algorithms.items import floats
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.state import State

_LEAST_PHOTOS = 2


def without(state: State, gone: Collection[str]) -> State:
    """The state without these items (unknown ids are no error).

    A photo goes with its last copy; when only its representative goes, the copy with the lowest id
    stands for it. A group left with a single photo is no group any more.
    """
    if not gone:
        return state
    leaving = np.array(sorted(set(gone)), dtype=np.str_)
    state = replace(state, rejected=state.rejected[~np.isin(state.rejected, leaving)])
    kept = ~np.isin(state.ids, leaving)
    if kept.all():
        return state
    photos = np.unique(state.photo_of[kept])
    state = _without_small_groups(_without_members(state, photos))
    return _renumbered(state, kept, photos)


def _without_members(state: State, photos: Indices) -> State:
    """The components without the members that are not among the remaining ``photos``."""
    lost = np.setdiff1d(np.flatnonzero(state.labels >= 0), photos)
    rows = state.epoch.transform(floats(state.vectors[lost]))
    components = state.components.with_removed(state.labels[lost], rows)
    return replace(state, components=components)


def _without_small_groups(state: State) -> State:
    large: npt.NDArray[np.bool_] = state.components.counts >= _LEAST_PHOTOS
    return replace(
        state,
        labels=renumber(state.labels, large),
        keys=state.keys[large],
        components=state.components.take(large),
    )


def _renumbered(state: State, kept: npt.NDArray[np.bool_], photos: Indices) -> State:
    ids, photo_of = state.ids[kept], np.searchsorted(photos, state.photo_of[kept])
    fitted = int((photos < state.fitted).sum())
    return replace(
        state,
        ids=ids,
        photo_of=photo_of,
        leaders=_leaders(state, ids, photo_of, photos),
        vectors=state.vectors[photos],
        labels=state.labels[photos],
        fitted=fitted,
        fitted_outside=round(state.fitted_outside * fitted / max(state.fitted, 1)),
    )


def _leaders(
    state: State, ids: npt.NDArray[np.str_], photo_of: Indices, photos: Indices
) -> Indices:
    """The item that stands for each photo: the same as before where it is still there."""
    order = np.lexsort((ids, photo_of))
    first = order[np.searchsorted(photo_of[order], np.arange(len(photos)))]
    before = state.ids[state.leaders[photos]]
    places = {item: place for place, item in enumerate(ids.tolist())}
    leaders = [
        places.get(item, int(fallback))
        for item, fallback in zip(before.tolist(), first.tolist(), strict=True)
    ]
    return np.array(leaders, dtype=np.int64)
