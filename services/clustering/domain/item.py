"""Items: what is embedded, compared and grouped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ItemState(StrEnum):
    """Where the embedding of an item stands."""

    PENDING = "pending"
    READY = "ready"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Item:
    """A photo as the clustering service knows it.

    ``name`` is its resource name, ``point_id`` the id of its vector, ``words`` what may title a
    cluster, ``quality`` technical quality 0..1 where it was measured.
    """

    name: str
    point_id: str
    scope: str
    blob_key: str
    words: tuple[str, ...]
    pixels: int
    quality: float | None
    create_time: datetime
    state: ItemState = ItemState.PENDING
    collection: str = ""
    scene: str = ""


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
    item: str, neighbours: Sequence[Neighbour], scenes: dict[str, str], threshold: float
) -> str:
    """The scene that ``item`` belongs to: that of its nearest known neighbour at or above
    ``threshold``, else its own. ``scenes`` holds the scenes of the items that have one."""
    for neighbour in sorted(neighbours, key=lambda n: (-n.score, n.name)):
        if neighbour.score >= threshold and neighbour.name in scenes:
            return scenes[neighbour.name]
    return item
