"""One step: what came, what went or was moved by people, and what follows for the groups.

It costs as much as there is new, and as there are groups; never as there are items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from libs.errors import InvalidArgument
from services.clustering.algorithms.clustering import RefitReason
from services.clustering.algorithms.components import OUTSIDE, Acceptance, Components
from services.clustering.algorithms.fit import bayes_factor
from services.clustering.algorithms.incremental import Online
from services.clustering.algorithms.items import Items, floats, texts
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.memory import History, Memory, Pool, Texts, numbers_of
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix, unit

_LEAST_PHOTOS = 2
_ENOUGH_NEWCOMERS = 50


@dataclass(frozen=True, slots=True)
class Shift:
    """A distinct photo that went, or that people moved, from one group to another.

    ``before`` and ``after`` are keys, empty for no group. One that is ``gone`` is in none and does
    not wait for one either.
    """

    id: str
    vector: npt.NDArray[np.float32]
    before: str
    after: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The group of a photo, and the cosine to its centroid in the space of the model."""

    key: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Touched:
    """A group that a step changed: its distinct photos, and their mean cosine to the centroid."""

    count: int
    cohesion: float


@dataclass(frozen=True, slots=True)
class Step:
    """The answer of a step.

    ``places`` are those of the newcomers and of photos of the pool that a group took; newcomers
    that none took are ``outside``, or ``rejected`` where their vector is zero or not finite.
    ``touched`` are the groups, born ones included, whose photos changed. ``merged`` maps a key that
    ended to that of the group that has its members now; ``retired`` ended with fewer than two
    photos. ``refit`` tells why a full fit is due, if one is.
    """

    memory: Memory
    places: Mapping[str, Place]
    outside: tuple[str, ...]
    rejected: tuple[str, ...]
    touched: Mapping[str, Touched]
    born: tuple[str, ...]
    merged: Mapping[str, str]
    retired: tuple[str, ...]
    refit: RefitReason | None


def take_step(memory: Memory, items: Items, shifts: Sequence[Shift], params: Params) -> Step:
    """Raises InvalidArgument for vectors of another dimension than the memory's."""
    _require_same(memory, items)
    if memory.history.fitted < params.min_size:
        outside = tuple(items.ids.tolist())
        return Step(
            memory, {}, outside, tuple(items.rejected.tolist()), {}, (), {}, (), RefitReason.SMALL
        )
    shifted, moved, retired = _shifted(memory, shifts)
    online, candidates = _run(shifted, items, params)
    after = _grown(shifted, online, candidates, len(items.ids))
    labels, keys = online.labels, _keys_of(shifted, online)
    alive = set(after.keys.tolist())
    changed = {*keys[labels[labels >= 0]].tolist(), *keys[[*online.merged.values()]].tolist()}
    newcomers = slice(len(candidates) - len(items.ids), None)
    return Step(
        memory=after,
        places=_places(after, candidates, keys, labels),
        outside=tuple(candidates.ids[newcomers][labels[newcomers] < 0].tolist()),
        rejected=tuple(items.rejected.tolist()),
        touched=_touched(after, sorted((changed | moved) & alive)),
        born=tuple(key for key in keys[len(shifted.keys) :].tolist() if key in alive),
        merged={
            str(keys[gone]): str(keys[kept])
            for gone, kept in online.merged.items()
            if gone < len(shifted.keys)
        },
        retired=retired,
        refit=refit_due(after.history, params),
    )


def outgrown(
    history: History, params: Params, coming: int = 0, going: int = 0
) -> RefitReason | None:
    """Whether a full fit is due by numbers alone, when so many more come and go."""
    changed = history.came + history.left + coming + going
    photos = history.fitted + history.came + coming
    if changed and (photos <= params.first_fit or history.fitted < params.min_size):
        return RefitReason.SMALL
    factor = params.growth_when_small if photos < params.small_below else params.growth
    return RefitReason.GROWTH if changed > (factor - 1.0) * history.fitted else None


