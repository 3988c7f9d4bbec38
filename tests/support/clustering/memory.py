"""The store of the clustering service in memory: one transaction at a time, undone by default."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from collections.abc import Collection as Some
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.errors import AlreadyExists
from libs.lease import Lease, LeaseLost
from services.clustering.domain.cluster import Cluster, Hero, Member, ScopeState
from services.clustering.domain.edit import Place
from services.clustering.domain.generation import Generation, GenerationState
from services.clustering.domain.history import Departure
from services.clustering.domain.item import (
    Collection,
    Item,
    ItemKey,
    ItemState,
    Modality,
    Neighbour,
    Pair,
)
from services.clustering.domain.run import Run, RunState
from services.clustering.domain.scene import Candidate
from services.clustering.domain.verdict import Verdict

_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Data:
    """Everything that is kept. Values are immutable, so that a copy of the containers is enough."""

    items: dict[str, Item] = field(default_factory=dict)
    deleted: dict[str, ItemKey] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    requests: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    members: dict[str, tuple[Member, ...]] = field(default_factory=dict)
    told: list[tuple[str, ...]] = field(default_factory=list)
    nearest: dict[str, tuple[Neighbour, ...]] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    takers: dict[str, str] = field(default_factory=dict)

    def duplicate(self) -> "Data":
        """A copy that can be changed by itself."""
        return Data(*(copy(getattr(self, field.name)) for field in fields(self)))


class MemoryStore:
    """See ports.Store; ``data`` is what is committed."""

    def __init__(self) -> None:
        self.data = Data()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["MemoryTransaction"]:
        yield MemoryTransaction(self, self.data.duplicate())

    @asynccontextmanager
    async def read(self) -> AsyncIterator["MemoryTransaction"]:
        yield MemoryTransaction(self, self.data.duplicate())


class MemoryTransaction:
    """See ports.Transaction; what runs need of clusters is left out."""

    def __init__(self, store: MemoryStore, data: Data) -> None:
        self._store = store
        self._data = data
        self.items = _Items(data)
        self.queue = _Queue(data)
        self.pairs = _Pairs(data)
        self.pictures = _Pictures()
        self.collections = _Collections(data)
        self.generations = _Generations(data)
        self.runs = _Runs(data)
        self.ledger = _Ledger(data)
        self.clusters = _Clusters(data)
        self.versions = _Versions(data)
        self.departures = _Departures()
        self.announce = _Announcements(data)
        self.requests = _Requests(data)

    async def commit(self) -> None:
        self._store.data = self._data


class _Items:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def lock(self, scopes: Iterable[str]) -> None:
        """There is only one transaction."""

    async def add(self, items: Sequence[Item]) -> set[str]:
        known = self._data.items.keys() | self._data.deleted.keys()
        new = {item.name: item for item in items if item.name not in known}
        self._data.items.update(new)
        return set(new)

    async def get(self, name: str) -> Item | None:
        return self._data.items.get(name)

    async def many(self, names: Iterable[str], collection: str | None = None) -> dict[str, Item]:
        items = self._data.items
        return {name: items[name] for name in names if name in items}

    async def by_points(
        self, point_ids: Sequence[str], collection: str | None = None
    ) -> dict[str, Item]:
        items = {item.point_id: item for item in self._data.items.values()}
        return {id: items[id] for id in point_ids if id in items}

    async def pending(
        self, collection: str, after: str, limit: int, before: datetime | None = None
    ) -> list[Item]:
        waiting = [item for name, item in sorted(self._data.items.items()) if self._waits(name)]
        found = [item for item in waiting if item.name > after]
        return [item for item in found if before is None or item.create_time < before][:limit]

    async def set_ready(self, collection: str, scenes: Mapping[str, str]) -> dict[str, bool]:
        waiting = {name for name in scenes if self._waits(name)}
        for name in waiting:
            self._change(name, state=ItemState.READY, collection=collection, scene=scenes[name])
        return dict.fromkeys(waiting, True)

    async def quarantine(self, collection: str, name: str, reason: str, message: str) -> bool:
        waits = self._waits(name)
        if waits:
            self._change(name, state=ItemState.QUARANTINED)
        return waits

    async def describe(self, item: Item) -> None:
        known = self._data.items[item.name]
        if known.words_time <= item.words_time:
            self._data.items[item.name] = replace(item, facts=known.facts + 1)

    async def set_synced(self, copied: Iterable[Item]) -> None:
        """Nothing ever waits for being copied here."""

    async def set_unsynced(self, names: Sequence[str]) -> None:
        """Nothing ever waits for being copied here."""

    async def delete(self, key: ItemKey) -> None:
        self._data.items.pop(key.name, None)
        self._data.deleted[key.name] = key
        for names in [names for names in self._data.pairs if key.name in names]:
            del self._data.pairs[names]

    async def count_missing(self, scope: str, collection: str) -> int:
        return sum(self._waits(n) for n, item in self._data.items.items() if item.scope == scope)

    async def is_deleted(self, name: str) -> bool:
        return name in self._data.deleted

    async def gone(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in self._data.items]

    def _waits(self, name: str) -> bool:
        item = self._data.items.get(name)
        return item is not None and item.state is ItemState.PENDING

    def _change(self, name: str, **values: Any) -> None:
        self._data.due.pop(name, None)
        self._data.takers.pop(name, None)
        self._data.items[name] = replace(self._data.items[name], **values)


class _Queue:
    """Who waits, in the order of arrival. Takes no turns between scopes."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def anybody(self, modality: Modality) -> bool:
        return any(item.modality is modality for item in self._data.items.values())

    async def take(
        self,
        collection: str,
        taker: str,
        after: str,
        limit: int,
        now: datetime,
        until: datetime,
        before: datetime | None = None,
    ) -> list[Item]:
        waiting = [i for i in self._data.items.values() if i.state is ItemState.PENDING]
        due = [i for i in waiting if self._data.due.get(i.name, now) <= now]
        taken = [i for i in due if before is None or i.create_time < before][:limit]
        for item in taken:
            self._data.due[item.name], self._data.takers[item.name] = until, taker
        return taken

    async def free(self, taker: str) -> None:
        await self.give_back("", [name for name, by in self._data.takers.items() if by == taker])

    async def give_back(
        self, collection: str, names: Sequence[str], due_time: datetime | None = None
    ) -> None:
        for name in names:
            self._data.takers.pop(name, None)
            self._data.due[name] = due_time or _LONG_AGO

    async def fail(
        self, collection: str, name: str, reason: str, message: str, due_time: datetime
    ) -> None:
        if name in self._data.items:
            item = self._data.items[name]
            self._data.items[name] = replace(item, attempts=item.attempts + 1)
            await self.give_back(collection, [name], due_time)


