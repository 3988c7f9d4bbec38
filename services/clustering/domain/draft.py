"""A version on its way to be stored by a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.clustering.algorithms.memory import Memory
from services.clustering.algorithms.titles import Named
from services.clustering.domain.cluster import Cluster, ScopeState
from services.clustering.domain.history import Change, Diff
from services.clustering.domain.run import Stats


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a version but what is counted when it is stored.

    ``seen`` is the scope as it was when the draft was made. ``changes`` are the places that are
    other than before, by item, or with ``staged`` on top of what is staged. ``clusters`` are those
    that are new or other than before. ``memory`` is None where no engine can go on from it.
    ``named`` are the clusters that were named, ``changed`` how many members each got and lost.
    ``copies`` is how many copies more there are in clusters than before; None says that
    ``stats.duplicates`` has them all. ``leaving`` are the items that were on their way out when it
    was begun.
    """

    seen: ScopeState
    collection: str
    changes: Mapping[str, Change]
    clusters: tuple[Cluster, ...]
    retired: tuple[str, ...]
    merged: Mapping[str, str]
    diff: Diff
    settled: tuple[str, ...]
    departed: tuple[str, ...]
    memory: Memory | None
    next_key: int
    stats: Stats
    named: Mapping[str, Named] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    copies: int | None = None
    staged: str = ""
    leaving: frozenset[str] = frozenset()
