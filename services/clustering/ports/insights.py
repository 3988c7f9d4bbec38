"""Clusters looked at closely, as the use cases see it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Placed:
    """A member of a cluster that has a vector in the active generation ``collection``, whose scenes
    begin at the cosine ``scene``; ``members`` is how many the cluster has in all. The rest is as in
    Member and Item."""

    cluster_id: str
    item: str
    point_id: str
    collection: str
    scene: float
    members: int
    similarity: float | None
    duplicate_of: str
    quality: float | None
    sharpness: float | None
    exposure: float | None
    pixels: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Face:
    """A cluster by its hero: the id of that one's vector."""

    cluster_id: str
    title: str
    point_id: str


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an item is: in the cluster ``cluster_id``, None for none, ``locked`` there by a person.

    ``version`` is that of its scope. The engine's memory of the scope lies at ``state_key``, and
    has the item's vector as ``point_id`` in ``collection``; it counts the item in the group of the
    key ``counted_in``, '' for none.
    """

    point_id: str
    version: int
    state_key: str
    collection: str
    cluster_id: str | None
    locked: bool
    counted_in: str


class Insights(Protocol):
    """What looking closely at clusters needs to read, all of the newest version."""

    async def central(
        self, scope: str, cluster_id: str, most: int, besides: Collection[str] = ()
    ) -> list[Placed]:
        """The most central members of a cluster, and those of ``besides`` that are members."""

    async def spread(self, scope: str, cluster_ids: Collection[str], most: int) -> list[Placed]:
        """The members of clusters, the most central first; of a larger one so many, at even
        distances from the most central to the least."""

    async def faces(self, scope: str, besides: str, most: int) -> list[Face]:
        """The clusters of a scope that are in use and have a hero, the largest first, without one
        of them."""

    async def sample(self, scope: str, most: int) -> list[str]:
        """Ids of the vectors of about so many photos of a scope, from all of its time."""

    async def whereabouts(self, item: str) -> Whereabouts | None:
        """Where an item is, if it exists."""
