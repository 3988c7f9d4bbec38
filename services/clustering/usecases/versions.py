"""A new version of the clusters of a scope, from its groups to its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from libs.lease import LeaseLost
from services.clustering.domain.cluster import ScopeState, VersionedCluster
from services.clustering.domain.curation import Curation
from services.clustering.domain.item import Item
from services.clustering.domain.run import Run, RunState
from services.clustering.domain.stats import stats_of
from services.clustering.domain.version import Earlier, NewVersion, describe, merged_keys
from services.clustering.ports import Transaction
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.grouping import Grouped


@dataclass(frozen=True, slots=True)
class Basis:
    """What a version is made of besides the groups: the items that exist, what there was before,
    what people decided, and locked items that the engine does not know."""

    items: Mapping[str, Item]
    earlier: Earlier
    curation: Curation
    others: Mapping[str, Item]

    def is_still(self, now: "Basis") -> bool:
        """Whether the same version is made of it."""
        return (
            self.items.keys() == now.items.keys()
            and self.earlier.clusters == now.earlier.clusters
            and self.curation == now.curation
            and self.others.keys() == now.others.keys()
        )


async def write_version(
    worker: Worker, attempt: Attempt, remembered: ScopeState, found: Grouped
) -> Run:
    """Ends the run with the version that follows ``remembered``, or without one if it was
    cancelled. Raises LeaseLost."""
    state = replace(
        remembered,
        version=remembered.version + 1,
        # A key of its own, so that a slower worker cannot write over the memory of a version.
        state_key=f"clustering/{remembered.scope}/{attempt.run.id}-{attempt.lease.token}.npz",
        next_key=max(remembered.next_key, found.clustering.state.next_key),
    )
    await attempt.enter("describe", len(found.clustering.groups))
    async with worker.store.read() as tx:
        basis = await _basis(tx, state, found)
    described = await _described(worker, state, found, basis)
    await attempt.enter("store", len(described))
    # Before the version that needs it is committed: a version without its memory starts over.
    memory = await worker.pool.run(found.clustering.state.to_bytes)
    await worker.snapshots.save(state.state_key, memory)
    try:
        ended = await _commit(worker, attempt, state, found, basis, described)
    except LeaseLost:
        await worker.snapshots.forget(state.state_key)
        raise
    if ended.state is not RunState.SUCCEEDED:
        await worker.snapshots.forget(state.state_key)
    return ended


async def _commit(
    worker: Worker,
    attempt: Attempt,
    state: ScopeState,
    found: Grouped,
    before: Basis,
    described: tuple[VersionedCluster, ...],
) -> Run:
    async with worker.store.begin() as tx:
        # From here on nobody deletes items of the scope or edits its clusters. Where somebody did
        # since the version was described, it is described again.
        await tx.items.lock([state.scope])
        basis = await _basis(tx, state, found)
        if not before.is_still(basis):
            described = await _described(worker, state, found, basis)
        members = basis.earlier.members
        stats = stats_of(found.clustering, basis.items, described, members, refit=found.refit)
        run = attempt.succeeded(replace(stats, missing=found.missing), state.version)
        ended = await tx.ledger.end(run, attempt.lease)
        if ended.state is RunState.SUCCEEDED:
            version = NewVersion(state, described, merged_keys(members, described))
            await tx.versions.write(version, worker.keep_versions)
            tx.announce.clusters_updated(state.scope, state.version)
        await tx.commit()
    return ended


async def _basis(tx: Transaction, state: ScopeState, found: Grouped) -> Basis:
    """What the version is made of, as it is now."""
    scope, before = state.scope, state.version - 1
    gone = set(await tx.items.gone([item.name for item in found.items.values()]))
    keys = [group.key for group in found.clustering.groups]
    members = await tx.clusters.member_sets(scope, before)
    curation = await tx.people.curation(scope, before)
    return Basis(
        items={point: item for point, item in found.items.items() if item.name not in gone},
        earlier=Earlier(await tx.clusters.by_keys(scope, keys), members),
        curation=curation,
        others=await tx.items.many(curation.places),
    )


async def _described(
    worker: Worker, state: ScopeState, found: Grouped, basis: Basis
) -> tuple[VersionedCluster, ...]:
    return await worker.pool.run(
        describe,
        state.scope,
        found.clustering,
        basis.items,
        basis.earlier,
        worker.clock.now(),
        basis.curation,
        basis.others,
    )
