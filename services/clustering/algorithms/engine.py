"""The engine as its users see it: fit a collection, then keep it up to date."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.answer import Whole, groups_of, make_answer
from services.clustering.algorithms.clustering import (
    Clustering,
    Membership,
    Previous,
    RefitReason,
)
from services.clustering.algorithms.collapse import collapse
from services.clustering.algorithms.components import Null
from services.clustering.algorithms.fit import Fit, bayes_factor, fit_direct
from services.clustering.algorithms.identity import carry_keys
from services.clustering.algorithms.items import Items, floats, read_items, texts
from services.clustering.algorithms.large import fit_large
from services.clustering.algorithms.membership import responsibilities
from services.clustering.algorithms.memory import Memory, numbers_of
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Epoch, Matrix, fit_epoch, unit
from services.clustering.algorithms.stepping import Shift, Step, outgrown, take_step

_SHARD = 20_000


class Engine:
    """Groups unit vectors without being told how many groups there are.

    Pure and deterministic: the answer depends on the ids and vectors, never on their order.
    Takes processor time (about 0.5 s for 2,000 items); run it in a pool of threads.
    """

    def __init__(self, params: Params | None = None) -> None:
        self._params = params or Params()

    def fit(
        self,
        ids: Sequence[str],
        vectors: npt.ArrayLike,
        previous: Previous | None = None,
    ) -> Clustering:
        """Clusters the whole collection; groups that live on keep their keys of ``previous``.

        ``vectors`` is (n, d), row i belongs to ``ids[i]``, of any length but zero.
        Raises InvalidArgument for repeated ids and wrong shapes.
        """
        return self._fit(read_items(ids, vectors), previous or Previous({}, next_key=1))

    def step(
        self,
        memory: Memory,
        ids: Sequence[str],
        vectors: npt.ArrayLike,
        shifts: Sequence[Shift] = (),
    ) -> Step:
        """Goes on from what is remembered: first what went or was moved, then distinct newcomers.

        Copies of other items are not given: they weigh nothing and are where their photo is.
        Raises InvalidArgument for repeated ids, wrong shapes and vectors of another dimension.
        """
        return take_step(memory, read_items(ids, vectors), shifts, self._params)

    def responsibilities(
        self, memory: Memory, vectors: npt.ArrayLike, best: int = 5, own: Sequence[str] = ()
    ) -> list[Membership]:
        """For each vector how likely it belongs to which groups, the ``best`` of them.

        ``own`` are the keys of the groups in which the vectors are counted, '' for none: their own
        vote is left out.
        """
        units = unit(vectors)
        if not len(memory.keys):
            return [Membership({}, 1.0)] * len(units)
        rows = memory.epoch.transform(units)
        numbers = numbers_of(memory.keys, own) if own else None
        found = responsibilities(rows, memory.components, bayes_factor(self._params), best, numbers)
        return [
            Membership(dict(zip(memory.keys[groups].tolist(), shares.tolist(), strict=True)), alone)
            for groups, shares, alone in zip(*found[:2], found[2].tolist(), strict=True)
        ]

    def outgrown(self, memory: Memory, coming: int, going: int) -> RefitReason | None:
        """Why a full fit is due when so many photos more come and go, if one is."""
        return outgrown(memory.history, self._params, coming, going)

    def _fit(self, items: Items, previous: Previous) -> Clustering:
        units = floats(items.vectors)
        leader_of = collapse(
            units, self._params.near_duplicate, self._params.direct_max, self._params.seed
        )
        leaders, photo_of = np.unique(leader_of, return_inverse=True)
        photos = units[leaders]
        epoch = fit_epoch(photos, self._params.dimensions, self._params.seed)
        found = self._group(photos, epoch)
        members = groups_of(items.ids, found.labels[photo_of], len(found.components))
        keys, next_key = carry_keys(members, previous)
        whole = Whole(
            items=items,
            photo_of=photo_of.astype(np.int64),
            leaders=leaders.astype(np.int64),
            fit=found,
            keys=texts(keys),
            epoch=epoch,
            next_key=next_key,
        )
        return make_answer(whole, previous.groups)

    def _group(self, photos: Matrix, epoch: Epoch) -> Fit:
        pairs = Null(epoch.null_mean, epoch.null_sd)
        if len(photos) <= self._params.direct_max:
            return fit_direct(epoch.transform(photos), pairs, self._params)

        def shards() -> Iterator[Matrix]:
            for start in range(0, len(photos), _SHARD):
                yield epoch.transform(photos[start : start + _SHARD])

        return fit_large(shards, len(photos), pairs, self._params)


def previous_of(clustering: Clustering, pinned: frozenset[str] = frozenset()) -> Previous:
    """An answer as the past of the next fit."""
    groups = {group.key: group.members for group in clustering.groups}
    return Previous(groups, clustering.memory.next_key, pinned)
