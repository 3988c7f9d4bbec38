"""What the use cases of this service need of the world."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from libs.errors import ColonnadeError
from libs.lease import Lease
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Hero, Member, ScopeState
from services.clustering.domain.curation import Curation
from services.clustering.domain.edit import Before, Edit, Place, Refusal
from services.clustering.domain.facts import ItemFilter, Usage
from services.clustering.domain.generation import Filled, Generation, GenerationState
from services.clustering.domain.item import Collection, Item, ItemKey, Neighbour, Pair
from services.clustering.domain.pillars import Assignment
from services.clustering.domain.run import Run
from services.clustering.domain.version import NewVersion
from services.clustering.duplicate_ports import Comparisons, Pictures, Reviews

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector of unit length and the collection it belongs to; the bits of the picture's
    perceptual hash, empty if it has too little detail, None if that is not known."""

    vector: Vector
    model: str
    revision: str
    fingerprint: str
    bits: bytes | None = None


class Embedder(Protocol):
    """The embedding service."""

    async def embed(self, blob_keys: Sequence[str], model: str) -> list[Embedded | ColonnadeError]:
        """One result a picture, in order. Raises Unavailable when the service is away."""

    async def describe(self, model: str) -> Collection:
        """The collection for vectors that a model makes now, with its thresholds; of the default
        model if ``model`` is empty. Raises NotFound, Unavailable while it cannot be used."""


class TextReader(Protocol):
    """The embedding service, as searches see it."""

    async def embed_text(self, collection: Collection, text: str) -> Vector | None:
        """The vector of a text, comparable with those of a collection; None if its model reads no
        texts. Raises FailedPrecondition (MODEL_CHANGED) if the model makes other vectors by now.
        """


@dataclass(frozen=True, slots=True)
class Description:
    """What the catalog knows of a photo as of ``time``, as far as searches need it; ``uses`` says
    how each post uses it."""

    photo: str
    pillar: str
    tags: tuple[str, ...]
    archived: bool
    time: datetime
    uses: Mapping[str, Usage]


class Library(Protocol):
    """The catalog."""

    def facts(self, scope: str) -> AsyncIterator[Sequence[Description]]:
        """What it knows of the photos of a persona, in pages. Raises NotFound, Unavailable."""


class Items(Protocol):
    """The items. Deleted ones are not answered, and not changed any more."""

    async def lock(self, scopes: Iterable[str]) -> None:
        """Has others who lock any of these scopes wait until this transaction ends."""

    async def add(self, items: Sequence[Item]) -> set[str]:
        """Adds items; those that are known already, or deleted, stay as they are. Answers which
        are new."""

    async def get(self, name: str) -> Item | None:
        """The item of that name."""

    async def many(self, names: Iterable[str], collection: str | None = None) -> dict[str, Item]:
        """The items of these names, those that exist, as they stand in a generation, in the active
        one for None."""

    async def by_points(
        self, point_ids: Sequence[str], collection: str | None = None
    ) -> dict[str, Item]:
        """The items of these vectors, by the vector's id; as ``many``."""

    async def ready(self, scope: str, collection: str) -> list[Item]:
        """Every item of a scope whose vector is in ``collection``, in the order of names."""

    async def pending(
        self, collection: str, after: str, limit: int, before: datetime | None = None
    ) -> list[Item]:
        """Items that wait for a vector in ``collection``, by name, those after ``after`` that were
        made before a moment."""

    async def has_vectors(self, scope: str, collection: str) -> bool:
        """Whether any item of a scope has a vector in ``collection``."""

    async def count_missing(self, scope: str, collection: str) -> int:
        """How many items of a scope wait for their vector in ``collection``."""

    async def set_ready(self, collection: str, scenes: Mapping[str, str]) -> dict[str, bool]:
        """Notes that vectors are stored, with the items' scenes; answers who was waiting for that,
        and whether it is the active generation, so that others are to be told.

        Items that wait no longer stay as they are.
        """

    async def quarantine(self, collection: str, name: str, reason: str, message: str) -> bool:
        """Notes that no vector can be made; False if the item does not wait for one."""

    async def retry(self, collection: str, scope: str, reasons: Sequence[str]) -> int:
        """Has quarantined items wait again, of any scope and for any reason where those are empty;
        answers how many."""

    async def untold(self, collection: str, epoch: int, limit: int) -> list[Item]:
        """Items of a generation that nobody was told of since the switch ``epoch``, those that
        scenes gather around first."""

    async def set_told(self, collection: str, names: Sequence[str], epoch: int) -> None:
        """Notes that others were told of these items."""

    async def describe(self, item: Item) -> None:
        """Replaces words, pillar, tags and whether it is archived, unless the words are newer than
        ``item.words_time``."""

    async def use(self, name: str, post: str, usage: Usage, version: int) -> bool:
        """Notes how a post uses an item; False if that is no news."""

    async def uses(self, name: str) -> list[Usage]:
        """How each post uses an item."""

    async def posted(self, names: Iterable[str]) -> set[str]:
        """Which of these items any post took out, whatever others are going to do."""

    async def set_usage(self, name: str, usage: Usage) -> None:
        """Replaces how all posts together use an item."""

    async def unsynced(self, limit: int) -> list[Item]:
        """Items of which the index does not know all that it should, by name."""

    async def set_synced(self, copied: Iterable[Item]) -> None:
        """Notes that the index knows these items as they were read.

        Where another one was copied since then, nobody knows which of both came last: it is to be
        copied again.
        """

    async def set_unsynced(self, names: Sequence[str]) -> None:
        """Has these items copied into the index again."""

    async def undescribed(self, limit: int) -> list[Item]:
        """Items whose pillar, tags and usage were never told, by scope and name."""

    async def delete(self, key: ItemKey) -> None:
        """Removes the item and its pairs, now and for ever, whether it was ever added or not."""

    async def is_deleted(self, name: str) -> bool:
        """Whether there was such an item and it is gone."""

    async def gone(self, names: Sequence[str]) -> list[str]:
        """Which of these items no longer exist."""


