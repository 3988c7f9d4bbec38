"""From events of other services to what the catalog does about them."""

import uuid
from collections.abc import Mapping
from typing import TypeVar

from colonnade.events.v1 import event_pb2
from google.protobuf.message import DecodeError, Message

from libs.errors import InvalidArgument
from libs.events.stream import Event, Reject, Subscription, each
from services.catalog.convert.values import moment
from services.catalog.domain.filing import distance_of
from services.catalog.domain.names import Key, photo_key
from services.catalog.domain.photo import Embedding, EmbeddingState, PostUse
from services.catalog.ports.filing import Near
from services.catalog.usecases.facts import FactCases

M = TypeVar("M", bound=Message)


class Consumers:
    """Handlers of the events that the catalog listens to."""

    def __init__(self, facts: FactCases) -> None:
        self._facts = facts

    def of_embeddings(self) -> Mapping[str, Subscription]:
        """What to do about events that tell of embeddings."""
        return {
            "photo.embedded": each(self.embedded),
            "photo.embedding_failed": each(self.embedding_failed),
        }

    def of_posts(self) -> Mapping[str, Subscription]:
        """What to do about events that tell of posts."""
        return {"post.changed": each(self.post_changed)}

    async def embedded(self, event: Event) -> None:
        """A photo can be searched."""
        message = _read(event, event_pb2.PhotoEmbedded())
        photo = _photo(message.photo)
        scene = _photo(message.scene) if message.scene else photo
        if scene.persona != photo.persona:
            raise Reject(f"{message.photo} cannot share a scene with {message.scene}")
        embedding = Embedding(EmbeddingState.READY, message.model, message.revision)
        await self._facts.embedded(event.id, photo, embedding, scene, _nearest(message))

    async def embedding_failed(self, event: Event) -> None:
        """A photo could not be embedded."""
        message = _read(event, event_pb2.PhotoEmbeddingFailed())
        embedding = Embedding(
            EmbeddingState.FAILED, error_reason=message.reason, error_message=message.message
        )
        await self._facts.embedding_failed(event.id, _photo(message.photo), embedding)

    async def post_changed(self, event: Event) -> None:
        """A post came to be, moved on, went out, or was called off."""
        message = _read(event, event_pb2.PostChanged())
        if not message.photo:
            return
        posted_time = moment(message, "posted_time", "posted_time")
        if message.state == "POSTED":
            posted_time = posted_time or event.time
        use = PostUse(message.state, posted_time)
        photo = _photo(message.photo)
        await self._facts.post_changed(event.id, photo, message.post, use, message.version)


def _read(event: Event, message: M) -> M:
    try:
        message.ParseFromString(event.payload)
    except DecodeError as error:
        raise Reject(f"{event.type}: the payload cannot be read: {error}") from error
    return message


def _nearest(message: event_pb2.PhotoEmbedded) -> list[Near]:
    """None where the event does not say what the similarities mean."""
    scene = message.scene_similarity
    if not 0 < scene < 1:
        return []
    return [
        Near(_photo(near.photo).id, near.similarity, distance_of(near.similarity, scene))
        for near in message.neighbours
    ]


def _photo(name: str) -> Key:
    try:
        key = photo_key(name)
        uuid.UUID(key.id)
    except (InvalidArgument, ValueError) as error:
        raise Reject(f"{name!r} is not the name of a photo") from error
    return key
