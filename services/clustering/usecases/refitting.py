"""A run that groups everything in a scope anew."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from libs.rpc.filtering import Condition
from libs.rpc.paging import PageRequest
from services.clustering.algorithms.clustering import Clustering, Previous
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.memory import Memory
from services.clustering.algorithms.regroup import Regrouped
from services.clustering.algorithms.stepping import Shift
from services.clustering.algorithms.titles import SAMPLE, Named
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    ScopeState,
    VersionedCluster,
)
from services.clustering.domain.curation import Curation
from services.clustering.domain.draft import Draft
from services.clustering.domain.history import Change
from services.clustering.domain.item import Collection, Item, Modality, modality_of
from services.clustering.domain.regrouping import group_anew
from services.clustering.domain.run import Algorithm
from services.clustering.domain.stats import stats_of
from services.clustering.domain.version import Earlier, describe, diff_of
from services.clustering.ports import Transaction
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.naming import Sample, make_names, noun_of
from services.clustering.usecases.whole import Whole, fetch_whole, groups_now

_ALL = PageRequest(1_000_000)
_STAGED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """The groups of a whole scope, with the items and vectors that they are made of."""

    whole: Whole
    found: Clustering | Regrouped
    missing: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What there was before, what people want, and the locked items that have no vector."""

    earlier: Earlier
    curation: Curation
    others: Mapping[str, Item]
    shown: tuple[Cluster, ...]
    departed: tuple[str, ...]


async def fit_whole(
    worker: Worker, attempt: Attempt, seen: ScopeState, collection: Collection
) -> Fitted:
    """Groups all items of a scope. Raises Cancelled, LeaseLost, FailedPrecondition."""
    run = attempt.run
    whole = await fetch_whole(worker, attempt, collection)
    async with worker.store.read() as tx:
        groups = await groups_now(tx, seen)
        pinned = await tx.people.pinned_keys(seen.scope, seen.version)
    previous = Previous(groups, seen.next_key, pinned)
    await attempt.enter("fit", len(whole.ids))
    found: Clustering | Regrouped
    if run.algorithm is Algorithm.MIXTURE:
        engine = Engine(worker.params)
        found = await worker.pool.run(engine.fit, whole.ids, whole.vectors, previous)
    else:
        found = await worker.pool.run(
            group_anew,
            run.algorithm,
            run.params,
            whole.ids,
            whole.vectors,
            previous,
            worker.params,
            whole.times,
            texts=modality_of(run.scope) is Modality.TEXTS,
        )
    return Fitted(whole, found, len(whole.items) - len(whole.ids))


async def draft_of(
    worker: Worker, attempt: Attempt, seen: ScopeState, collection: Collection, fitted: Fitted
) -> Draft:
    """The version that shows the groups as people want them; its members are staged."""
    whole, found = fitted.whole, fitted.found
    await attempt.enter("describe", len(found.groups))
    async with worker.store.read() as tx:
        gone = set(await tx.items.gone([item.name for item in whole.items.values()]))
        # They are new to the next run, whatever vector of theirs is in the groups.
        gone |= whole.hashes.keys() - await tx.queue.steady(collection.name, whole.hashes)
        items = {point: item for point, item in whole.items.items() if item.name not in gone}
        basis = await _basis(tx, seen, found)
    described = await worker.pool.run(
        describe,
        seen.scope,
        found,
        items,
        basis.earlier,
        worker.clock.now(),
        basis.curation,
        basis.others,
    )
    async with worker.store.read() as tx:
        described, named = await _named(tx, worker, seen, described, basis.curation)
    changes = {
        member.item: Change(
            member.item, entry.cluster.id, member.similarity, member.duplicate_of, member.locked
        )
        for entry in described
        for member in entry.members
    }
    looked_at = {items[point].name for point in whole.ids if point in items}
    outside = {name: Change(name, None) for name in sorted(looked_at - changes.keys())}
    await _stage(worker, attempt, {**changes, **outside})
    memory = await worker.pool.run(_remembered, worker, fitted, items, described)
    members = basis.earlier.members
    diff = diff_of(members, described, basis.shown)
    stats = stats_of(found, items, described, members, refit=True)
    stats = replace(stats, missing=fitted.missing, merged=len(diff.merged), split=len(diff.split))
    return Draft(
        seen=seen,
        collection=collection.name,
        changes={},
        clusters=tuple(entry.cluster for entry in described),
        retired=diff.retired,
        merged={id: heir for id, heir in diff.merged.items() if id in diff.retired},
        diff=diff,
        settled=(),
        departed=basis.departed,
        memory=memory,
        next_key=memory.next_key if memory is not None else _next_key(found),
        stats=stats,
        named=named,
        staged=attempt.run.id,
    )