class _Pairs:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, collection: str, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            if pair.first in self._data.items and pair.second in self._data.items:
                self._data.pairs[(pair.first, pair.second)] = pair

    async def of(self, collection: str, names: Iterable[str]) -> list[Pair]:
        wanted = set(names)
        return [pair for key, pair in self._data.pairs.items() if wanted & {*key}]

    async def above(self, collection: str, scope: str, min_score: float) -> list[Pair]:
        return [
            pair
            for pair in self._data.pairs.values()
            if pair.score >= min_score and self._data.items[pair.first].scope == scope
        ]


class _Pictures:
    """Nobody looks for copies here."""

    async def add(self, pictures: Sequence[object]) -> None:
        """There is nothing to remember."""

    async def forget(self, item: str) -> None:
        """There is nothing to forget."""


class _Collections:
    """There is one generation at most, and it is active."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def get(self, name: str) -> Collection | None:
        return self._data.collections.get(name)

    async def active(self, modality: Modality = Modality.PHOTOS) -> Collection | None:
        return next(iter(self._data.collections.values()), None)

    async def hold(self, name: str) -> bool:
        return name in self._data.collections

    async def names(self) -> list[str]:
        return list(self._data.collections)

    async def kept(self) -> list[Collection]:
        return list(self._data.collections.values())


class _Generations:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(
        self, generation_id: str, collection: Collection, state: GenerationState, epoch: int
    ) -> bool:
        if self._data.collections:
            return False
        self._data.collections[collection.name] = collection
        return True

    async def enrol(self, collection: Collection, after: str) -> str | None:
        """Who has no vector waits for one here."""
        return None

    async def active(self, modality: Modality = Modality.PHOTOS) -> Generation | None:
        for collection in self._data.collections.values():
            return Generation("g", collection, GenerationState.ACTIVE, _LONG_AGO)
        return None


class _Runs:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, run: Run) -> Run:
        active = [r for r in self._data.runs.values() if r.scope == run.scope and not r.ended]
        return active[0] if active else self._data.runs.setdefault(run.id, run)

    async def get(self, scope: str, run_id: str, *, lock: bool = False) -> Run | None:
        run = self._data.runs.get(run_id)
        return run if run and run.scope == scope else None

    async def cancel(self, run: Run) -> Run:
        self._data.runs[run.id] = run
        return run


class _Ledger:
    """Leases that never run out."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def take(self, run_id: str, owner: str, max_attempts: int) -> tuple[Run, Lease] | None:
        run = self._data.runs.get(run_id)
        if run is None or run.ended or run_id in self._data.leases or run.attempt >= max_attempts:
            return None
        asked = run.state is RunState.CANCELLING
        taken = replace(run, attempt=run.attempt + 1, start_time=run.start_time or _LONG_AGO)
        lease = Lease(owner, taken.attempt, _LONG_AGO)
        self._data.leases[run_id] = lease
        return self._store(taken if asked else replace(taken, state=RunState.RUNNING)), lease

    async def find(self, run_id: str) -> Run | None:
        return self._data.runs.get(run_id)

    async def renew(self, run: Run, lease: Lease) -> Run:
        known = self._held(run, lease)
        return self._store(replace(known, done=run.done, total=run.total, phase=run.phase))

    async def end(self, run: Run, lease: Lease) -> Run:
        asked = self._held(run, lease).state is RunState.CANCELLING
        del self._data.leases[run.id]
        return self._store(replace(run, state=RunState.CANCELLED) if asked else run)

    async def put_back(
        self, run: Run, lease: Lease, delay: timedelta, *, counts: bool = True
    ) -> None:
        self._held(run, lease)
        del self._data.leases[run.id]
        self._store(run)

    def _held(self, run: Run, lease: Lease) -> Run:
        if self._data.leases.get(run.id) != lease:
            raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")
        return self._data.runs[run.id]

    def _store(self, run: Run) -> Run:
        self._data.runs[run.id] = run
        return run


