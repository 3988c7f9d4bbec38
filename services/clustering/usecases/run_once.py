"""One clustering run, from its row to the new version. Knows nothing of Celery."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from libs.aio import BlockingPool
from libs.clock import Clock
from libs.db.lease import Lease, kept
from libs.errors import ColonnadeError, Internal, InvalidArgument
from services.clustering.algorithms.clustering import Clustering, Previous
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.state import State
from services.clustering.domain.cluster import FoundCluster, ScopeState
from services.clustering.domain.item import Item
from services.clustering.domain.run import Mode, Run, RunState, Stats
from services.clustering.domain.version import Earlier, describe
from services.clustering.ports import RunLedger, Snapshots, Store, Vector, Vectors

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a run needs of the world."""

    ledger: RunLedger
    store: Store
    vectors: Vectors
    snapshots: Snapshots
    pool: BlockingPool
    clock: Clock
    params: Params
    owner: str


@dataclass(slots=True)
class _Work:
    """A run that is being worked on, and how far it has come."""

    run: Run
    lease: Lease
    done: int = 0
    total: int = 0
    phase: str = ""


class _Cancelled(Exception):
    """Somebody asked to stop the run."""


async def run_clustering_once(worker: Worker, run_id: str) -> Run | None:
    """Does the run and answers it as it ended; None if there was nothing to do.

    Killed at any point, it leaves the former version in place and the row to the next worker. A
    worker that was too slow loses its lease and writes nothing (LeaseLost).
    """
    taken = await worker.ledger.take(run_id, worker.owner)
    if taken is None:
        return None
    work = _Work(*taken)
    async with kept(lambda: _beat(worker, work)):
        try:
            return await _run(worker, work)
        except _Cancelled:
            ended = replace(work.run, state=RunState.CANCELLED)
        except ColonnadeError as error:
            ended = _failed(work.run, error)
        except Exception as error:
            ended = _failed(work.run, Internal(f"the run broke off: {type(error).__name__}"))
            await worker.ledger.finish(ended, work.lease, (), None)
            raise
        return await worker.ledger.finish(ended, work.lease, (), None)


def _failed(run: Run, error: ColonnadeError) -> Run:
    return replace(
        run, state=RunState.FAILED, error_reason=error.reason, error_message=error.message
    )


async def _beat(worker: Worker, work: _Work) -> None:
    run = await worker.ledger.heartbeat(work.run.id, work.lease, work.done, work.total, work.phase)
    work.run = run


async def _enter(worker: Worker, work: _Work, phase: str, total: int) -> None:
    work.phase, work.done, work.total = phase, 0, total
    await _beat(worker, work)
    if work.run.state is RunState.CANCELLING:
        raise _Cancelled


async def _run(worker: Worker, work: _Work) -> Run:
    started = perf_counter()
    scope = work.run.scope
    await _enter(worker, work, "read", 0)
    async with worker.store.read() as tx:
        remembered = await tx.clusters.scope(scope)
        collection = await tx.collections.newest()
        items = await tx.items.ready(scope, collection.name) if collection else []
        missing = await tx.items.count_pending(scope)
    if collection is None:
        stats = Stats(missing=missing, noop=True)
        return await _finish(worker, work, stats, (), None, started)
    if remembered.collection != collection.name:
        remembered = replace(remembered, state_key="")  # other vectors: nothing to go on from
    by_point = {item.point_id: item for item in items}
    params = replace(worker.params, near_duplicate=collection.duplicate_threshold)
    answer = await _group(worker, work, Engine(params), collection.name, remembered, by_point)
    if answer is None:
        stats = await _unchanged(worker, scope, items, missing)
        return await _finish(worker, work, stats, (), None, started)
    clustering, refit = answer
    await _enter(worker, work, "describe", len(clustering.groups))
    earlier = await _earlier(worker, scope, remembered.version)
    found = await worker.pool.run(
        describe, scope, clustering, by_point, earlier, worker.clock.now()
    )
    await _enter(worker, work, "store", len(found))
    state = await _remember(worker, remembered, collection.name, clustering)
    stats = _count(clustering, found, earlier, missing, refit)
    return await _finish(worker, work, stats, found, state, started)


