"""A new version of the clusters of a scope, from its groups to its rows."""

from dataclasses import replace

from libs.db.lease import LeaseLost
from services.clustering.domain.cluster import ScopeState
from services.clustering.domain.run import Run, RunState, Stats
from services.clustering.domain.stats import stats_of
from services.clustering.domain.version import Earlier, NewVersion, describe, merged_keys
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.grouping import Grouped
from services.clustering.usecases.membership import drop_members


async def describe_version(
    worker: Worker, attempt: Attempt, remembered: ScopeState, found: Grouped
) -> tuple[NewVersion, Stats]:
    """The version that follows ``remembered``, and what is different in it."""
    scope, clustering = remembered.scope, found.clustering
    await attempt.enter("describe", len(clustering.groups))
    async with worker.store.read() as tx:
        clusters = await tx.clusters.by_keys(scope, [group.key for group in clustering.groups])
        members = await tx.clusters.member_sets(scope, remembered.version)
    now = worker.clock.now()
    described = await worker.pool.run(
        describe, scope, clustering, found.items, Earlier(clusters, members), now
    )
    state = replace(
        remembered,
        version=remembered.version + 1,
        # A key of its own, so that a slower worker cannot write over the memory of a version.
        state_key=f"clustering/{scope}/{attempt.run.id}-{attempt.lease.token}.npz",
        next_key=max(remembered.next_key, clustering.state.next_key),
    )
    version = NewVersion(state, described, merged_keys(members, described))
    return version, stats_of(clustering, described, members, refit=found.refit)


async def write_version(
    worker: Worker, attempt: Attempt, version: NewVersion, stats: Stats, memory: bytes
) -> Run:
    """Ends the run with its version, in one transaction, or without it if it was cancelled.

    Raises LeaseLost.
    """
    await attempt.enter("store", len(version.found))
    key = version.state.state_key
    # Before the version that needs it is committed: a version without its memory starts over.
    await worker.snapshots.save(key, memory)
    try:
        ended = await _commit(worker, attempt, version, stats)
    except LeaseLost:
        await worker.snapshots.forget(key)
        raise
    if ended.state is not RunState.SUCCEEDED:
        await worker.snapshots.forget(key)
    return ended


async def _commit(worker: Worker, attempt: Attempt, version: NewVersion, stats: Stats) -> Run:
    state = version.state
    async with worker.store.begin() as tx:
        # Items may have been deleted since they were read; from here on they stay.
        await tx.items.lock([state.scope])
        gone = await tx.items.gone(version.members)
        run = attempt.succeeded(stats.without(len(gone)), state.version)
        ended = await tx.ledger.end(run, attempt.lease)
        if ended.state is RunState.SUCCEEDED:
            await tx.versions.write(version, worker.keep_versions)
            await drop_members(tx, gone, worker.clock.now())
            tx.announce.clusters_updated(state.scope, state.version)
        await tx.commit()
    return ended
