"""Items: what is embedded, compared and grouped."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition, InvalidArgument
from libs.names import pattern
from libs.vectors.index import Payload
from services.clustering.domain.facts import Usage, payload_of

PHOTO = pattern("personas/{persona}/photos/{photo}")
TEXT = pattern("projects/{project}/items/{item}")


class Modality(StrEnum):
    """What kind of items a collection of vectors is of."""

    PHOTOS = "photos"
    TEXTS = "texts"


def modality_of(scope: str) -> Modality:
    """What kind of items a scope has."""
    return Modality.TEXTS if scope.startswith("projects/") else Modality.PHOTOS


class ItemState(StrEnum):
    """Where an item stands in a generation of vectors."""

    PENDING = "pending"
    READY = "ready"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What identifies an item: its resource name, its scope, and the id of its vector."""

    name: str
    scope: str
    point_id: str

    @classmethod
    def of_photo(cls, name: str) -> "ItemKey":
        """The key of a photo. Raises InvalidArgument if ``name`` is not that of one."""
        persona, photo = PHOTO.parse(name, "photo")
        try:
            point_id = str(uuid.UUID(photo))
        except ValueError as error:
            raise InvalidArgument.of("photo", f"must end in a UUID, not {photo!r}") from error
        return cls(name, f"personas/{persona}", point_id)


@dataclass(frozen=True, slots=True)
class Item:
    """A photo as the clustering service knows it.

    ``name`` is its resource name, ``point_id`` the id of its vector, ``words`` what may title a
    cluster as of ``words_time``, ``quality`` technical quality 0..1 where it was measured, with
    ``sharpness`` and ``exposure`` as two parts of it.
    ``state``, ``collection`` and ``scene`` say where it stands in one generation of vectors, the
    active one unless another was asked for; ``attempts`` counts the tries that failed there by its
    own fault. ``facts`` counts the changes of what the index keeps
    beside its vectors; ``synced`` is the last of them that the index is known to have, 0 if none.
    ``prose`` of a new one is what else is written in it, to be found by its words; it is not read
    again.
    """

    name: str
    point_id: str
    scope: str
    blob_key: str
    words: tuple[str, ...]
    words_time: datetime
    pixels: int
    quality: float | None
    create_time: datetime
    state: ItemState = ItemState.PENDING
    collection: str = ""
    scene: str = ""
    pillar: str = ""
    tags: tuple[str, ...] = ()
    usage: Usage = Usage.UNUSED
    archived: bool = False
    facts: int = 1
    synced: int = 0
    described: bool = False
    taken_time: datetime | None = None
    sharpness: float | None = None
    exposure: float | None = None
    attempts: int = 0
    prose: str = ""

    @property
    def modality(self) -> Modality:
        """What kind of item it is."""
        return modality_of(self.scope)

    @property
    def payload(self) -> Payload:
        """What the index keeps beside its vector."""
        return payload_of(
            self.scope,
            self.pillar,
            self.tags,
            self.usage,
            self.create_time,
            archived=self.archived,
            quality=self.quality,
        )


@dataclass(frozen=True, slots=True)
class Collection:
    """The vectors of one model, revision and preprocessing; only these may be compared.

    ``scene_threshold`` and ``duplicate_threshold`` are cosines that belong to the model.
    """

    name: str
    model: str
    revision: str
    fingerprint: str
    dimension: int
    scene_threshold: float
    duplicate_threshold: float
    modality: Modality = Modality.PHOTOS

    def is_like(self, other: "Collection") -> bool:
        """Whether the vectors of both may be compared."""
        ours = self.model, self.revision, self.fingerprint, self.dimension
        return ours == (other.model, other.revision, other.fingerprint, other.dimension)

    def require_same(self, model: str, revision: str, fingerprint: str) -> None:
        """Raises FailedPrecondition (MODEL_CHANGED) for vectors that must not be compared with
        those of this collection."""
        if (model, revision, fingerprint) != (self.model, self.revision, self.fingerprint):
            raise FailedPrecondition(
                f"the embedding service makes vectors of {model} {revision} {fingerprint}, those "
                f"in use are of {self.model} {self.revision} {self.fingerprint}; create a "
                "generation for them",
                reason="MODEL_CHANGED",
                metadata={"model": model},
            )

    @property
    def pair_floor(self) -> float:
        """The least cosine at which a pair of items is remembered."""
        return min(self.scene_threshold, self.duplicate_threshold)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items that are nearly the same; ``first`` < ``second``."""

    first: str
    second: str
    score: float

    @classmethod
    def of(cls, one: str, other: str, score: float) -> "Pair":
        """The pair of two items, whichever comes first."""
        return cls(min(one, other), max(one, other), score)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item near another one, by cosine."""

    name: str
    score: float


def scene_of(
    item: str, neighbours: Sequence[Neighbour], scenes: Mapping[str, str], threshold: float
) -> str:
    """The scene that ``item`` belongs to: that of its nearest known neighbour at or above
    ``threshold``, else its own. ``scenes`` holds the scenes of the items that have one."""
    for neighbour in sorted(neighbours, key=lambda n: (-n.score, n.name)):
        if neighbour.score >= threshold and neighbour.name in scenes:
            return scenes[neighbour.name]
    return item


def assign_scenes(
    items: Iterable[str], pairs: Iterable[Pair], scenes: Mapping[str, str], threshold: float
) -> dict[str, str]:
    """The scenes of ``items``, which have none yet, given one after the other.

    So two of them that are near each other share one. ``pairs`` are all pairs that they are in.
    """
    near = neighbours_of(pairs)
    known = dict(scenes)
    given = {}
    for name in sorted(items):
        known[name] = given[name] = scene_of(name, near.get(name, ()), known, threshold)
    return given


def neighbours_of(pairs: Iterable[Pair]) -> dict[str, list[Neighbour]]:
    """The neighbours of every item that is in a pair."""
    near: dict[str, list[Neighbour]] = {}
    for pair in pairs:
        near.setdefault(pair.first, []).append(Neighbour(pair.second, pair.score))
        near.setdefault(pair.second, []).append(Neighbour(pair.first, pair.score))
    return near
