"""Photos as the catalog tells of them, and vectors whose cosines are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from colonnade.events.v1.event_pb2 import (
    PhotoCreated,
    PhotoDeleted,
    PhotoRights,
    PhotoUpdated,
    PostChanged,
)
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.events.stream import Event
from libs.ids import uuid7
from libs.text.similarity import DIMENSIONS
from services.clustering.domain.item import Collection, Modality

DIMENSION = 32
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COLLECTION = Collection(
    name="photos-test-r1-f1",
    model="models/test",
    revision="r1",
    fingerprint="f1",
    dimension=DIMENSION,
    scene_threshold=0.90,
    duplicate_threshold=0.97,
)
OTHER = replace(
    COLLECTION,
    name="photos-other-r2-f2",
    model="models/other",
    revision="r2",
    fingerprint="f2",
    dimension=DIMENSION // 2,
)
"""Vectors of another model, of another length."""
TEXTS = Collection(
    name="texts-words-r1-f1",
    model="models/words",
    revision="r1",
    fingerprint="f1",
    dimension=DIMENSIONS,
    scene_threshold=0.80,
    duplicate_threshold=0.90,
    modality=Modality.TEXTS,
)
"""Vectors of texts."""
Vector = npt.NDArray[np.float32]


def axis(number: int) -> Vector:
    """A unit vector; those of different numbers have cosine 0."""
    return np.eye(DIMENSION, dtype=np.float32)[number]


def tilted(number: int, cosine: float, towards: int) -> Vector:
    """A unit vector with this cosine to ``axis(number)``."""
    return np.float32(cosine) * axis(number) + np.float32((1 - cosine**2) ** 0.5) * axis(towards)


def subject(number: int, count: int, *, within: float = 0.6, seed: int = 0) -> list[Vector]:
    """Vectors of ``count`` photos of one subject; the mean cosine of two is about ``within``."""
    generator = np.random.default_rng([seed, number])
    noise = generator.normal(size=(count, DIMENSION))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    rows = within**0.5 * axis(number) + (1 - within) ** 0.5 * noise
    return list((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


def new_scope() -> str:
    """A scope that nobody else has."""
    return f"personas/p{uuid7().replace('-', '')}"


def photo_in(scope: str) -> str:
    """The name of a new photo."""
    return f"{scope}/photos/{uuid7()}"


def key_of(photo: str) -> str:
    """Where its thumbnail lies."""
    return f"thumbnails/{photo.rpartition('/')[2]}.jpg"


def created(
    photo: str,
    *,
    tags: Sequence[str] = (),
    pillar: str = "",
    path: str = "",
    size: tuple[int, int] = (1000, 800),
    quality: float | None = None,
    time: datetime = NOON,
    thumbnail_key: str | None = None,
    cluster: str = "",
    filed: str = "",
    taken: datetime | None = None,
    measures: Mapping[str, float] | None = None,
    texts: Sequence[str] = (),
) -> Event:
    """``photo.created``, told at ``time``, which is also when the photo came in; ``filed`` under
    this pillar, which people call ``pillar``."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    message = PhotoCreated(
        photo=photo,
        pillar=filed,
        pillar_display_name=pillar,
        thumbnail_key=key_of(photo) if thumbnail_key is None else thumbnail_key,
        source_path=path,
        tags=tags,
        width=size[0],
        height=size[1],
        quality=quality,
        create_time=stamp,
        cluster=cluster,
        measures=measures,
        texts=texts,
    )
    if taken is not None:
        message.taken_time.FromDatetime(taken)
    return event_of("photo.created", photo, message, time)


def updated(
    photo: str,
    *,
    tags: Sequence[str] = (),
    pillar: str = "",
    time: datetime = NOON,
    filed: str = "",
    archived: bool = False,
) -> Event:
    """``photo.updated``."""
    message = PhotoUpdated(
        photo=photo,
        pillar=filed,
        pillar_display_name=pillar,
        tags=tags,
        rights=PhotoRights(archived=archived),
    )
    return event_of("photo.updated", photo, message, time)


def used(photo: str, state: str, *, post: str = "", version: int = 1) -> Event:
    """``post.changed`` of a post that uses the photo."""
    post = post or f"{photo.partition('/photos/')[0]}/posts/{uuid7()}"
    message = PostChanged(post=post, photo=photo, state=state, version=version)
    return event_of("post.changed", photo, message, NOON)


def deleted(photo: str, *, time: datetime = NOON) -> Event:
    """``photo.deleted``."""
    return event_of("photo.deleted", photo, PhotoDeleted(photo=photo), time)


def event_of(type: str, photo: str, message: Message, time: datetime) -> Event:
    """An event as the catalog's outbox writes it."""
    return Event(uuid7(), type, photo, photo, message.SerializeToString(), time)


def at_attempt(event: Event, attempt: int) -> Event:
    """The same event, delivered once more."""
    return replace(event, attempt=attempt)
