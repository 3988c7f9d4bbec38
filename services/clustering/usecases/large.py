"""A refit of a scope that is too large for memory: from its shards to its new version.

No item passes through here but the most central ones of each group, which name it and stand for it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from libs.ids import uuid7
from libs.lease import LeaseLost
from libs.rpc.filtering import Condition
from libs.rpc.paging import PageRequest
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.stepping import Shift
from services.clustering.algorithms.titles import Named
from services.clustering.domain.carrying import Carried, carry_over
from services.clustering.domain.cluster import Cluster, ClusterState, Member, ScopeState
from services.clustering.domain.curation import Curation
from services.clustering.domain.history import Diff, NewVersion, VersionKind
from services.clustering.domain.item import Collection as Vectors
from services.clustering.domain.item import Item, modality_of
from services.clustering.domain.moves import Move, moves_of
from services.clustering.domain.run import Run, RunState, Stats
from services.clustering.domain.shard import Placed, Spot
from services.clustering.domain.version import choose_hero
from services.clustering.ports import Transaction, Vector
from services.clustering.ports.intake import Standing
from services.clustering.usecases.attempt import Attempt, Worker
from services.clustering.usecases.history import add_version
from services.clustering.usecases.naming import Sample, due_names, make_names, settle_names
from services.clustering.usecases.runs import run_name
from services.clustering.usecases.shards import LargeFit, fit_in_shards, forget_shards

# The members of a group that are looked at for its title and its hero.
_CENTRAL = 50
# Clusters whose members are in memory at once.
_AT_ONCE = 100
_EVERY = PageRequest(1_000_000)


async def regroup_large(
    worker: Worker, attempt: Attempt, collection: Vectors, standing: Standing
) -> Run:
    """Groups everything in the scope of a run anew and ends the run with the version that comes of
    it. ``standing`` tells of what has no vector. Raises Cancelled, LeaseLost, Unavailable."""
    run = attempt.run
    fit = await fit_in_shards(worker, attempt, collection)
    try:
        ended = await _Regrouping(worker, attempt, collection, fit, standing).run()
    except LeaseLost:
        raise
    except Exception:
        await _forget(worker, run)
        raise
    await _forget(worker, run)
    return ended


async def _forget(worker: Worker, run: Run) -> None:
    await forget_shards(worker, run.scope, run.id)
    async with worker.store.begin() as tx:
        await tx.versions.unstage(run.id)
        await tx.commit()


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the version is made of besides the groups: what stands, and what people decided."""

    version: int
    erasures: int
    carried: Carried
    known: Mapping[str, Cluster]
    shown: Sequence[Cluster]
    curation: Curation


@dataclass(frozen=True, slots=True)
class _Described:
    """The clusters of the groups by id, the id for each group, that for each key, the new names,
    by how many members each cluster changed, and the spots of what may be elsewhere than its group,
    with the vectors of what is gone."""

    clusters: Mapping[str, Cluster]
    homes: Mapping[int, str]
    ids: Mapping[str, str]
    named: Mapping[str, Named]
    changed: Mapping[str, int]
    spots: Sequence[Spot]
    gone: Mapping[str, Vector]


