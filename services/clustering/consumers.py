"""What the catalog's events mean here."""

from collections.abc import Sequence
from datetime import UTC
from typing import TypeVar

from colonnade.events.v1.event_pb2 import PhotoCreated, PhotoDeleted, PhotoUpdated, PostChanged
from google.protobuf.message import DecodeError, Message

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.events.stream import Event, Outcome, Reject, Retry, Subscription, batched, each
from libs.vectors.index import VectorIndex
from services.clustering.domain.facts import usage_of_post
from services.clustering.domain.item import Item, ItemKey
from services.clustering.domain.words import words_of
from services.clustering.ports import Description, Embedder, Store
from services.clustering.usecases.describing import describe_item, use_item
from services.clustering.usecases.embedding import Arrival, embed_items
from services.clustering.usecases.membership import forget_item

M = TypeVar("M", bound=Message)
LAST_ATTEMPT = 5


class CatalogConsumer:
    """Handles the stream of the catalog."""

    def __init__(
        self, store: Store, index: VectorIndex, embedder: Embedder, clock: Clock, *, batch: int
    ) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._clock = clock
        self._batch = batch

    def subscriptions(self) -> dict[str, Subscription]:
        """Who handles which type of event."""
        return {
            "photo.created": batched(self._created, self._batch),
            "photo.updated": each(self._updated),
            "photo.deleted": each(self._deleted),
        }

    async def _created(self, events: Sequence[Event]) -> Sequence[Outcome]:
        read = [_arrival(event) for event in events]
        arrivals = [arrival for arrival in read if isinstance(arrival, Arrival)]
        errors = await embed_items(self._store, self._index, self._embedder, arrivals)
        return [
            Outcome(one) if isinstance(one, Reject) else Outcome(errors.get(one.item.name))
            for one in read
        ]

    async def _updated(self, event: Event) -> None:
        message = _parsed(PhotoUpdated(), event)
        told = Description(
            photo=message.photo,
            pillar=message.pillar,
            tags=tuple(message.tags),
            archived=message.rights.archived,
            time=event.time,
            uses={},
        )
        try:
            await describe_item(self._store, self._index, told)
        except NotFound as error:
            raise Retry(f"{message.photo} is not here yet") from error

    async def _deleted(self, event: Event) -> None:
        key = _key(_parsed(PhotoDeleted(), event).photo)
        await forget_item(self._store, self._index, self._clock, key)


class PostConsumer:
    """Handles the stream of the scheduler."""

    def __init__(self, store: Store, index: VectorIndex) -> None:
        self._store = store
        self._index = index

    def subscriptions(self) -> dict[str, Subscription]:
        """Who handles which type of event."""
        return {"post.changed": each(self._changed)}

    async def _changed(self, event: Event) -> None:
        message = _parsed(PostChanged(), event)
        if not message.photo:
            return
        photo = _key(message.photo).name
        usage = usage_of_post(message.state, posted=message.HasField("posted_time"))
        try:
            await use_item(self._store, self._index, photo, message.post, usage, message.version)
        except NotFound as error:
            raise Retry(f"{photo} is not here yet") from error


def _arrival(event: Event) -> Arrival | Reject:
    """What arrived; a Reject, not raised, if it cannot be read, so that the others go on."""
    try:
        message = _parsed(PhotoCreated(), event)
        last_try = event.attempt >= LAST_ATTEMPT
        return Arrival(_item(message, event), last_try, message.cluster)
    except Reject as error:
        return error


def _item(message: PhotoCreated, event: Event) -> Item:
    key = _key(message.photo)
    path = message.source_path or message.file_name
    created = message.create_time
    return Item(
        name=key.name,
        point_id=key.point_id,
        scope=key.scope,
        blob_key=message.thumbnail_key,
        # Not the pillar: it says where people filed a photo, not what is to be seen on it.
        words=words_of(path, message.tags, ()),
        words_time=event.time,
        pixels=message.width * message.height,
        quality=message.quality if message.HasField("quality") else None,
        create_time=created.ToDatetime(UTC) if message.HasField("create_time") else event.time,
        pillar=message.pillar,
        tags=tuple(message.tags),
        described=True,
        taken_time=message.taken_time.ToDatetime(UTC) if message.HasField("taken_time") else None,
    )


def _key(photo: str) -> ItemKey:
    try:
        return ItemKey.of_photo(photo)
    except InvalidArgument as error:
        raise Reject(error.message) from error


def _parsed(message: M, event: Event) -> M:
    try:
        message.ParseFromString(event.payload)
    except DecodeError as error:
        raise Reject(f"{event.type} {event.id} cannot be read") from error
    return message