def refit_due(history: History, params: Params) -> RefitReason | None:
    """Whether and why a full fit is due.

    The collection has changed by the growth factor, or what came since the fit is of another kind:
    more of it stays outside, by ``pool_share_max``, than of what was fitted, or what a group took
    is less close to it, by a share of ``drift_max``.
    """
    if (reason := outgrown(history, params)) is not None:
        return reason
    if history.came < _ENOUGH_NEWCOMERS:
        return None
    if history.strangers > params.pool_share_max:
        return RefitReason.POOL
    return RefitReason.DRIFT if history.estrangement > params.drift_max else None


def _require_same(memory: Memory, items: Items) -> None:
    known, given = memory.dimensions, items.vectors.shape[1]
    if known and len(items.ids) and known != given:
        raise InvalidArgument.of(
            "vectors",
            f"have {given} dimensions but the clustering was made with {known}; "
            "run a full fit with vectors of one model",
        )


def _shifted(memory: Memory, shifts: Sequence[Shift]) -> tuple[Memory, set[str], tuple[str, ...]]:
    """The memory after the shifts, the keys whose photos changed, and those that ended by it."""
    if not shifts:
        return memory, set(), ()
    units = unit(np.stack([shift.vector for shift in shifts])).astype(np.float16)
    memory = _with_missing_keys(memory, shifts)
    before = numbers_of(memory.keys, [shift.before for shift in shifts])
    after = numbers_of(memory.keys, [shift.after for shift in shifts])
    rows, photos = memory.epoch.transform(floats(units)), floats(units)
    left, joined = before >= 0, after >= 0
    components = memory.components.with_removed(before[left], rows[left])
    components = components.with_moved_in(after[joined], rows[joined])
    sums = memory.sums.copy()
    np.subtract.at(sums, before[left], photos[left])
    np.add.at(sums, after[joined], photos[joined])
    alive = components.counts >= _LEAST_PHOTOS
    waiting = [place for place, s in enumerate(shifts) if not (s.after or s.gone)]
    history = memory.history
    moved = replace(
        memory,
        keys=memory.keys[alive],
        sums=sums[alive],
        components=components.take(alive),
        pool=_pool_after(memory.pool, shifts, units, waiting),
        history=replace(history, left=history.left + len(shifts)),
    )
    keys = {shift.before for shift in shifts} | {shift.after for shift in shifts}
    return moved, keys - {""}, tuple(memory.keys[~alive].tolist())


def _with_missing_keys(memory: Memory, shifts: Sequence[Shift]) -> Memory:
    """With empty groups for keys that are there again, as after a step back."""
    wanted = sorted({shift.after for shift in shifts if shift.after})
    missing = [key for key, n in zip(wanted, numbers_of(memory.keys, wanted), strict=True) if n < 0]
    if not missing:
        return memory
    usual = memory.components
    count, width = len(missing), memory.epoch.basis.shape[1]
    mean = float(np.median(usual.means)) if len(usual) else 0.5
    spread = float(np.median(usual.deviations)) if len(usual) else 0.1
    empty = Components(
        np.zeros((count, width)), np.zeros(count), np.full(count, mean), np.full(count, spread)
    )
    return replace(
        memory,
        keys=np.append(memory.keys, texts(missing)),
        sums=np.vstack([memory.sums, np.zeros((count, memory.dimensions), np.float32)]),
        components=usual.with_born(empty),
    )


def _pool_after(
    pool: Pool, shifts: Sequence[Shift], units: npt.NDArray[np.float16], waiting: list[int]
) -> Pool:
    kept = pool.take(~np.isin(pool.ids, [shift.id for shift in shifts]))
    if not waiting:
        return kept
    return Pool(
        np.append(kept.ids, texts([shifts[place].id for place in waiting])),
        np.vstack([kept.vectors, units[waiting]]) if len(kept) else units[waiting],
        np.append(kept.fresh, np.zeros(len(waiting), dtype=bool)),
    )


