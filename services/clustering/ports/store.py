"""Where everything is kept, as the use cases see it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.clustering.domain.item import Collection, Item, Neighbour
from services.clustering.domain.verdict import Verdict
from services.clustering.ports.clusters import Clusters, Departures, Versions
from services.clustering.ports.duplicates import Comparisons, Pictures, Reviews
from services.clustering.ports.generations import Collections, Generations
from services.clustering.ports.history import History
from services.clustering.ports.insights import Insights
from services.clustering.ports.intake import Waiting
from services.clustering.ports.items import Items, Pairs, Words
from services.clustering.ports.naming import Namings, Summaries
from services.clustering.ports.people import Edits, People, Pillars
from services.clustering.ports.queue import VectorQueue
from services.clustering.ports.runs import Due, RunLedger, Runs
from services.clustering.ports.shards import Placements, Shards
from services.clustering.ports.texts import Leavers, Texts


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

    def copies_found(self, photo: str, copies: Mapping[str, Verdict], version: int) -> None:
        """Says what a photo is a copy of, all of it; a higher ``version`` is newer."""

    def clusters_updated(self, scope: str, version: int) -> None:
        """Says that a scope has a new version."""


class Transaction(Protocol):
    """One unit of work."""

    @property
    def items(self) -> Items: ...
    @property
    def texts(self) -> Texts: ...
    @property
    def leavers(self) -> Leavers: ...
    @property
    def queue(self) -> VectorQueue: ...
    @property
    def waiting(self) -> Waiting: ...
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
    def due(self) -> Due: ...
    @property
    def shards(self) -> Shards: ...
    @property
    def placements(self) -> Placements: ...
    @property
    def clusters(self) -> Clusters: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def history(self) -> History: ...
    @property
    def people(self) -> People: ...
    @property
    def departures(self) -> Departures: ...
    @property
    def edits(self) -> Edits: ...
    @property
    def namings(self) -> Namings: ...
    @property
    def summaries(self) -> Summaries: ...
    @property
    def insights(self) -> Insights: ...
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