class Pairs(Protocol):
    """Pairs of items that are nearly the same."""

    async def add(self, collection: str, pairs: Iterable[Pair]) -> None:
        """Remembers pairs of a generation, those whose items both still exist."""

    async def of(self, collection: str, names: Iterable[str]) -> list[Pair]:
        """All pairs of a generation that any of these items is in."""

    async def above(self, collection: str, scope: str, min_score: float) -> list[Pair]:
        """The pairs of a generation and scope at or above a cosine."""


class Collections(Protocol):
    """The vector collections; each is that of one generation."""

    async def get(self, name: str) -> Collection | None:
        """The collection of that name."""

    async def active(self) -> Collection | None:
        """The one that everything uses; None before the first photo is embedded."""

    async def hold(self, name: str) -> bool:
        """Keeps a collection in its state until this transaction ends; False if it was given up."""

    async def names(self) -> list[str]:
        """The names of all, those included that are about to be dropped."""

    async def kept(self) -> list[Collection]:
        """Those that are, or may come, into use."""


class Generations(Protocol):
    """The collections as generations: filled, activated, retired, dropped."""

    async def lock(self) -> None:
        """Has others who change generations wait until this transaction ends."""

    async def add(
        self, generation_id: str, collection: Collection, state: GenerationState, epoch: int
    ) -> bool:
        """Adds one; False if another one is in its way: of that name, active, or being filled.

        From then on, and until this transaction ends, nobody adds items.
        """

    async def enrol(self, collection: str, after: str) -> str | None:
        """Has some items wait for a vector in it that have no place in it yet, by name, those after
        ``after``; answers the last one, None if there were no more."""

    async def get(self, generation_id: str, *, lock: bool = False) -> Generation | None:
        """The generation of that id; nobody changes it after ``lock``."""

    async def of_collection(self, collection: str) -> Generation | None:
        """The generation of a collection."""

    async def active(self) -> Generation | None:
        """The active one."""

    async def in_states(self, *states: GenerationState) -> list[Generation]:
        """Those in these states, the last retired first, then by age."""

    async def page(self, page: PageRequest) -> Page[Generation]:
        """Generations, newest first."""

    async def filled(self, generations: list[Generation]) -> list[Filled]:
        """How far each of them is filled."""

    async def change(self, generation_id: str, **values: object) -> None:
        """Stores other values of the generation of that id."""

    async def last_epoch(self) -> int:
        """The number of the last switch."""

    async def take(self, generation_id: str, owner: str) -> tuple[Generation, Lease] | None:
        """A generation to fill, now ours; None if it is filled no more or somebody has it."""

    async def renew(self, generation: Generation, lease: Lease, attempt: int) -> Generation:
        """The generation as it stands, ours for longer; stores ``attempt``. Raises LeaseLost."""

    async def give_back(
        self, generation: Generation, lease: Lease, delay: timedelta | None, **values: object
    ) -> None:
        """Ends our work on a generation, with ``values``; nobody else takes it up for ``delay``.

        Raises LeaseLost.
        """

    async def waiting(self) -> list[str]:
        """The ids of those that are to be filled and that nobody has."""

    async def untold(self) -> list[str]:
        """The id of the active one, if others have to be told of items of it."""

    async def droppable(self) -> list[Generation]:
        """Those that are to be removed and that nobody works on."""

    async def clear(self, collection: str) -> bool:
        """Forgets some of what hangs on a dropped one; whether there was anything."""

    async def remove(self, generation_id: str) -> None:
        """Forgets a dropped one and all that hangs on it."""

    async def sample(self, one: str, other: str, limit: int) -> list[str]:
        """Items with a vector in both collections, the same ones every time."""


