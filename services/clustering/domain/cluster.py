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
class Member:
    """One item of a cluster; ``position`` counts from 1, most central first."""

    item: str
    similarity: float
    position: int
    duplicate_of: str = ""
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster in one version of its scope. ``key`` is the engine's name for it."""

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
    hero: Hero | None = None
    member_count: int = 0
    cohesion: float = 0.0
    version: int = 0
    row_version: int = 1


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """A cluster as a run hands it over to be stored."""

    cluster: Cluster
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What is remembered of a scope between runs.

    ``state_key`` is where the engine's memory lies, ``next_key`` the number of the next key.
    """

    scope: str
    version: int = 0
    state_key: str = ""
    next_key: int = 1
    collection: str = ""