def _run(memory: Memory, items: Items, params: Params) -> tuple[Online, Pool]:
    """Offers the newcomers to the groups; candidates are the pool and then the newcomers."""
    # What is given again is no longer what the pool knows.
    pool = memory.pool.take(~np.isin(memory.pool.ids, items.ids)).newest(params.pool_max)
    candidates = Pool(
        np.append(pool.ids, items.ids),
        np.vstack([pool.vectors, items.vectors]) if len(items.ids) else pool.vectors,
        np.append(pool.fresh, np.ones(len(items.ids), dtype=bool)),
    )
    rows = memory.epoch.transform(floats(candidates.vectors))
    online = Online(
        memory.components,
        np.full(len(candidates), OUTSIDE, dtype=np.int64),
        np.arange(len(pool)),
        rows[: len(pool)],
        Acceptance(bayes_factor(params), memory.null, params.outlier_z),
        params,
    )
    online.add(np.arange(len(pool), len(candidates)), rows[len(pool) :])
    return online, candidates


def _keys_of(memory: Memory, online: Online) -> Texts:
    """The keys of all groups there were or came; those born get keys never used before."""
    born = len(online.components) - len(memory.keys)
    minted = [f"g{memory.next_key + number}" for number in range(born)]
    return np.append(memory.keys, texts(minted))


def _grown(memory: Memory, online: Online, candidates: Pool, came: int) -> Memory:
    keys, labels = _keys_of(memory, online), online.labels
    sums = np.zeros((len(keys), memory.sums.shape[1]), np.float32)
    sums[: len(memory.keys)] = memory.sums
    for gone, kept in online.merged.items():
        sums[kept] += sums[gone]
    inside = labels >= 0
    np.add.at(sums, labels[inside], floats(candidates.vectors[inside]))
    alive = online.components.counts > 0
    return replace(
        memory,
        keys=keys[alive],
        sums=sums[alive],
        components=online.components.take(alive),
        pool=candidates.take(online.pool),
        history=_history(memory.history, online, candidates, came),
        next_key=memory.next_key + len(keys) - len(memory.keys),
    )


def _history(before: History, online: Online, candidates: Pool, came: int) -> History:
    inside = online.labels >= 0
    newcomers = slice(len(candidates) - came, None)
    waited = slice(len(candidates) - came)
    found = int((candidates.fresh[waited] & inside[waited]).sum())
    return replace(
        before,
        came=before.came + came,
        came_outside=before.came_outside + int((~inside[newcomers]).sum()) - found,
        joined=before.joined + online.joined,
        joined_closeness=before.joined_closeness + online.closeness,
    )


def _places(memory: Memory, candidates: Pool, keys: Texts, labels: Indices) -> dict[str, Place]:
    inside = np.flatnonzero(labels >= 0)
    names = keys[labels[inside]].tolist()
    numbers = numbers_of(memory.keys, names)
    photos: Matrix = floats(candidates.vectors[inside])
    used, which = np.unique(numbers, return_inverse=True)
    cosines = np.einsum("ij,ij->i", photos, memory.centroids(used)[which])
    return {
        item: Place(key, float(cosine))
        for item, key, cosine in zip(
            candidates.ids[inside].tolist(), names, cosines.tolist(), strict=True
        )
    }


def _touched(memory: Memory, keys: Sequence[str]) -> dict[str, Touched]:
    numbers = numbers_of(memory.keys, keys)
    counts = memory.components.counts[numbers]
    lengths = np.linalg.norm(memory.sums[numbers].astype(np.float64), axis=1)
    return {
        key: Touched(round(count), min(float(length / count), 1.0))
        for key, count, length in zip(keys, counts.tolist(), lengths.tolist(), strict=True)
    }
