"""What the use cases of this service need of the world."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from libs.db.lease import Lease
from libs.errors import ColonnadeError
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Hero, Member, ScopeState
from services.clustering.domain.item import Collection, Item, ItemKey, Pair
from services.clustering.domain.run import Run
from services.clustering.domain.version import NewVersion

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector of unit length and the collection it belongs to."""

    vector: Vector
    model: str
    revision: str
    fingerprint: str


class Embedder(Protocol):
    """The embedding service."""

    async def embed(self, blob_keys: Sequence[str]) -> list[Embedded | ColonnadeError]:
        """One result a picture, in order. Raises Unavailable when the service is away."""

    async def collection(self, embedded: Embedded) -> Collection:
        """The collection for vectors such as ``embedded``, with its model's thresholds."""


class Items(Protocol):
    """The items. Deleted ones are not answered, and not changed any more."""

    async def lock(self, scopes: Iterable[str]) -> None:
        """Has others who lock any of these scopes wait until this transaction ends."""

    async def add(self, items: Sequence[Item]) -> None:
        """Adds items; those that are known already, or deleted, stay as they are."""

    async def get(self, name: str) -> Item | None:
        """The item of that name."""

    async def many(self, names: Iterable[str]) -> dict[str, Item]:
        """The items of these names, those that exist."""

    async def by_points(self, point_ids: Sequence[str]) -> dict[str, Item]:
        """The items of these vectors, by the vector's id."""

    async def ready(self, scope: str, collection: str) -> list[Item]:
        """Every item of a scope whose vector is in ``collection``, in the order of names."""

    async def pending(self, before: datetime, after: str, limit: int) -> list[Item]:
        """Items made before a moment that wait for a vector, by name, those after ``after``."""

    async def count_missing(self, scope: str, collection: str) -> int:
        """How many items of a scope wait for their vector in ``collection``."""

    async def set_ready(self, collection: str, scenes: Mapping[str, str]) -> set[str]:
        """Notes that vectors are stored, with the items' scenes; answers who was waiting for that.

        Items that wait no longer stay as they are.
        """

    async def quarantine(self, name: str, reason: str, message: str) -> bool:
        """Notes that no vector can be made; False if the item does not wait for one."""

    async def set_words(self, name: str, words: Sequence[str], time: datetime) -> None:
        """Replaces the words that may title a cluster, unless they are newer than ``time``."""

    async def delete(self, key: ItemKey) -> None:
        """Removes the item and its pairs, now and for ever, whether it was ever added or not."""

    async def is_deleted(self, name: str) -> bool:
        """Whether there was such an item and it is gone."""

    async def gone(self, names: Sequence[str]) -> list[str]:
        """Which of these items no longer exist."""


class Pairs(Protocol):
    """Pairs of items that are nearly the same."""

    async def add(self, pairs: Iterable[Pair]) -> None:
        """Remembers pairs, those whose items both still exist."""

    async def of(self, names: Iterable[str]) -> list[Pair]:
        """All pairs that any of these items is in."""

    async def above(self, scope: str, min_score: float) -> list[Pair]:
        """The pairs of a scope at or above a cosine."""


class Collections(Protocol):
    """The vector collections that were ever used."""

    async def add(self, collection: Collection) -> None:
        """Adds one if it is new."""

    async def get(self, name: str) -> Collection | None:
        """The collection of that name."""

    async def in_use(self, scope: str) -> Collection | None:
        """The collection of most vectors of a scope, the newest of equals; None without any."""

    async def names(self) -> list[str]:
        """The names of all."""


class Runs(Protocol):
    """The clustering runs, as callers see them."""

    async def add(self, run: Run) -> Run:
        """Adds a run, or answers the one that is active in its scope already."""

    async def get(self, scope: str, run_id: str, *, lock: bool = False) -> Run | None:
        """The run of that id, if it is one of the scope; nobody changes it after ``lock``."""

    async def list(self, scope: str, page: PageRequest) -> Page[Run]:
        """Runs of a scope, newest first."""

    async def cancel(self, run: Run) -> Run:
        """Stores the state of a run that is to stop; answers the run as it is then."""


