"""What people decide, as the use cases see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.curation import Curation
from services.clustering.domain.edit import Before, Edit, Place, Refusal
from services.clustering.domain.pillars import Assignment


class People(Protocol):
    """What people decide about clusters. Whoever changes it has locked the scope."""

    async def curation(self, scope: str, version: int) -> Curation:
        """All of it, with the members that are locked in a version."""

    async def pinned_keys(self, scope: str, version: int) -> frozenset[str]:
        """The keys of found clusters that people named, merged, or chose a hero or members for."""

    async def add(self, cluster: Cluster) -> None:
        """Adds a curated cluster."""

    async def save(self, cluster: Cluster) -> None:
        """Stores what people decide about one cluster."""

    async def delete(self, cluster: Cluster) -> None:
        """Deletes a cluster and all that hangs on it."""

    async def touch(self, cluster_ids: Sequence[str], now: datetime) -> None:
        """Notes that clusters changed, so that their etags do."""

    async def titled(self, scope: str, title: str, besides: str) -> str | None:
        """The id of a cluster in use with such a title, whatever its case, but not ``besides``."""

    async def by_ids(self, scope: str, cluster_ids: Sequence[str]) -> dict[str, Cluster]:
        """Clusters by id, each as the newest version that has it shows it."""

    async def vetoed(self, cluster_id: str) -> frozenset[str]:
        """The items that must not be the hero of a cluster."""

    async def refuse(self, wanted: Sequence[Refusal]) -> list[Refusal]:
        """Remembers refusals; answers those that are new."""

    async def accept(self, wanted: Sequence[Refusal]) -> list[Refusal]:
        """Takes refusals back; answers those that there were."""

    async def forget(self, item: str) -> None:
        """Takes back all that was decided about an item that is gone."""


class Places(Protocol):
    """Where the items of a version are. Whoever changes it has locked the scope."""

    async def of(self, scope: str, version: int, items: Sequence[str]) -> list[Place]:
        """Where these items are, those that are in a cluster."""

    async def within(self, cluster_ids: Sequence[str], version: int) -> list[Place]:
        """The places of all members of these clusters, in their order."""

    async def put(self, scope: str, version: int, places: Sequence[Place]) -> None:
        """Puts items there, wherever they were before."""

    async def take(self, scope: str, version: int, items: Sequence[str]) -> None:
        """Takes items out of the clusters that they are in."""

    async def last(self, cluster_id: str, version: int) -> int:
        """The last position in a cluster; 0 in an empty one."""

    async def recount(self, scope: str, version: int, cluster_ids: Sequence[str]) -> None:
        """Counts the members of clusters anew; those that the version lacks are in it then."""


class Edits(Protocol):
    """What people changed."""

    async def add(self, edit: Edit, before: Before) -> None:
        """Remembers an edit and how things were before it."""

    async def get(self, scope: str, edit_id: str) -> Edit | None:
        """The edit of that id, if it is one of the scope."""

    async def before(self, edit: Edit) -> Before:
        """How things were before an edit that can still be undone."""

    async def later(self, edit: Edit) -> str | None:
        """The id of the last edit after ``edit`` that changed a cluster of it and stands."""

    async def list(self, scope: str, cluster_id: str, page: PageRequest) -> Page[Edit]:
        """Edits of a scope, or of one cluster if ``cluster_id`` is given, newest first."""

    async def set_undone(self, edit: Edit) -> None:
        """Stores when an edit was undone; how things were before is forgotten."""

    async def forget(self, older: datetime) -> None:
        """Forgets how things were before edits older than that."""


class Pillars(Protocol):
    """Which clusters are assigned to which pillars."""

    async def put(self, assignment: Assignment) -> Assignment:
        """Adds an assignment, or replaces notes and primary of the one there is."""

    async def delete(self, cluster_id: str, pillar: str) -> bool:
        """Removes an assignment; False if there is none."""

    async def get(self, cluster_id: str, pillar: str) -> Assignment | None:
        """That assignment."""

    async def primary(self, cluster_id: str) -> Assignment | None:
        """The primary assignment of a cluster."""

    async def list(
        self, scope: str, cluster_id: str, pillar: str, page: PageRequest
    ) -> Page[Assignment]:
        """The assignments of a scope, oldest first; of one cluster or pillar where given."""