async def _basis(tx: Transaction, seen: ScopeState, found: Clustering | Regrouped) -> Basis:
    curation = await tx.people.curation(seen.scope, seen.version)
    members = await tx.clusters.member_sets(seen.scope, seen.version)
    heirs = {
        id: frozenset(m.item for m in await tx.clusters.all_members(id, seen.version))
        for id in sorted(set(curation.merged.values()))
    }
    keys = [group.key for group in found.groups]
    there = [Condition("state", "!=", ClusterState.RETIRED)]
    shown = await tx.clusters.list(seen.scope, seen.version, _ALL, there)
    return Basis(
        earlier=Earlier(await tx.clusters.by_keys(seen.scope, keys), members, heirs),
        curation=curation,
        others=await tx.items.many(curation.places),
        shown=tuple(shown.rows),
        departed=tuple(each.item for each in await tx.departures.waiting(seen.scope)),
    )


async def _named(
    tx: Transaction,
    worker: Worker,
    seen: ScopeState,
    described: tuple[VersionedCluster, ...],
    curation: Curation,
) -> tuple[tuple[VersionedCluster, ...], Mapping[str, Named]]:
    """Names for all clusters that people gave none."""
    samples = {
        entry.cluster.id: Sample(
            len(entry.members),
            entry.cluster.title,
            [member.item for member in entry.members[:SAMPLE]],
        )
        for entry in described
        if not entry.cluster.title_pinned and entry.members
    }
    pinned = [entry.cluster.title for entry in described if entry.cluster.title_pinned]
    taken = [*curation.titles, *pinned]
    named = await make_names(tx, worker.pool, seen.scope, samples, noun_of(seen.scope), taken)
    return tuple(
        replace(entry, cluster=replace(entry.cluster, title=named[entry.cluster.id].title))
        if entry.cluster.id in named
        else entry
        for entry in described
    ), named


async def _stage(worker: Worker, attempt: Attempt, changes: Mapping[str, Change]) -> None:
    rows = [*changes.values()]
    async with worker.store.begin() as tx:
        await tx.versions.unstage(attempt.run.id)
        for start in range(0, len(rows), _STAGED_AT_ONCE):
            await tx.versions.stage(attempt.run.id, rows[start : start + _STAGED_AT_ONCE])
        await tx.commit()


def _remembered(
    worker: Worker,
    fitted: Fitted,
    items: Mapping[str, Item],
    described: tuple[VersionedCluster, ...],
) -> Memory | None:
    """The memory of a fit with the places that people want; None if another algorithm was used."""
    found, whole = fitted.found, fitted.whole
    if not isinstance(found, Clustering):
        return None
    at = {
        member.item: "" if entry.cluster.curated else entry.cluster.key
        for entry in described
        for member in entry.members
    }
    labels = found.labels()
    shifts = []
    for row, point in enumerate(whole.ids):
        original = found.duplicates.get(point)
        if original in items:
            continue
        name = items[point].name if point in items else ""
        # A copy of what is gone meanwhile is one no more: it counts from now on.
        before, after = "" if original else labels.get(point, ""), at.get(name, "")
        curated = name in at and not after
        if before != after or curated or point not in items:
            away = curated or point not in items
            shifts.append(Shift(point, whole.vectors[row], before, after, gone=away))
    if not shifts:
        return found.memory
    memory = Engine(worker.params).step(found.memory, [], np.empty((0, 1)), shifts).memory
    return replace(memory, history=found.memory.history)


def _next_key(found: Clustering | Regrouped) -> int:
    return found.memory.next_key if isinstance(found, Clustering) else found.next_key