class RunLedger(Protocol):
    """The clustering runs, as workers see them: each write is guarded by the run's lease."""

    async def take(self, run_id: str, owner: str, max_attempts: int) -> tuple[Run, Lease] | None:
        """The run, now running and ours; None if there is nothing to do or somebody has it."""

    async def renew(self, run: Run, lease: Lease) -> Run:
        """Stores the progress of ``run`` and answers it as it stands. Raises LeaseLost."""

    async def end(self, run: Run, lease: Lease) -> Run:
        """Ends the run; answers it as it ended: cancelled, if that was asked for before.

        Raises LeaseLost.
        """

    async def put_back(self, run: Run, lease: Lease, delay: timedelta) -> None:
        """Queues the run again, with the error that ``run`` holds, for ``delay`` from now on.

        Raises LeaseLost.
        """

    async def waiting(self, max_attempts: int) -> list[str]:
        """Runs that no worker has; those that were tried too often are ended on the way."""


class Clusters(Protocol):
    """Clusters, their versions and members."""

    async def get(self, scope: str, cluster_id: str) -> Cluster | None:
        """A cluster as the newest version that has it shows it."""

    async def list(self, scope: str, version: int, page: PageRequest) -> Page[Cluster]:
        """The clusters of a version, largest first."""

    async def members(self, cluster_id: str, version: int, page: PageRequest) -> Page[Member]:
        """The members of a cluster in a version, most central first."""

    async def all_members(self, cluster_id: str, version: int) -> Sequence[Member]:
        """The same, all of them."""

    async def scope(self, scope: str) -> ScopeState:
        """What is remembered of a scope; version 0 if it was never clustered."""

    async def by_keys(self, scope: str, keys: Sequence[str]) -> dict[str, Cluster]:
        """The clusters of these keys, by key, each as the newest version that has it shows it."""

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        """The items of each cluster of a version, by the cluster's key."""


class Versions(Protocol):
    """What changes the versions of clusters."""

    async def write(self, version: NewVersion, keep: int) -> None:
        """Stores a version; clusters that it does not have retire, all but ``keep`` versions go."""

    async def drop(self, items: Sequence[str]) -> list[Cluster]:
        """Takes items out of every version; answers the clusters that lost their hero by it, one
        for each version of a cluster."""

    async def set_hero(self, cluster_id: str, version: int, hero: Hero | None) -> None:
        """Replaces the hero of a cluster in a version."""


class RequestLog(Protocol):
    """See libs.db.requests.RequestLog."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None: ...

    async def record(self, request_id: str, result: str) -> None: ...


class Announcements(Protocol):
    """The events that this service tells."""

    def embedded(self, item: Item, collection: Collection, scene: str) -> None:
        """Says that a photo can be searched."""

    def embedding_failed(self, item: Item, reason: str, message: str) -> None:
        """Says that a photo cannot be embedded."""

    def clusters_updated(self, scope: str, version: int) -> None:
        """Says that a scope has a new version."""


class Transaction(Protocol):
    """One unit of work."""

    @property
    def items(self) -> Items: ...
    @property
    def pairs(self) -> Pairs: ...
    @property
    def collections(self) -> Collections: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def ledger(self) -> RunLedger: ...
    @property
    def clusters(self) -> Clusters: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def announce(self) -> Announcements: ...
    @property
    def requests(self) -> RequestLog: ...

    async def commit(self) -> None: ...


class Store(Protocol):
    """Where everything is kept."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction; undone unless committed."""

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """A view for reads that stand alone; it cannot be committed."""


class Snapshots(Protocol):
    """The engine's memory, by key."""

    async def load(self, key: str) -> bytes | None:
        """The bytes, or None if they are gone."""

    async def save(self, key: str, data: bytes) -> None:
        """Stores bytes under a key of their own."""

    async def forget(self, key: str) -> None:
        """Deletes them if they are there; leaves them where that fails."""


class Vectors(Protocol):
    """The vectors of one collection (a part of libs.vectors.index.VectorIndex)."""

    async def of_points(self, collection: str, ids: Sequence[str]) -> tuple[list[str], Vector]:
        """Ids and vectors [n, d] of these points, those that exist."""

    def of_scope(self, collection: str, scope: str) -> AsyncIterator[tuple[list[str], Vector]]:
        """Ids and vectors of a scope, in pages."""
