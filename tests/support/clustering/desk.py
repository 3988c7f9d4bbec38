"""The consumer of the catalog's stream and what embeds, with all that they need, fed by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from libs.errors import ColonnadeError
from libs.events.stream import Event, Outcome
from libs.ids import uuid7
from libs.vectors.index import VectorIndex
from services.clustering.consumers import CatalogConsumer, PostConsumer
from services.clustering.domain.item import Modality
from services.clustering.ports import Store
from services.clustering.usecases.dispatching import Dispatch, drain
from tests.support.clock import FakeClock
from tests.support.clustering.fakes import FakeEmbedder
from tests.support.clustering.faults import Died, Fuse, Mortal
from tests.support.clustering.photos import Vector, created, new_scope, photo_in

BATCH = 16


class Desk:
    """One scope, and photos that arrive in it."""

    def __init__(self, store: Store, index: VectorIndex, clock: FakeClock) -> None:
        self.store = store
        self.index = index
        self.clock = clock
        self.embedder = FakeEmbedder()
        self.scope = new_scope()
        self._dead = ""

    def photo(self, result: Vector | ColonnadeError, scope: str = "") -> str:
        """The name of a new photo with this vector, or this error in its place."""
        photo = photo_in(scope or self.scope)
        self.embedder.give(photo, result)
        return photo

    async def arrive(self, vectors: Sequence[Vector], **told: Any) -> list[str]:
        """Photos with these vectors, embedded; their names. ``told`` goes to ``created``."""
        return await self._embed([self.photo(vector) for vector in vectors], told)

    async def arrive_elsewhere(self, vectors: Sequence[Vector]) -> list[str]:
        """The same, in another scope."""
        scope = new_scope()
        return await self._embed([self.photo(vector, scope) for vector in vectors], {})

    async def _embed(self, photos: list[str], told: dict[str, Any]) -> list[str]:
        events = [created(photo, **told) for photo in photos]
        for start in range(0, len(events), BATCH):
            for outcome in await self.deliver(*events[start : start + BATCH]):
                assert outcome.error is None
        return photos

    async def deliver(self, *events: Event, fuse: Fuse | None = None) -> Sequence[Outcome]:
        """Hands events of one type to their handler and embeds what came in; the process dies when
        ``fuse`` says so."""
        outcomes = await self.note(*events, fuse=fuse)
        if events[0].type == "photo.created":
            await self.embed(fuse=fuse)
        return outcomes

    async def note(self, *events: Event, fuse: Fuse | None = None) -> Sequence[Outcome]:
        """Hands events of one type to their handler and embeds nothing."""
        store, index, _ = self._parts(fuse)
        handlers = {
            **CatalogConsumer(store, index, self.clock, lambda: None).subscriptions(),
            **PostConsumer(store, index).subscriptions(),
        }
        return await handlers[events[0].type].handler(events)

    async def embed(
        self,
        modality: Modality = Modality.PHOTOS,
        *,
        older: timedelta | None = None,
        batch: int = BATCH,
        fuse: Fuse | None = None,
    ) -> None:
        """Embeds all that is due, of items older than ``older`` if that is given; in a process of
        its own, or in the one that died before, started again."""
        before = None if older is None else self.clock.now() - older
        taker, self._dead = self._dead or uuid7(), ""
        try:
            await drain(self.dispatch(taker, batch, fuse), modality, before)
        except Died:
            self._dead = taker
            raise

    def dispatch(self, taker: str, batch: int = BATCH, fuse: Fuse | None = None) -> Dispatch:
        """What dispatchers need."""
        batches = dict.fromkeys(Modality, batch)
        return Dispatch(*self._parts(fuse), self.clock, taker, batches)

    def _parts(self, fuse: Fuse | None) -> tuple[Any, Any, Any]:
        parts = self.store, self.index, self.embedder
        return parts if fuse is None else tuple(Mortal(part, fuse) for part in parts)  # type: ignore[return-value]

    async def errors(self, *events: Event) -> list[Exception | None]:
        """What became of each event."""
        return [outcome.error for outcome in await self.deliver(*events)]

    def now(self) -> datetime:
        return self.clock.now()
