"""Clusters and their versions, as the use cases see them."""

from collections.abc import Sequence
from typing import Protocol

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Hero, Member, ScopeState
from services.clustering.domain.version import NewVersion


class Clusters(Protocol):
    """Clusters, their versions and members."""

    async def get(self, scope: str, cluster_id: str) -> Cluster | None:
        """A cluster as the newest version that has it shows it."""

    async def list(
        self, scope: str, version: int, page: PageRequest, conditions: Sequence[Condition] = ()
    ) -> Page[Cluster]:
        """The clusters of a version that meet conditions on state, origin and pillar, largest
        first; archived ones only if there is a condition on the state."""

    async def members(self, cluster_id: str, version: int, page: PageRequest) -> Page[Member]:
        """The members of a cluster in a version, most central first."""

    async def all_members(self, cluster_id: str, version: int) -> Sequence[Member]:
        """The same, all of them."""

    async def scope(self, scope: str) -> ScopeState:
        """What is remembered of a scope; version 0 if it was never clustered."""

    async def by_keys(self, scope: str, keys: Sequence[str]) -> dict[str, Cluster]:
        """The clusters of these keys, by key, each as the newest version that has it shows it."""

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        """The items of each found cluster of a version, by the cluster's key."""

    async def totals(self, scope: str, version: int) -> tuple[int, int]:
        """How many clusters a version has, and how many embedded items they have."""


class Versions(Protocol):
    """What changes the versions of clusters."""

    async def write(self, version: NewVersion, keep: int) -> None:
        """Stores a version; clusters that it does not have retire, all but ``keep`` versions go."""

    async def drop(self, items: Sequence[str]) -> list[Cluster]:
        """Takes items out of every version; answers the clusters that lost their hero by it, one
        for each version of a cluster."""

    async def set_hero(self, cluster_id: str, version: int, hero: Hero | None) -> None:
        """Replaces the hero of a cluster in a version."""
