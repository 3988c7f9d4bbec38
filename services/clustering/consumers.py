"""What the catalog's events mean here."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import TypeVar

from colonnade.events.v1.event_pb2 import PhotoCreated, PhotoDeleted, PhotoUpdated, PostChanged
from google.protobuf.message import DecodeError, Message

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.events.stream import DONE, Event, Outcome, Reject, Retry, Subscription, batched, each
from libs.vectors.index import VectorIndex
from services.clustering.domain.facts import usage_of_post
from services.clustering.domain.item import Item, ItemKey
from services.clustering.domain.words import words_of
from services.clustering.ports import Description, Store
from services.clustering.usecases.describing import describe_item, use_item
from services.clustering.usecases.membership import forget_item
from services.clustering.usecases.noting import Arrival, note_items

M = TypeVar("M", bound=Message)
_BATCH = 64


class CatalogConsumer:
    """Handles the stream of the catalog."""

    def __init__(
        self, store: Store, index: VectorIndex, clock: Clock, wake: Callable[[], None]
    ) -> None:
        """``wake`` is called when photos came in that wait for their vectors."""
        self._store = store
        self._index = index
        self._clock = clock
        self._wake = wake

    def subscriptions(self) -> dict[str, Subscription]:
        """Who handles which type of event."""
        return {
            "photo.created": batched(self._created, _BATCH),
            "photo.updated": each(self._updated),
            "photo.deleted": each(self._deleted),
        }

    async def _created(self, events: Sequence[Event]) -> Sequence[Outcome]:
        read = [_arrival(event) for event in events]
        arrivals = [arrival for arrival in read if isinstance(arrival, Arrival)]
        if arrivals:
            await note_items(self._store, arrivals)
            self._wake()
        return [Outcome(one) if isinstance(one, Reject) else DONE for one in read]

    async def _updated(self, event: Event) -> None:
        message = _parsed(PhotoUpdated(), event)
        told = Description(
            photo=message.photo,
            pillar=message.pillar,
            tags=tuple(message.tags),
            archived=message.rights.archived,
            time=event.time,
            uses={},
            texts=tuple(message.texts),
            sharpness=_measured(message, "sharpness"),
            exposure=_measured(message, "exposure"),
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
        return Arrival(_item(message, event), message.cluster)
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
        words=words_of(path, message.tags, message.texts),
        words_time=event.time,
        pixels=message.width * message.height,
        quality=message.quality if message.HasField("quality") else None,
        create_time=created.ToDatetime(UTC) if message.HasField("create_time") else event.time,
        pillar=message.pillar,
        tags=tuple(message.tags),
        described=True,
        taken_time=message.taken_time.ToDatetime(UTC) if message.HasField("taken_time") else None,
        sharpness=_measured(message, "sharpness"),
        exposure=_measured(message, "exposure"),
    )


def _measured(message: PhotoCreated | PhotoUpdated, name: str) -> float | None:
    return message.measures.get(name)


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