async def _group(
    worker: Worker,
    work: _Work,
    engine: Engine,
    collection: str,
    remembered: ScopeState,
    by_point: dict[str, Item],
) -> tuple[Clustering, bool] | None:
    """The groups and whether all was grouped anew; None if nothing has changed."""
    state = await _load(worker, remembered)
    known = {*state.ids.tolist(), *state.rejected.tolist()} if state else set()
    fresh = sorted(by_point.keys() - known)
    gone = sorted(known - by_point.keys())
    if state is not None and not fresh and not gone and work.run.mode is not Mode.REFIT:
        return None
    await _enter(worker, work, "fetch", len(by_point))
    if state is None:
        ids, vectors = await _all_vectors(worker, work, collection, work.run.scope, by_point)
        await _enter(worker, work, "fit", len(ids))
        previous = await _previous(worker, remembered)
        return await worker.pool.run(engine.fit, ids, vectors, previous), True
    ids, vectors = await worker.vectors.of_points(collection, fresh)
    await _enter(worker, work, "fit", len(ids))
    clustering = await worker.pool.run(engine.update, state, ids, vectors, gone)
    if clustering.refit is None and work.run.mode is not Mode.REFIT:
        return clustering, False
    return await worker.pool.run(engine.refit, clustering.state), True


async def _load(worker: Worker, remembered: ScopeState) -> State | None:
    """The engine's memory; None when there is none, or it can no longer be read."""
    if not remembered.state_key:
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
    worker: Worker, work: _Work, collection: str, scope: str, by_point: Mapping[str, Item]
) -> tuple[list[str], Vector]:
    ids: list[str] = []
    parts: list[Vector] = []
    async for page_ids, matrix in worker.vectors.of_scope(collection, scope):
        # A vector whose item is not (yet, or any more) known has no place in a cluster.
        known = [row for row, point in enumerate(page_ids) if point in by_point]
        ids += [page_ids[row] for row in known]
        parts.append(matrix[known])
        work.done = len(ids)
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
    return Previous(groups, remembered.next_key)


async def _earlier(worker: Worker, scope: str, version: int) -> Earlier:
    async with worker.store.read() as tx:
        clusters = await tx.clusters.ever(scope)
        members = await tx.clusters.member_sets(scope, version)
    return Earlier(clusters, members)


async def _remember(
    worker: Worker, remembered: ScopeState, collection: str, clustering: Clustering
) -> ScopeState:
    """Saves the engine's memory before the version that needs it is committed."""
    version = remembered.version + 1
    data = await worker.pool.run(clustering.state.to_bytes)
    key = await worker.snapshots.save(remembered.scope, version, data)
    return ScopeState(
        remembered.scope,
        version,
        key,
        max(remembered.next_key, clustering.state.next_key),
        collection,
    )


async def _unchanged(worker: Worker, scope: str, items: Sequence[Item], missing: int) -> Stats:
    async with worker.store.read() as tx:
        remembered = await tx.clusters.scope(scope)
        members = await tx.clusters.member_sets(scope, remembered.version)
    clustered = sum(len(names) for names in members.values())
    return Stats(
        items=len(items),
        clustered=clustered,
        unclustered=len(items) - clustered,
        clusters=len(members),
        missing=missing,
        noop=True,
    )


def _count(
    clustering: Clustering,
    found: Sequence[FoundCluster],
    earlier: Earlier,
    missing: int,
    refit: bool,
) -> Stats:
    now = {c.cluster.key: frozenset(m.item for m in c.members) for c in found}
    before = {key: frozenset(names) for key, names in earlier.members.items()}
    clustered = sum(len(names) for names in now.values())
    outside = len(clustering.unclustered) + len(clustering.rejected)
    return Stats(
        items=clustered + outside,
        clustered=clustered,
        unclustered=outside,
        duplicates=len(clustering.duplicates),
        clusters=len(now),
        born=len(now.keys() - before.keys()),
        updated=sum(before[key] != now[key] for key in now.keys() & before.keys()),
        retired=len(before.keys() - now.keys()),
        missing=missing,
        refit=refit,
    )


async def _finish(
    worker: Worker,
    work: _Work,
    stats: Stats,
    found: Sequence[FoundCluster],
    state: ScopeState | None,
    started: float,
) -> Run:
    millis = round((perf_counter() - started) * 1000)
    run = replace(
        work.run,
        state=RunState.SUCCEEDED,
        stats=replace(stats, duration_millis=millis),
        version=state.version if state else 0,
        phase="done",
        done=stats.items,
        total=stats.items,
    )
    return await worker.ledger.finish(run, work.lease, found, state)