class _Regrouping:
    """One large refit after its groups are known."""

    def __init__(
        self,
        worker: Worker,
        attempt: Attempt,
        collection: Vectors,
        fit: LargeFit,
        standing: Standing,
    ) -> None:
        self._worker = worker
        self._attempt = attempt
        self._collection = collection
        self._fit = fit
        self._standing = standing
        self._scope, self._run_id = attempt.run.scope, attempt.run.id
        self._state_key = f"clustering/{self._scope}/{self._run_id}-{attempt.lease.token}.npz"
        self._committing = False

    async def run(self) -> Run:
        """Ends the run, with a new version unless it was cancelled."""
        await self._attempt.enter("describe", len(self._fit.members))
        async with self._worker.store.begin() as tx:
            basis = await self._basis(tx, await self._carried(tx))
            described = await self._described(tx, basis)
            await tx.commit()
        await self._stage(described)
        await self._attempt.enter("write", self._fit.items)
        # Before the version that needs it is committed: a version without its memory starts over.
        await self._remember(basis, described)
        try:
            ended = await self._commit(basis, described, basis.carried.next_key)
        except BaseException:
            # A commit that was broken off may have been done all the same.
            if not self._committing:
                await self._worker.snapshots.forget(self._state_key)
            raise
        if ended.state is not RunState.SUCCEEDED:
            await self._worker.snapshots.forget(self._state_key)
        return ended

    async def _carried(self, tx: Transaction) -> Carried:
        state = await tx.clusters.scope(self._scope)
        return carry_over(
            self._fit.members.tolist(),
            await tx.placements.overlaps(self._run_id, self._scope),
            await tx.placements.standing(self._scope),
            state.next_key,
            await tx.people.pinned_keys(self._scope, state.version),
        )

    async def _basis(self, tx: Transaction, carried: Carried) -> _Basis:
        state = await tx.clusters.scope(self._scope)
        there = [Condition("state", "!=", ClusterState.RETIRED)]
        return _Basis(
            version=state.version,
            erasures=state.erasures,
            carried=carried,
            known=await tx.clusters.by_keys(self._scope, carried.keys),
            shown=(await tx.clusters.list(self._scope, state.version, _EVERY, there)).rows,
            curation=await tx.people.curation(self._scope, state.version),
        )

    async def _described(self, tx: Transaction, basis: _Basis) -> _Described:
        now = self._worker.clock.now()
        # They are new to the next run, whatever vector of theirs is in the groups.
        await tx.placements.note_changes(self._run_id, self._collection.name)
        heirs, homes, ids = _homes(self._scope, basis, now)
        groups: dict[str, list[int]] = defaultdict(list)
        for group, id in homes.items():
            groups[id].append(group)
        central = await self._central(tx, heirs, basis, homes)
        closeness = await tx.placements.closeness(self._run_id)
        changed: dict[str, int] = defaultdict(int)
        for group, key in enumerate(basis.carried.keys):
            changed[homes[group]] += basis.carried.changed[key]
        clusters = {}
        for start in range(0, len(heirs), _AT_ONCE):
            part = [*heirs][start : start + _AT_ONCE]
            names = {member.item for id in part for member in central[id]}
            items = await tx.items.many(names)
            for id in part:
                nearness = [closeness[group] for group in groups[id]]
                clusters[id] = _with_hero(
                    heirs[id], central[id], items, nearness, basis.curation, now
                )
        named = await self._named(tx, clusters, central, groups, changed, basis.curation)
        for id, name in named.items():
            clusters[id] = replace(clusters[id], title=name.title)
        curation = basis.curation
        wanted = {
            *curation.places,
            *(item for those in curation.refused.values() for item in those),
        }
        spots = await tx.placements.spots(self._run_id, wanted)
        left = await tx.departures.waiting(self._scope)
        gone = {each.point_id: each.vector for each in left if each.vector is not None}
        return _Described(clusters, homes, ids, named, changed, spots, gone)

    async def _central(
        self,
        tx: Transaction,
        heirs: Mapping[str, Cluster],
        basis: _Basis,
        homes: Mapping[int, str],
    ) -> dict[str, list[Member]]:
        """The members of each cluster that may name it and stand for it, the most central first."""
        wanted = [c.hero.item for c in heirs.values() if c.hero] + [
            c.pinned_hero for c in heirs.values() if c.pinned_hero
        ]
        placed = {
            each.item: each
            for each in [
                *await tx.placements.central(self._run_id, _CENTRAL),
                *await tx.placements.of_items(self._run_id, wanted),
            ]
        }
        members: dict[str, list[Member]] = {id: [] for id in heirs}
        places, refused = basis.curation.places, basis.curation.refused
        for each in sorted(placed.values(), key=_most_central_first):
            id = homes[each.group]
            if each.item not in places and each.item not in refused.get(id, ()):
                members[id].append(Member(each.item, each.similarity, len(members[id]) + 1))
        for id, locked in basis.curation.locked.items():
            if id in members:
                members[id] += [replace(member, similarity=None) for member in locked]
        return members

    async def _named(
        self,
        tx: Transaction,
        clusters: Mapping[str, Cluster],
        central: Mapping[str, Sequence[Member]],
        groups: Mapping[str, Sequence[int]],
        changed: Mapping[str, int],
        curation: Curation,
    ) -> dict[str, Named]:
        free = {id: changed[id] for id, cluster in clusters.items() if not cluster.title_pinned}
        due = await due_names(tx, free)
        wanted = {
            id: Sample(
                int(sum(self._fit.members[group] for group in groups[id])),
                clusters[id].title,
                [member.item for member in central[id]],
            )
            for id in clusters
            if id in due
        }
        taken = curation.titles | {c.title for id, c in clusters.items() if id not in due}
        noun = modality_of(self._scope).value
        return await make_names(tx, self._worker.pool, self._scope, wanted, noun, taken)

    async def _remember(self, basis: _Basis, described: _Described) -> None:
        """Stores the memory of the version: the fit's, with everything where the version has it."""
        worker, fit, homes = self._worker, self._fit, described.homes
        clusters = {**basis.curation.clusters, **described.clusters}
        keys = {id: "" if each.curated else each.key for id, each in clusters.items()}
        groups = [keys[homes[group]] for group in range(len(fit.members))]
        memory = fit.memory(groups, basis.carried.next_key)
        moves = moves_of(described.spots, groups, homes, keys, basis.curation, fit.pool_ids)
        if moves:
            vectors = await self._vectors(moves, described.gone)
            shifts = [
                Shift(move.point_id, vectors[move.point_id], move.before, move.after, move.gone)
                for move in moves
            ]
            engine = Engine(worker.params)
            shifted = await worker.pool.run(engine.step, memory, [], np.empty((0, 1)), shifts)
            memory = replace(shifted.memory, history=memory.history)
        data = await worker.pool.run(memory.to_bytes)
        await worker.snapshots.save(self._state_key, data)

    async def _vectors(
        self, moves: Sequence[Move], gone: Mapping[str, Vector]
    ) -> Mapping[str, Vector]:
        """The vectors of what is moved; the centre of its group for what nobody has one of."""
        fit = self._fit
        vectors = {**dict(zip(fit.pool_ids, fit.pool, strict=True)), **gone}
        asked = sorted({move.point_id for move in moves} - vectors.keys())
        there = await self._worker.vectors.of_points(self._collection.name, asked)
        vectors |= dict(zip(*there, strict=True))
        return {
            move.point_id: vectors.get(move.point_id, fit.centroids[move.group]) for move in moves
        }

    async def _stage(self, described: _Described) -> None:
        async with self._worker.store.begin() as tx:
            await tx.versions.unstage(self._run_id)
            await tx.placements.stage(self._run_id, described.homes)
            await tx.commit()

    async def _commit(self, basis: _Basis, described: _Described, next_key: int) -> Run:
        async with self._worker.store.begin() as tx:
            # From here on nobody deletes items of the scope or edits its clusters. Where somebody
            # did since the version was described, it is described again.
            await tx.items.lock([self._scope])
            scope = await tx.clusters.scope(self._scope)
            if (scope.version, scope.erasures) != (basis.version, basis.erasures):
                basis = await self._basis(tx, basis.carried)
                described = await self._described(tx, basis)
                await tx.versions.unstage(self._run_id)
                await tx.placements.stage(self._run_id, described.homes)
                await self._remember(basis, described)
            number = scope.version + 1
            state = replace(
                scope,
                version=number,
                memory_version=number,
                state_key=self._state_key,
                next_key=max(scope.next_key, next_key),
                collection=self._collection.name,
            )
            departures = await tx.departures.waiting(self._scope)
            new = self._new_version(state, basis, described, [d.item for d in departures])
            shown = await add_version(tx, new)
            gone = set(new.retired)
            changed = {id: n for id, n in described.changed.items() if id not in gone}
            await settle_names(tx, self._scope, described.named, changed, gone)
            newest = await tx.versions.newest(self._scope)
            assert newest is not None, "it was just written"
            born = set(new.diff.born)
            items = self._still_there(described)
            stats = Stats(
                items=items,
                clustered=newest.clustered,
                unclustered=max(items - newest.clustered, 0),
                duplicates=self._fit.duplicates,
                clusters=newest.clusters,
                born=len(born),
                updated=len(shown.keys() - born),
                retired=len(gone),
                missing=self._standing.missing + self._fit.missing,
                quarantined=self._standing.quarantined,
                failed_embeddings=self._standing.failed_embeddings,
                refit=True,
                merged=len(new.merged),
                split=len(new.diff.split),
            )
            ended = await self._attempt.end(tx, self._attempt.succeeded(stats, number))
            if ended.state is RunState.SUCCEEDED:
                self._committing = True
                await tx.commit()
                return ended
        # Somebody asked for it to be cancelled at the very end: nothing was written.
        return await self._attempt.cancel()

    def _still_there(self, described: _Described) -> int:
        """How many of the items that were grouped are neither gone nor waiting again."""
        return self._fit.items - sum(not spot.item for spot in described.spots)

    def _new_version(
        self, state: ScopeState, basis: _Basis, described: _Described, departed: Sequence[str]
    ) -> NewVersion:
        kept = described.clusters.keys() | basis.curation.clusters.keys()
        ended = {
            cluster.id
            for cluster in basis.shown
            if not cluster.curated
            and cluster.state is ClusterState.ACTIVE
            and cluster.id not in kept
        }
        before = {cluster.id for cluster in basis.shown}
        diff, ids = basis.carried.diff, described.ids
        ids = {**{cluster.key: cluster.id for cluster in basis.shown}, **ids}
        merged = {ids[key]: ids[heir] for key, heir in diff.merged.items() if ids.get(key) in ended}
        return NewVersion(
            state=state,
            kind=VersionKind.RUN,
            cause=run_name(self._scope, self._run_id),
            time=self._worker.clock.now(),
            clusters=list(described.clusters.values()),
            retired=sorted(ended),
            merged=merged,
            diff=Diff(
                born=tuple(id for id in described.clusters if id not in before),
                split={
                    ids[key]: tuple(ids[part] for part in parts)
                    for key, parts in diff.split.items()
                    if key in ids
                },
                merged=merged,
                retired=tuple(sorted(ended - merged.keys())),
            ),
            items=self._still_there(described),
            duplicates=self._fit.duplicates,
            departed=departed,
            staged=self._run_id,
        )