class Words(Protocol):
    """What is written about items."""

    async def find(
        self,
        scope: str,
        words: Sequence[str],
        chosen: ItemFilter,
        min_score: float | None,
        limit: int,
    ) -> list[tuple[Item, float, tuple[str, ...]]]:
        """The items of which any of the words is written, best first: each with the share of the
        words, and which. Of equals, the one with the smaller vector id comes first."""


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

    async def list(
        self, scope: str, version: int, page: PageRequest, conditions: Sequence[Condition] = ()
    ) -> Page[Cluster]:
        """The clusters of a version that meet conditions on state, origin and pillar, largest
        first; archived ones only if there is a condition on the state."""

    async def members(self, cluster_id: str, version: int, page: PageRequest) -> Page[Member]:
        """The members of a cluster in a version, most central first."""

    async def all_members(self, cluster_id: str, version: int) -> Sequence[Member]:
        """The same, all of them."""

    async def scope(self, scope: str) -> ScopeState:
        """What is remembered of a scope; version 0 if it was never clustered."""

    async def by_keys(self, scope: str, keys: Sequence[str]) -> dict[str, Cluster]:
        """The clusters of these keys, by key, each as the newest version that has it shows it."""

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        """The items of each found cluster of a version, by the cluster's key."""

    async def totals(self, scope: str, version: int) -> tuple[int, int]:
        """How many clusters a version has, and how many embedded items they have."""


class Versions(Protocol):
    """What changes the versions of clusters."""

    async def write(self, version: NewVersion, keep: int) -> None:
        """Stores a version; clusters that it does not have retire, all but ``keep`` versions go."""

    async def drop(self, items: Sequence[str]) -> list[Cluster]:
        """Takes items out of every version; answers the clusters that lost their hero by it, one
        for each version of a cluster."""

    async def set_hero(self, cluster_id: str, version: int, hero: Hero | None) -> None:
        """Replaces the hero of a cluster in a version."""


class People(Protocol):
    """What people decide about clusters. Whoever changes it has locked the scope."""

    async def curation(self, scope: str, version: int) -> Curation:
        """All of it, with the members that are locked in a version."""

    async def pinned_keys(self, scope: str, version: int) -> frozenset[str]:
        """The keys of found clusters that people named, merged, or chose a hero or members for."""

    async def add(self, cluster: Cluster) -> None:
        """Adds a curated cluster."""

    async def save(self, cluster: Cluster) -> None:
        """Stores what people decide about one cluster."""

    async def delete(self, cluster: Cluster) -> None:
        """Deletes a cluster and all that hangs on it."""

    async def touch(self, cluster_ids: Sequence[str], now: datetime) -> None:
        """Notes that clusters changed, so that their etags do."""

    async def titled(self, scope: str, title: str, besides: str) -> str | None:
        """The id of a cluster in use with such a title, whatever its case, but not ``besides``."""

    async def by_ids(self, scope: str, cluster_ids: Sequence[str]) -> dict[str, Cluster]:
        """Clusters by id, each as the newest version that has it shows it."""

    async def vetoed(self, cluster_id: str) -> frozenset[str]:
        """The items that must not be the hero of a cluster."""

    async def refuse(self, wanted: Sequence[Refusal]) -> list[Refusal]:
        """Remembers refusals; answers those that are new."""

    async def accept(self, wanted: Sequence[Refusal]) -> list[Refusal]:
        """Takes refusals back; answers those that there were."""

    async def forget(self, item: str) -> None:
        """Takes back all that was decided about an item that is gone."""


