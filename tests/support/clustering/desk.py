"""The consumer of the catalog's stream with all that it needs, fed by hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.errors import ColonnadeError
from libs.events.stream import Event, Outcome
from libs.vectors.index import VectorIndex
from services.clustering.consumers import CatalogConsumer, PostConsumer
from services.clustering.ports import Store
from tests.support.clock import FakeClock
from tests.support.clustering.fakes import FakeEmbedder
from tests.support.clustering.faults import Fuse, Mortal
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
        """Hands events of one type to their handler, which dies when ``fuse`` says so."""
        parts: list[Any] = [self.store, self.index, self.embedder]
        if fuse is not None:
            parts = [Mortal(part, fuse) for part in parts]
        handlers = {
            **CatalogConsumer(*parts, self.clock, batch=BATCH).subscriptions(),
            **PostConsumer(*parts[:2]).subscriptions(),
        }
        return await handlers[events[0].type].handler(events)

    async def errors(self, *events: Event) -> list[Exception | None]:
        """What became of each event."""
        return [outcome.error for outcome in await self.deliver(*events)]

    def now(self) -> datetime:
        return self.clock.now()
