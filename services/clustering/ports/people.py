"""What people decide, as the use cases see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.curation import Curation
from services.clustering.domain.edit import Before, Edit
from services.clustering.domain.pillars import Assignment
from services.clustering.domain.scene import Scene


class People(Protocol):
    """What people decide about clusters."""

    async def curation(self, scope: str, version: int) -> Curation:
        """All of it, with the members that are locked in a version."""

    async def pinned_keys(self, scope: str, version: int) -> frozenset[str]:
        """The keys of found clusters that people named, merged, or chose a hero or members for."""

    async def scene(
        self,
        scope: str,
        cluster_ids: Sequence[str],
        items: Sequence[str] = (),
        within: Sequence[str] = (),
        title: str = "",
    ) -> Scene:
        """What there is around these clusters, items, the members of the clusters ``within``, and a
        title."""

    async def by_ids(self, scope: str, cluster_ids: Sequence[str]) -> dict[str, Cluster]:
        """Clusters by id, each as the newest version that has it shows it."""

    async def vetoed(self, cluster_id: str) -> frozenset[str]:
        """The items that must not be the hero of a cluster."""


class Edits(Protocol):
    """What people changed."""

    async def get(self, scope: str, edit_id: str) -> Edit | None:
        """The edit of that id, if it is one of the scope."""

    async def to_undo(self, scope: str, edit_id: str) -> tuple[Edit, Before, str | None] | None:
        """The edit of that id, how things were before it, and the id of the last edit after it that
        changed a cluster of it and stands."""

    async def list(self, scope: str, cluster_id: str, page: PageRequest) -> Page[Edit]:
        """Edits of a scope, or of one cluster if ``cluster_id`` is given, newest first."""

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
