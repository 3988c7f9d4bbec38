"""A new version of the clusters of a scope, from its groups to its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from libs.lease import LeaseLost
from libs.rpc.filtering import Condition
from libs.rpc.paging import PageRequest
from services.clustering.domain.cluster import ClusterState, ScopeState, VersionedCluster
from services.clustering.domain.curation import Curation
from services.clustering.domain.history import Change, Diff, NewVersion, VersionKind
from services.clustering.domain.item import Item
from services.clustering.domain.run import Run, RunState
from services.clustering.domain.stats import stats_of
from services.clustering.domain.version import Earlier, describe, merged_keys
from services.clustering.ports import Transaction
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.grouping import Grouped
from services.clustering.usecases.history import add_version
from services.clustering.usecases.runs import run_name


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
        number = (await tx.clusters.scope(state.scope)).version + 1
        state = replace(state, version=number, memory_version=number)
        run = attempt.succeeded(replace(stats, missing=found.missing), number)
        ended = await tx.ledger.end(run, attempt.lease)
        if ended.state is RunState.SUCCEEDED:
            await add_version(
                tx, await _new_version(tx, worker, run, state, found, basis, described)
            )
        await tx.commit()
    return ended


async def _new_version(
    tx: Transaction,
    worker: Worker,
    run: Run,
    state: ScopeState,
    found: Grouped,
    basis: Basis,
    described: tuple[VersionedCluster, ...],
) -> NewVersion:
    """What of the answer is other than in the newest version."""
    newest, every = state.version - 1, PageRequest(1_000_000)
    there = [Condition("state", "!=", ClusterState.RETIRED)]
    shown = (await tx.clusters.list(state.scope, newest, every, there)).rows
    items = {m.item for c in shown for m in await tx.clusters.all_members(c.id, newest)}
    now = {
        member.item: Change(
            member.item, entry.cluster.id, member.similarity, member.duplicate_of, member.locked
        )
        for entry in described
        for member in entry.members
    }
    merged = merged_keys(basis.earlier.members, described)
    ids = {cluster.key: cluster.id for cluster in shown}
    ids |= {entry.cluster.key: entry.cluster.id for entry in described}
    ended = {cluster.id for cluster in shown} - {entry.cluster.id for entry in described}
    known = {cluster.id for cluster in shown}
    return NewVersion(
        state=state,
        kind=VersionKind.RUN,
        cause=run_name(run.scope, run.id),
        time=worker.clock.now(),
        changes=[*now.values(), *(Change(item, None) for item in items - now.keys())],
        clusters=[entry.cluster for entry in described],
        retired=sorted(ended),
        merged={ids[key]: ids[heir] for key, heir in merged.items() if ids.get(key) in ended},
        diff=Diff(
            born=tuple(e.cluster.id for e in described if e.cluster.id not in known),
            retired=tuple(sorted(ended)),
        ),
        items=run.stats.items,
        duplicates=run.stats.duplicates,
        settled=[item.name for item in basis.items.values()],
        departed=[departure.item for departure in await tx.departures.waiting(state.scope)],
    )


async def _basis(tx: Transaction, state: ScopeState, found: Grouped) -> Basis:
    """What the version is made of, as it is now."""
    scope = state.scope
    before = (await tx.clusters.scope(scope)).version
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