class Places(Protocol):
    """Where the items of a version are. Whoever changes it has locked the scope."""

    async def of(self, scope: str, version: int, items: Sequence[str]) -> list[Place]:
        """Where these items are, those that are in a cluster."""

    async def within(self, cluster_ids: Sequence[str], version: int) -> list[Place]:
        """The places of all members of these clusters, in their order."""

    async def put(self, scope: str, version: int, places: Sequence[Place]) -> None:
        """Puts items there, wherever they were before."""

    async def take(self, scope: str, version: int, items: Sequence[str]) -> None:
        """Takes items out of the clusters that they are in."""

    async def last(self, cluster_id: str, version: int) -> int:
        """The last position in a cluster; 0 in an empty one."""

    async def recount(self, scope: str, version: int, cluster_ids: Sequence[str]) -> None:
        """Counts the members of clusters anew; those that the version lacks are in it then."""


class Edits(Protocol):
    """What people changed."""

    async def add(self, edit: Edit, before: Before) -> None:
        """Remembers an edit and how things were before it."""

    async def get(self, scope: str, edit_id: str) -> Edit | None:
        """The edit of that id, if it is one of the scope."""

    async def before(self, edit: Edit) -> Before:
        """How things were before an edit that can still be undone."""

    async def later(self, edit: Edit) -> str | None:
        """The id of the last edit after ``edit`` that changed a cluster of it and stands."""

    async def list(self, scope: str, cluster_id: str, page: PageRequest) -> Page[Edit]:
        """Edits of a scope, or of one cluster if ``cluster_id`` is given, newest first."""

    async def set_undone(self, edit: Edit) -> None:
        """Stores when an edit was undone; how things were before is forgotten."""

    async def forget(self, older: datetime) -> None:
        """Forgets how things were before edits older than that."""


class Pillars(Protocol):
    """Which clusters are assigned to which pillars."""

    async def put(self, assignment: Assignment) -> Assignment:
        """Adds an assignment, or replaces notes and primary of the one there is."""

    async def delete(self, cluster_id: str, pillar: str) -> bool:
        """Removes an assignment; False if there is none."""

    async def get(self, cluster_id: str, pillar: str) -> Assignment | None:
        """That assignment."""

    async def primary(self, cluster_id: str) -> Assignment | None:
        """The primary assignment of a cluster."""

    async def list(
        self, scope: str, cluster_id: str, pillar: str, page: PageRequest
    ) -> Page[Assignment]:
        """The assignments of a scope, oldest first; of one cluster or pillar where given."""


class RequestLog(Protocol):
    """See libs.db.requests.RequestLog."""

    async def claim(self, request_id: str, method: str, fingerprint: str) -> str | None: ...

    async def record(self, request_id: str, result: str) -> None: ...


class Announcements(Protocol):
    """The events that this service tells."""

    def embedded(
        self, item: Item, collection: Collection, scene: str, nearest: Sequence[Neighbour]
    ) -> None:
        """Says that a photo can be searched, and what is ``nearest`` to it, the nearest first."""

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
    def generations(self) -> Generations: ...
    @property
    def words(self) -> Words: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def ledger(self) -> RunLedger: ...
    @property
    def clusters(self) -> Clusters: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def people(self) -> People: ...
    @property
    def places(self) -> Places: ...
    @property
    def edits(self) -> Edits: ...
    @property
    def pillars(self) -> Pillars: ...
    @property
    def pictures(self) -> Pictures: ...
    @property
    def comparisons(self) -> Comparisons: ...
    @property
    def reviews(self) -> Reviews: ...
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