class _Clusters:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def scope(self, scope: str) -> ScopeState:
        return ScopeState(scope)

    async def candidates(
        self, cluster_ids: Sequence[str], names: Sequence[str] = ()
    ) -> list[Candidate]:
        return [
            Candidate(self._data.items[member.item], member, id, frozenset())
            for id in cluster_ids
            for member in self._data.members[id]
        ]


class _Versions:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def drop(self, scope: str, items: Sequence[str]) -> list[Cluster]:
        lost = []
        for id, members in self._data.members.items():
            left = tuple(member for member in members if member.item not in items)
            cluster = replace(self._data.clusters[id], member_count=len(left))
            self._data.members[id], self._data.clusters[id] = left, cluster
            if cluster.hero and cluster.hero.item in items:
                lost.append(cluster)
        return lost

    async def set_hero(self, cluster_id: str, hero: Hero | None) -> None:
        self._data.clusters[cluster_id] = replace(self._data.clusters[cluster_id], hero=hero)


class _Departures:
    """No memory has seen anything."""

    async def seen(self, names: Sequence[str]) -> dict[str, str]:
        return {}

    async def places(self, within: Some[str], names: Sequence[str]) -> dict[str, Place]:
        return {}

    async def add(self, departures: Sequence[Departure]) -> None:
        assert not departures


class _Announcements:
    def __init__(self, data: Data) -> None:
        self._data = data

    def embedded(
        self, item: Item, collection: Collection, scene: str, nearest: Sequence[Neighbour]
    ) -> None:
        self._data.told.append(("photo.embedded", item.name, scene))
        self._data.nearest[item.name] = tuple(nearest)

    def embedding_failed(self, item: Item, reason: str, message: str) -> None:
        self._data.told.append(("photo.embedding_failed", item.name, reason))

    def copies_found(self, photo: str, copies: Mapping[str, Verdict], version: int) -> None:
        self._data.told.append(("photo.copies_found", photo, str(version)))

    def clusters_updated(self, scope: str, version: int) -> None:
        self._data.told.append(("clusters.updated", scope, str(version)))


class _Requests:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None:
        if not request_id:
            return None
        known = self._data.requests.setdefault(request_id, (method, fingerprint, ""))
        if known[:2] != (method, fingerprint):
            raise AlreadyExists("request", request_id)
        return known[2] or None

    async def record(self, request_id: str, result: str) -> None:
        if request_id:
            method, fingerprint, _ = self._data.requests[request_id]
            self._data.requests[request_id] = (method, fingerprint, result)
