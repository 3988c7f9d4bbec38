"""Clusters and their versions, as the use cases see them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster, Hero, Member, Order, ScopeState
from services.clustering.domain.edit import Place
from services.clustering.domain.history import (
    Change,
    Departure,
    Moved,
    NewVersion,
    Pruned,
    Version,
)
from services.clustering.domain.scene import Candidate


@dataclass(frozen=True, slots=True)
class MemberPage(Page[Member]):
    """Some members, what is written in texts with them; on the first page also how many texts of
    the cluster come from which source."""

    sources: Mapping[str, int] = field(default_factory=dict)


class Clusters(Protocol):
    """Clusters and their members, as any version that is kept shows them. Items that were deleted
    since are in none."""

    async def get(self, scope: str, cluster_id: str, version: int | None = None) -> Cluster | None:
        """A cluster as a version shows it; for None as the newest one that has it does."""

    async def list(
        self,
        scope: str,
        version: int,
        page: PageRequest,
        conditions: Sequence[Condition] = (),
        order: Order = Order.SIZE,
    ) -> Page[Cluster]:
        """The clusters of a version that meet conditions on state, origin and pillar; archived ones
        only if there is a condition on the state."""

    async def members(self, cluster_id: str, version: int, page: PageRequest) -> MemberPage:
        """The members of a cluster in a version, most central first."""

    async def all_members(self, cluster_id: str, version: int) -> Sequence[Member]:
        """The same, all of them."""

    async def candidates(
        self, cluster_ids: Sequence[str], names: Sequence[str] = ()
    ) -> Sequence[Candidate]:
        """The members that these clusters have now, of large ones the most central, and the items
        of these names; those that exist, most central first."""

    async def scope(self, scope: str) -> ScopeState:
        """What is remembered of a scope; version 0 if nothing ever happened in it."""

    async def by_keys(self, scope: str, keys: Sequence[str]) -> dict[str, Cluster]:
        """The clusters of these keys, by key, each as the newest version that has it shows it."""

    async def member_sets(self, scope: str, version: int) -> dict[str, tuple[str, ...]]:
        """The items of each found cluster of a version, by the cluster's key."""

    async def totals(self, scope: str, version: int) -> tuple[int, int]:
        """How many clusters a version has, and how many embedded items they have."""


class Versions(Protocol):
    """What changes the versions of clusters. Whoever does has locked the scope."""

    async def write(self, version: NewVersion) -> dict[str, Cluster]:
        """Stores a version; answers the clusters that it shows otherwise than the one before, by
        id. For usecases.history.add_version alone."""

    async def stage(self, run_id: str, changes: Sequence[Change]) -> None:
        """Keeps a part of the whole membership that a run is about to write."""

    async def unstage(self, run_id: str) -> None:
        """Forgets what was staged for a run."""

    async def left_staged(self) -> list[str]:
        """The ids of runs that ended or are gone and for which something is staged."""

    async def unstage_some(self, run_id: str, limit: int) -> int:
        """Forgets so much of what was staged for a run at most; answers how much."""

    async def moved(self, scope: str, after: int) -> list[Moved]:
        """The items that the memory has and that count in other clusters since a version."""

    async def drop(self, scope: str, items: Sequence[str]) -> list[Cluster]:
        """Takes items out of every version; answers the clusters that lack a hero now. Their copies
        are copies no more, and wait for a run. In earlier versions, the most central one of the
        rest follows a hero."""

    async def outdate(self, scopes: Collection[str]) -> None:
        """Has whoever is at work on a version of these scopes look again: vectors change."""

    async def set_hero(self, cluster_id: str, hero: Hero | None) -> None:
        """Replaces the hero that a cluster has now."""

    async def get(self, scope: str, version: int) -> Version | None:
        """A version, if it is kept."""

    async def newest(self, scope: str) -> Version | None:
        """The newest version of a scope, if there is any."""

    async def pin(self, scope: str, version: int, *, pinned: bool) -> None:
        """Has a version kept whatever its age, or not."""

    async def free_titles(self, cluster_ids: Sequence[str]) -> None:
        """Lets others have the titles of these clusters, which the next version names anew."""

    async def unclaimed(self, blobs: Mapping[str, str]) -> list[str]:
        """The keys of ``blobs``, each with the id of the run that wrote it, of runs that are not
        active and to which no version leads."""

    async def outdated(self, before: datetime) -> Pruned:
        """What ``prune`` would remove in the end."""

    async def old_memories(self, scope: str, limit: int) -> list[str]:
        """Where memories lie that a newer one of the same scope follows; '' for those of all
        scopes."""

    async def forget_memories(self, keys: Sequence[str]) -> None:
        """Notes that the memories with these keys are gone."""

    async def prunable(self, before: datetime, after: str, limit: int) -> list[str]:
        """The scopes that come ``after`` one by name and have something to prune."""

    async def prune(self, scope: str, before: datetime, limit: int) -> Pruned:
        """Removes versions of a scope older than a moment, but for pinned ones, the newest one, the
        one that its memory knows, and those whose memory is still there; and rows that no kept
        version shows: so many of each kind at most. Answers what it removed."""


class Departures(Protocol):
    """Items that were deleted and that the engine's memory still has."""

    async def seen(self, names: Sequence[str]) -> dict[str, str]:
        """The items that the memory of their scope has, each with the collection of its vector."""

    async def places(self, scopes: Collection[str], names: Sequence[str]) -> dict[str, Place]:
        """Where the memory of their scopes has these items, those that it has in a cluster: where
        they were in its version, whatever people did since. Asked before they are dropped."""

    async def add(self, departures: Sequence[Departure]) -> None:
        """Remembers departures, each item once."""

    async def waiting(self, scope: str) -> list[Departure]:
        """Those of a scope, by item."""
