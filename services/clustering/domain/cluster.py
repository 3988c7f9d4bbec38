"""Clusters and their versions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ClusterState(StrEnum):
    """Whether a cluster is in use."""

    ACTIVE = "active"
    DRAFT = "draft"
    ARCHIVED = "archived"
    RETIRED = "retired"


class Origin(StrEnum):
    """Who made a cluster."""

    FOUND = "found"
    CURATED = "curated"


class Order(StrEnum):
    """Which clusters come first in a list: the largest, or those that changed last."""

    SIZE = "size"
    RECENT = "recent"


@dataclass(frozen=True, slots=True)
class HeroPart:
    """One part of a hero's score: its value 0..1 and its weight 0..1."""

    id: str
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class Hero:
    """The member that best stands for a cluster."""

    item: str
    score: float
    parts: tuple[HeroPart, ...] = ()
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What lists show of a text."""

    title: str
    beginning: str
    source: str


@dataclass(frozen=True, slots=True)
class Member:
    """One item of a cluster; ``position`` counts from 1, most central first.

    ``similarity`` is its cosine to the centroid, None where no run has compared it. A ``locked``
    one was put there by a person, and no run moves it. ``excerpt`` is of a text where it was read
    for a list; one that is ``gone`` was closed or deleted, and is about to leave the cluster.
    """

    item: str
    similarity: float | None
    position: int
    duplicate_of: str = ""
    locked: bool = False
    excerpt: Excerpt | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster in one version of its scope.

    ``key`` is the engine's name for a found one, the id of a curated one. What is pinned was
    decided by a person and is kept by runs: the title, the hero (``pinned_hero``, an item), and
    that it was merged into another one. ``version`` is the one that shows it so, ``since`` the one
    that made it so; each is 0 where no kept version has it.
    """

    id: str
    scope: str
    key: str
    title: str
    create_time: datetime
    update_time: datetime
    summary: str = ""
    prompt_hint: str = ""
    title_pinned: bool = False
    state: ClusterState = ClusterState.ACTIVE
    origin: Origin = Origin.FOUND
    merged_into: str = ""
    merge_pinned: bool = False
    pinned_hero: str = ""
    hero: Hero | None = None
    member_count: int = 0
    cohesion: float = 0.0
    version: int = 0
    row_version: int = 1
    since: int = 0

    @property
    def etag(self) -> str:
        """Changes with every change of it or of its members."""
        return f"{self.row_version}-{self.since}"

    @property
    def curated(self) -> bool:
        """Whether people made it."""
        return self.origin is Origin.CURATED


@dataclass(frozen=True, slots=True)
class VersionedCluster:
    """A cluster of a new version with its members, to be stored."""

    cluster: Cluster
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What is remembered of a scope between runs.

    ``state_key`` is where the engine's memory lies, ``memory_version`` the version whose members it
    knows, ``next_key`` the number of the next key. ``erasures`` counts the deletions of items,
    which take them out of versions that there were already: a version shows the same for as long
    as it does not grow.
    """

    scope: str
    version: int = 0
    state_key: str = ""
    next_key: int = 1
    collection: str = ""
    memory_version: int = 0
    erasures: int = 0
