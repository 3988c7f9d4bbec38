"""What there is before people change clusters, as far as the change needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.clustering.domain.cluster import Cluster, Member, ScopeState
from services.clustering.domain.edit import Place, Refusal
from services.clustering.domain.item import Item


@dataclass(frozen=True, slots=True)
class Scene:
    """The newest version around some clusters and items.

    ``clusters`` are those that were asked for, and those that the items are in, by id; ``places``
    where the items are, by item, those that are in any; ``live`` the items that exist in the scope;
    ``refusals`` those of the clusters and items; ``titled`` are the titles that were asked for
    and those of the clusters, each with the id of a cluster in use that has it, whatever its case.
    """

    state: ScopeState
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    live: frozenset[str] = frozenset()
    refusals: frozenset[Refusal] = frozenset()
    titled: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that may be the hero of a cluster: where it is, None for in no cluster, and the ids
    of the clusters whose hero it must not be."""

    item: Item
    member: Member
    cluster_id: str | None
    vetoed: frozenset[str]
