"""All items of a scope with their vectors, for grouping them anew."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from libs.errors import FailedPrecondition
from services.clustering.domain.cluster import ScopeState
from services.clustering.domain.item import Collection, Item
from services.clustering.domain.run import Run, RunFilter
from services.clustering.ports import Transaction, Vector
from services.clustering.usecases.attempt import Attempt, Worker

# What a worker can hold in memory: 200,000 vectors of 1280 numbers are 1 GB.
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Whole:
    """The items by the id of their vector; ``ids`` and ``vectors`` (n, d) are of those that have
    one, ``times`` say when each came in, in seconds. ``hashes`` are of the texts among them."""

    items: Mapping[str, Item]
    ids: list[str]
    vectors: Vector
    times: list[float]
    hashes: Mapping[str, str]


async def fetch_whole(worker: Worker, attempt: Attempt, collection: Collection) -> Whole:
    """The whole scope of a run, without what waits and its filter leaves waiting. Raises
    FailedPrecondition (TOO_MANY_ITEMS) and Cancelled."""
    async with worker.store.read() as tx:
        left = await _left_waiting(tx, attempt.run, collection)
        there = await tx.items.ready(attempt.run.scope, collection.name)
        ready = [item for item in there if item.name not in left]
        hashes = await tx.queue.hashes(collection.name, [item.name for item in ready])
    if len(ready) > _MOST:
        raise FailedPrecondition(
            f"the scope has {len(ready)} items, and {_MOST} at most can be grouped at once; a run "
            "by the mixture that is no shadow can take all",
            reason="TOO_MANY_ITEMS",
            metadata={"items": str(len(ready)), "most": str(_MOST)},
        )
    items = {item.point_id: item for item in ready}
    await attempt.enter("fetch", len(items))
    ids: list[str] = []
    parts: list[Vector] = []
    async for page_ids, matrix in worker.vectors.of_scope(collection.name, attempt.run.scope):
        # A vector whose item is not (yet, or any more) known has no place in a cluster.
        known = [row for row, point in enumerate(page_ids) if point in items]
        ids += [page_ids[row] for row in known]
        parts.append(matrix[known])
        attempt.advance(len(ids))
    vectors = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    times = [items[id].create_time.timestamp() for id in ids]
    return Whole(items, ids, vectors, times, hashes)


async def _left_waiting(tx: Transaction, run: Run, collection: Collection) -> set[str]:
    if not run.filter:
        return set()
    waiting = await tx.waiting.items(run.scope, collection.name, RunFilter())
    chosen = await tx.waiting.items(run.scope, collection.name, run.filter)
    return {item.name for item in waiting} - {item.name for item in chosen}


async def groups_now(tx: Transaction, remembered: ScopeState) -> dict[str, tuple[str, ...]]:
    """The ids of the vectors in each found cluster of the newest version, by the cluster's key."""
    named = await tx.clusters.member_sets(remembered.scope, remembered.version)
    names = [name for members in named.values() for name in members]
    points = {name: item.point_id for name, item in (await tx.items.many(names)).items()}
    return {
        key: tuple(points[name] for name in members if name in points)
        for key, members in named.items()
    }
