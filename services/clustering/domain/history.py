"""Clusters through time: what a version is, and what makes the next one of the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from services.clustering.domain.cluster import Cluster, ScopeState
from services.clustering.domain.edit import Before, Edit, Refusal


class VersionKind(StrEnum):
    """Who made a version."""

    RUN = "run"
    EDIT = "edit"
    UNDO = "undo"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Change:
    """Where an item is from a version on: in a cluster, as one of its members (see Member), or in
    none."""

    item: str
    cluster_id: str | None
    similarity: float | None = None
    duplicate_of: str = ""
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Diff:
    """What became of clusters in a version; all ids.

    ``split`` names for a cluster all those (itself included, if it lives on) that took a real share
    of its members, ``merged`` for one that ended the one with most of its members; ``retired``
    ended with its members spread out or gone.
    """

    born: tuple[str, ...] = ()
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    retired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What people decided with a version: the ``edit`` that is to be remembered, if any, with what
    an undo of it needs, the id of the edit that was ``undone``, and what became of refusals."""

    edit: Edit | None = None
    before: Before = field(default_factory=Before)
    undone: str = ""
    refused: Sequence[Refusal] = ()
    accepted: Sequence[Refusal] = ()


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be stored: only what is other than in the one before.

    ``state`` is what is remembered of the scope with it, ``state.version`` its number; ``cause``
    the name of the run or edit that made it. ``changes`` has each item once whose place is
    another one. ``clusters`` are those that are new or other than before, as they are from now
    on; their members are counted when it is stored, whatever they say. ``retired`` are the ids
    of those that are found no more, ``merged`` names heirs for some of them; ``deleted`` are
    seen in earlier versions alone. ``items`` is how many a run looked at, ``duplicates`` how
    many of them are copies, None for as many as before. ``settled`` are items that the engine's
    memory has from now on, ``departed`` those that it has no more.

    With ``staged``, the id of a run, what was staged for it is the whole membership, and
    ``changes`` come on top of that: who is neither staged nor changed is in no cluster. Locked
    items stay where they are, refused ones are in none, and whatever is staged is settled.
    """

    state: ScopeState
    kind: VersionKind
    cause: str
    time: datetime
    changes: Sequence[Change] = ()
    clusters: Sequence[Cluster] = ()
    retired: Sequence[str] = ()
    merged: Mapping[str, str] = field(default_factory=dict)
    deleted: Sequence[str] = ()
    diff: Diff = field(default_factory=Diff)
    items: int | None = None
    duplicates: int | None = None
    settled: Sequence[str] = ()
    departed: Sequence[str] = ()
    staged: str = ""
    decision: Decision = field(default_factory=Decision)


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it stands in the list of all of a scope."""

    scope: str
    version: int
    kind: VersionKind
    cause: str
    create_time: datetime
    pinned: bool
    items: int
    clustered: int
    clusters: int
    duplicates: int
    diff: Diff
    state_key: str


@dataclass(frozen=True, slots=True)
class Moved:
    """An item that counts in other clusters than before; None stands for none. A copy of another
    one counts in none."""

    item: str
    before: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Departure:
    """An item that was deleted since the last run.

    ``cluster_id`` is where the memory has it, None for in no cluster; ``vector`` what it has of it
    in ``collection``, None where the index did not have it; ``weight`` how much it counts there, 0
    for a copy of another item.
    """

    scope: str
    item: str
    point_id: str
    collection: str
    cluster_id: str | None
    vector: npt.NDArray[np.float32] | None
    weight: float


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows a pruning removed, or would remove."""

    versions: int = 0
    members: int = 0
    clusters: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(
            self.versions + other.versions,
            self.members + other.members,
            self.clusters + other.clusters,
        )
