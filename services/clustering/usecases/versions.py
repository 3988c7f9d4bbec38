"""Storing what a run found as the next version of its scope."""

from dataclasses import replace

from libs.lease import LeaseLost
from services.clustering.domain.cluster import ScopeState
from services.clustering.domain.draft import Draft
from services.clustering.domain.history import NewVersion, VersionKind
from services.clustering.domain.run import Run, RunState, Stats
from services.clustering.ports import Transaction
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.history import add_version
from services.clustering.usecases.naming import settle_names
from services.clustering.usecases.runs import run_name


class Outdated(Exception):
    """Somebody changed the scope since a draft of its next version was begun."""


async def write_version(worker: Worker, attempt: Attempt, draft: Draft) -> Run:
    """Ends the run with the version that a draft describes, or without one if it was cancelled.

    Raises LeaseLost, and Outdated if people made a version or deleted items in between; nothing is
    stored then.
    """
    await attempt.enter("store", len(draft.changes))
    state = _state(attempt, draft)
    if draft.memory is not None:
        # Before the version that needs it is committed: one without its memory starts over.
        memory = await worker.pool.run(draft.memory.to_bytes)
        await worker.snapshots.save(state.state_key, memory)
    try:
        ended = await _commit(worker, attempt, state, draft)
    except (LeaseLost, Outdated):
        await worker.snapshots.forget(state.state_key)
        raise
    if ended.state is not RunState.SUCCEEDED:
        await worker.snapshots.forget(state.state_key)
    return ended


def _state(attempt: Attempt, draft: Draft) -> ScopeState:
    number = draft.seen.version + 1
    # A key of its own, so that a slower worker cannot write over the memory of a version.
    key = f"clustering/{draft.seen.scope}/{attempt.run.id}-{attempt.lease.token}.npz"
    return replace(
        draft.seen,
        version=number,
        memory_version=number,
        state_key=key if draft.memory is not None else "",
        next_key=max(draft.seen.next_key, draft.next_key),
        collection=draft.collection,
    )


async def _commit(worker: Worker, attempt: Attempt, state: ScopeState, draft: Draft) -> Run:
    async with worker.store.begin() as tx:
        # From here on nobody deletes items of the scope or edits its clusters.
        await tx.items.lock([state.scope])
        now = await tx.clusters.scope(state.scope)
        if (now.version, now.erasures) != (draft.seen.version, draft.seen.erasures):
            raise Outdated
        if await tx.leavers.within(state.scope) - draft.leaving:
            raise Outdated
        stats = await _counted(tx, state, draft)
        await add_version(
            tx,
            NewVersion(
                state=state,
                kind=VersionKind.RUN,
                cause=run_name(state.scope, attempt.run.id),
                time=worker.clock.now(),
                changes=[*draft.changes.values()],
                clusters=draft.clusters,
                retired=draft.retired,
                merged=draft.merged,
                diff=draft.diff,
                items=stats.items,
                duplicates=stats.duplicates,
                settled=draft.settled,
                departed=draft.departed,
                staged=draft.staged,
            ),
        )
        if draft.staged:
            await tx.versions.unstage(draft.staged)
        await settle_names(tx, state.scope, draft.named, draft.changed, draft.retired)
        run = attempt.succeeded(await _totals(tx, state.scope, stats), state.version)
        ended = await attempt.end(tx, run)
        if ended.state is RunState.SUCCEEDED:
            await tx.commit()
            return ended
    return await attempt.cancel()


async def _counted(tx: Transaction, state: ScopeState, draft: Draft) -> Stats:
    """The statistics with the numbers of items, as they will be."""
    standing = await tx.waiting.standing(state.scope, state.collection)
    stats = replace(
        draft.stats,
        missing=standing.missing + draft.stats.missing,
        quarantined=standing.quarantined,
        failed_embeddings=standing.failed_embeddings,
    )
    if draft.copies is None:
        return stats
    copies = await tx.waiting.copies(state.scope)
    return replace(
        stats,
        items=standing.grouped + len(draft.settled),
        duplicates=copies + draft.copies,
    )


async def _totals(tx: Transaction, scope: str, stats: Stats) -> Stats:
    newest = await tx.versions.newest(scope)
    clustered, clusters = (newest.clustered, newest.clusters) if newest else (0, 0)
    return replace(
        stats,
        clustered=clustered,
        unclustered=max(stats.items - clustered, 0),
        clusters=clusters,
    )
