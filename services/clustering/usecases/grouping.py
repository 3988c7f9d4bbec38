"""Grouping the items of a scope: what is remembered, what came and went, the engine's answer."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from libs.errors import InvalidArgument
from services.clustering.algorithms.clustering import Clustering, Previous
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.state import State
from services.clustering.domain.cluster import ScopeState
from services.clustering.domain.item import Collection, Item
from services.clustering.domain.run import Mode
from services.clustering.ports import Vector
from services.clustering.usecases.attempt import Attempt, Worker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grouped:
    """New groups, the items by the id of their vector, how many had none, and whether everything
    was grouped anew."""

    clustering: Clustering
    items: Mapping[str, Item]
    missing: int
    refit: bool


@dataclass(frozen=True, slots=True)
class Unchanged:
    """There is nothing to group that was not grouped before; ``clusters`` are all of the scope,
    ``clustered`` the items in them."""

    state: State
    missing: int
    clusters: int
    clustered: int


async def group_items(
    worker: Worker, attempt: Attempt, remembered: ScopeState, collection: Collection
) -> Grouped | Unchanged:
    """Groups the items of a scope, going on from what is remembered where that can be used."""
    params = replace(worker.params, near_duplicate=collection.duplicate_threshold)
    async with worker.store.read() as tx:
        ready = await tx.items.ready(remembered.scope, collection.name)
    items = {item.point_id: item for item in ready}
    state = await _memory(worker, remembered, collection)
    if state is None:
        return await _fit(worker, attempt, Engine(params), remembered, collection, items)
    return await _update(worker, attempt, Engine(params), remembered, state, collection, items)


async def _fit(
    worker: Worker,
    attempt: Attempt,
    engine: Engine,
    remembered: ScopeState,
    collection: Collection,
    items: Mapping[str, Item],
) -> Grouped:
    await attempt.enter("fetch", len(items))
    ids, vectors = await _all_vectors(worker, attempt, collection, items)
    previous = await _previous(worker, remembered)
    await attempt.enter("fit", len(ids))
    clustering = await worker.pool.run(engine.fit, ids, vectors, previous)
    return Grouped(clustering, items, len(items) - len(ids), refit=True)


async def _update(
    worker: Worker,
    attempt: Attempt,
    engine: Engine,
    remembered: ScopeState,
    state: State,
    collection: Collection,
    items: Mapping[str, Item],
) -> Grouped | Unchanged:
    known = {*state.ids.tolist(), *state.rejected.tolist()}
    fresh, gone = sorted(items.keys() - known), sorted(known - items.keys())
    await attempt.enter("fetch", len(fresh))
    ids, vectors = await worker.vectors.of_points(collection.name, fresh)
    missing = len(fresh) - len(ids)
    refit = attempt.run.mode is Mode.REFIT
    if not (ids or gone or refit):
        async with worker.store.read() as tx:
            totals = await tx.clusters.totals(remembered.scope, remembered.version)
        return Unchanged(state, missing, *totals)
    pinned = await _pinned(worker, remembered)
    await attempt.enter("fit", len(items))
    clustering = await worker.pool.run(engine.update, state, ids, vectors, gone, pinned)
    if refit or clustering.refit is not None:
        clustering, refit = await worker.pool.run(engine.refit, clustering.state, pinned), True
    return Grouped(clustering, items, missing, refit)


async def _memory(worker: Worker, remembered: ScopeState, collection: Collection) -> State | None:
    """The engine's memory; None when there is none, it is of other vectors, or unreadable."""
    if not remembered.state_key or remembered.collection != collection.name:
        return None
    data = await worker.snapshots.load(remembered.state_key)
    if data is None:
        return None
    try:
        return await worker.pool.run(State.from_bytes, data)
    except InvalidArgument:
        log.warning("the memory of %s cannot be read; grouping anew", remembered.scope)
        return None


async def _all_vectors(
    worker: Worker, attempt: Attempt, collection: Collection, items: Mapping[str, Item]
) -> tuple[list[str], Vector]:
    ids: list[str] = []
    parts: list[Vector] = []
    async for page_ids, matrix in worker.vectors.of_scope(collection.name, attempt.run.scope):
        # A vector whose item is not (yet, or any more) known has no place in a cluster.
        known = [row for row, point in enumerate(page_ids) if point in items]
        ids += [page_ids[row] for row in known]
        parts.append(matrix[known])
        attempt.advance(len(ids))
    return ids, np.concatenate(parts) if parts else np.empty((0, 1), np.float32)


async def _previous(worker: Worker, remembered: ScopeState) -> Previous:
    """The groups of the newest version, for carrying their keys over to a fit."""
    async with worker.store.read() as tx:
        named = await tx.clusters.member_sets(remembered.scope, remembered.version)
        names = [name for members in named.values() for name in members]
        points = {name: item.point_id for name, item in (await tx.items.many(names)).items()}
    groups = {
        key: tuple(points[name] for name in members if name in points)
        for key, members in named.items()
    }
    return Previous(groups, remembered.next_key, await _pinned(worker, remembered))


async def _pinned(worker: Worker, remembered: ScopeState) -> frozenset[str]:
    """The keys that are carried over before all others: people decided something about these."""
    async with worker.store.read() as tx:
        return await tx.people.pinned_keys(remembered.scope, remembered.version)
