"""What the engine is given about the past, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.memory import Memory

Vector = npt.NDArray[np.float32]


class RefitReason(StrEnum):
    """Why a full fit is due."""

    SMALL = "small"
    GROWTH = "growth"
    POOL = "pool"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Group:
    """One group of items.

    ``key`` is stable over fits and updates and never given to another group. ``members`` are in
    descending order of ``similarities`` (then by id), copies included; ``similarities[i]`` is the
    cosine of ``members[i]`` to ``centroid``, a unit vector in the space of the embedding model.
    ``cohesion`` is the mean pairwise cosine of the distinct members after centring, -1..1.
    """

    key: str
    members: tuple[str, ...]
    similarities: tuple[float, ...]
    centroid: Vector
    cohesion: float


@dataclass(frozen=True, slots=True)
class Diff:
    """What happened to the groups since the previous clustering; all keys.

    ``split`` maps an old key to the keys of all groups (itself included, if it lives on) that took
    a real share of its members; ``merged`` maps an old key that ended to the group that took most
    of its members; ``retired`` ended with its members spread out or gone.
    """

    born: tuple[str, ...] = ()
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    retired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Previous:
    """The groups before a fit: ids by key, the keys to match first, the number of the next key.

    ``pinned`` are the groups that a person named or pinned. ``next_key`` must be greater than the
    number of every key ever given in this scope, rolled back versions included.
    """

    groups: Mapping[str, tuple[str, ...]]
    next_key: int
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Membership:
    """How likely an item belongs to which groups: ``shares`` 0..1 of the likeliest by key, and
    that of standing ``alone``; what is left belongs to other groups."""

    shares: Mapping[str, float]
    alone: float


@dataclass(frozen=True, slots=True)
class Clustering:
    """The answer of a fit.

    Every id given is in exactly one of: one group's members, ``unclustered``, ``rejected`` (its
    vector is zero or not finite). ``duplicates`` maps each copy to its representative; a copy
    is where its representative is. Steps go on from ``memory``.
    """

    groups: tuple[Group, ...]
    unclustered: tuple[str, ...]
    duplicates: Mapping[str, str]
    rejected: tuple[str, ...]
    diff: Diff
    memory: Memory

    def labels(self) -> dict[str, str]:
        """The key of the group of each clustered id."""
        return {member: group.key for group in self.groups for member in group.members}
