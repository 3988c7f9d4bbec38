"""What the use cases of this service need of the world."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from libs.db.lease import Lease
from libs.errors import ColonnadeError
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, FoundCluster, Member, ScopeState
from services.clustering.domain.item import Collection, Item, Pair
from services.clustering.domain.run import Run

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
    """The items."""

    async def add(self, items: Sequence[Item]) -> None:
        """Adds items; those that are there already stay as they are."""

    async def get(self, name: str) -> Item | None:
        """The item of that name."""

    async def many(self, names: Sequence[str]) -> dict[str, Item]:
        """The items of these names, those that exist."""

    async def by_points(self, point_ids: Sequence[str]) -> dict[str, Item]:
        """The items of these vectors, by the vector's id."""

    async def ready(self, scope: str, collection: str) -> list[Item]:
        """Every item of a scope whose vector is in ``collection``, in the order of names."""

    async def count_pending(self, scope: str) -> int:
        """How many items of a scope wait for their vector."""

    async def mark_ready(self, name: str, collection: str, scene: str) -> bool:
        """Notes that the vector is stored; False if the item is gone."""

    async def quarantine(self, name: str, reason: str, message: str) -> bool:
        """Notes that no vector can be made; False if the item is gone."""

    async def set_words(self, name: str, words: Sequence[str]) -> None:
        """Replaces the words that may title a cluster."""

    async def delete(self, name: str) -> Item | None:
        """Removes the item and its pairs; the item if it was there."""

    async def add_pairs(self, scope: str, pairs: Iterable[Pair]) -> None:
        """Remembers pairs of near items whose items both still exist."""

    async def pairs(self, scope: str, min_score: float) -> list[Pair]:
        """The pairs of a scope at or above a cosine."""


class Collections(Protocol):
    """The vector collections that were ever used."""

    async def add(self, collection: Collection) -> None:
        """Adds one if it is new."""

    async def get(self, name: str) -> Collection | None:
        """The collection of that name."""

    async def newest(self) -> Collection | None:
        """The collection in use; None before anything was embedded."""


class Runs(Protocol):
    """The clustering runs."""

    async def add(self, run: Run) -> Run:
        """Adds a run, or answers the one that is active in its scope already."""

    async def get(self, scope: str, run_id: str) -> Run | None:
        """The run of that id, if it is one of the scope."""

    async def list(self, scope: str, page: PageRequest) -> Page[Run]:
        """Runs of a scope, newest first."""

    async def cancel(self, run: Run) -> None:
        """Stores the state of a run that is to stop."""


class Clusters(Protocol):
    """Clusters, their versions and members."""

    async def get(self, scope: str, cluster_id: str) -> Cluster | None:
        """A cluster as the newest version that has it shows it."""

    async def list(self, scope: str, version: int, page: PageRequest) -> Page[Cluster]:
        """The clusters of a version, largest first."""

    async def members(self, cluster: Cluster, page: PageRequest) -> Page[Member]:
        """The members of a cluster in its version, most central first."""

    async def scope(self, scope: str) -> ScopeState:
        """What is remembered of a scope; version 0 if it was never clustered."""

    async def ever(self, scope: str) -> dict[str, Cluster]:
        """Every cluster that a scope ever had, by its key, as it was last seen."""

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        """The items of each cluster of a version, by the cluster's key."""

    async def drop_item(self, item: str) -> None:
        """Takes an item out of the newest version."""


class RequestLog(Protocol):
    """See libs.db.requests.RequestLog."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None: ...

    async def record(self, request_id: str, result: str) -> None: ...


class Inbox(Protocol):
    """See libs.db.inbox.Inbox."""

    async def first_time(self, event_id: str, consumer: str) -> bool: ...


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
    def collections(self) -> Collections: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def clusters(self) -> Clusters: ...
    @property
    def announce(self) -> Announcements: ...
    @property
    def requests(self) -> RequestLog: ...
    @property
    def inbox(self) -> Inbox: ...

    async def commit(self) -> None: ...


class Store(Protocol):
    """Where everything is kept."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction; undone unless committed."""

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """A view for reads that stand alone; it cannot be committed."""


class RunLedger(Protocol):
    """The row of the run that a worker works on, guarded by its lease."""

    async def take(self, run_id: str, owner: str) -> tuple[Run, Lease] | None:
        """The run, now running and ours; None if there is nothing to do or somebody has it."""

    async def heartbeat(self, run_id: str, lease: Lease, done: int, total: int, phase: str) -> Run:
        """Renews the lease and stores progress. Raises LeaseLost."""

    async def finish(
        self, run: Run, lease: Lease, found: Sequence[FoundCluster], state: ScopeState | None
    ) -> Run:
        """Ends the run in one transaction, with a new version if ``state`` is given; answers it as
        it ended (cancelled, if that was asked for meanwhile). Raises LeaseLost."""

    async def waiting(self, max_attempts: int) -> list[str]:
        """Runs that no worker has; those that were tried too often are failed on the way."""


class Snapshots(Protocol):
    """The engine's memory, by key."""

    async def load(self, key: str) -> bytes | None:
        """The bytes, or None if they are gone."""

    async def save(self, scope: str, version: int, data: bytes) -> str:
        """Stores the bytes of a version; their key."""


class Vectors(Protocol):
    """The vectors of one collection (a part of libs.vectors.index.VectorIndex)."""

    async def of_points(self, collection: str, ids: Sequence[str]) -> tuple[list[str], Vector]:
        """Ids and vectors [n, d] of these points, those that exist."""

    def of_scope(self, collection: str, scope: str) -> AsyncIterator[tuple[list[str], Vector]]:
        """Ids and vectors of a scope, in pages."""
