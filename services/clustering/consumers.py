"""What the catalog's events mean here."""

from collections.abc import Sequence
from typing import TypeVar

from colonnade.events.v1.event_pb2 import PhotoCreated, PhotoDeleted, PhotoUpdated
from google.protobuf.message import DecodeError, Message

from libs.events.stream import DONE, Event, Outcome, Reject, Subscription, batched, each
from libs.vectors.index import VectorIndex
from services.clustering.domain.item import Item
from services.clustering.domain.words import replaced, words_of
from services.clustering.ports import Embedder, Store
from services.clustering.usecases.embedding import Arrival, embed_items, forget_item

M = TypeVar("M", bound=Message)
LAST_ATTEMPT = 5


class CatalogConsumer:
    """Handles the stream of the catalog."""

    def __init__(self, store: Store, index: VectorIndex, embedder: Embedder, *, batch: int) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._batch = batch

    def subscriptions(self) -> dict[str, Subscription]:
        """Who handles which type of event."""
        return {
            "photo.created": batched(self._created, self._batch),
            "photo.updated": each(self._updated),
            "photo.deleted": each(self._deleted),
        }

    async def _created(self, events: Sequence[Event]) -> Sequence[Outcome]:
        arrivals = [_arrival(event) for event in events]
        errors = await embed_items(self._store, self._index, self._embedder, arrivals)
        return [Outcome(error) if error else DONE for error in errors]

    async def _updated(self, event: Event) -> None:
        message = _parsed(PhotoUpdated(), event)
        async with self._store.begin() as tx:
            item = await tx.items.get(message.photo)
            if item is not None:
                words = replaced(item.words, message.tags, [message.pillar_display_name])
                await tx.items.set_words(item.name, words)
            await tx.commit()

    async def _deleted(self, event: Event) -> None:
        await forget_item(self._store, self._index, _parsed(PhotoDeleted(), event).photo)


def _arrival(event: Event) -> Arrival:
    message = _parsed(PhotoCreated(), event)
    persona, _, photo_id = message.photo.partition("/photos/")
    item = Item(
        name=message.photo,
        point_id=photo_id,
        scope=persona,
        blob_key=message.thumbnail_key,
        words=words_of(
            message.source_path or message.file_name, message.tags, [message.pillar_display_name]
        ),
        pixels=message.width * message.height,
        quality=message.quality if message.HasField("quality") else None,
        create_time=event.time,
    )
    return Arrival(item, event.id, event.attempt >= LAST_ATTEMPT)


def _parsed(message: M, event: Event) -> M:
    try:
        message.ParseFromString(event.payload)
    except DecodeError as error:
        raise Reject(f"{event.type} {event.id} cannot be read") from error
    return message