def _homes(
    scope: str, basis: _Basis, now: datetime
) -> tuple[dict[str, Cluster], dict[int, str], dict[str, str]]:
    """The clusters that have the groups, by id; the id of that of each group; that of each key."""
    taken = {title.casefold() for title in basis.curation.titles}
    heirs: dict[str, Cluster] = {}
    homes: dict[int, str] = {}
    ids: dict[str, str] = {}
    for group, key in enumerate(basis.carried.keys):
        known = basis.known.get(key) or Cluster(uuid7(), scope, key, "", now, now)
        heir = basis.curation.heir(known)
        if heir.state is ClusterState.RETIRED:
            # Somebody may have given its title to another one since.
            pinned = heir.title_pinned and heir.title.casefold() not in taken
            heir = replace(heir, state=ClusterState.ACTIVE, title_pinned=pinned)
        heirs.setdefault(heir.id, heir)
        homes[group], ids[key] = heir.id, known.id
    return heirs, homes, ids


def _with_hero(
    cluster: Cluster,
    members: Sequence[Member],
    items: Mapping[str, Item],
    closeness: Sequence[tuple[int, float]],
    curation: Curation,
    now: datetime,
) -> Cluster:
    """With its hero; ``closeness`` are numbers of members and their mean cosines."""
    vetoed: Collection[str] = curation.vetoed.get(cluster.id, frozenset())
    count = sum(number for number, _ in closeness)
    mean = sum(number * cosine for number, cosine in closeness) / max(count, 1)
    return replace(
        cluster,
        update_time=now,
        cohesion=min(max(mean, 0.0), 1.0),
        hero=choose_hero(members, items, cluster.hero, now, cluster.pinned_hero, vetoed),
    )


def _most_central_first(placed: Placed) -> tuple[float, str]:
    return -placed.similarity, placed.item
