"""What clusters are called and what is written about them, as the use cases see it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.lease import Lease
from services.clustering.algorithms.titles import Background, Named
from services.clustering.domain.digest import Digest, Subject, Text


@dataclass(frozen=True, slots=True)
class Naming:
    """How many members a cluster had when runs named it last, and how many came or left since."""

    size: int
    changed: int


class Namings(Protocol):
    """How clusters were named. Whoever changes it has locked the scope."""

    async def of(self, cluster_ids: Collection[str]) -> dict[str, Naming]:
        """When these were named last, by id; those that never were are left out."""

    async def titles(self, scope: str, besides: Collection[str]) -> list[str]:
        """The titles of the clusters of a scope that are in use, but not of those ``besides``."""

    async def words(self, items: Collection[str]) -> dict[str, tuple[str, ...]]:
        """What is written about these items, those that exist, as domain.words keeps it."""

    async def background(
        self, scope: str, terms: Collection[str], besides: Collection[str]
    ) -> Background:
        """The clusters of a scope but those ``besides``: how many, and how often they have these
        terms."""

    async def put(self, scope: str, named: Mapping[str, Named]) -> None:
        """Remembers that clusters, by id, were named now, and their terms."""

    async def add_changes(self, changed: Mapping[str, int]) -> None:
        """Adds up how many members of clusters came or left since they were named."""

    async def forget(self, cluster_ids: Collection[str]) -> None:
        """Forgets about clusters that are gone."""


@dataclass(frozen=True, slots=True)
class DueSummary:
    """A cluster that is to be looked at, since when, its digest as it stands, and how often in a
    row that failed, or the language model did."""

    cluster_id: str
    scope: str
    time: datetime
    digest: Digest
    failures: int


class Summaries(Protocol):
    """What was written about clusters."""

    async def notice(self, now: datetime) -> int:
        """Has every cluster that a newer version changed looked at; answers how many."""

    async def due(self, now: datetime, limit: int) -> list[str]:
        """The ids of clusters that are to be looked at and that nobody looks at, the longest
        waiting first."""

    async def take(
        self, cluster_id: str, owner: str, now: datetime
    ) -> tuple[DueSummary, Lease] | None:
        """Takes one of them; None if it is no longer due or somebody has it."""

    async def renew(self, cluster_id: str, lease: Lease) -> None:
        """Keeps it. Raises LeaseLost."""

    async def put(
        self, due: DueSummary, lease: Lease, digest: Digest, again: datetime | None
    ) -> None:
        """Stores what was written, and ``due.failures``, and gives the cluster back; it is looked
        at ``again`` then, or at once if it changed in between. Raises LeaseLost."""

    async def drop(self, due: DueSummary, lease: Lease) -> None:
        """Forgets one of which nothing is to be written. Raises LeaseLost."""

    async def give_back(self, due: DueSummary, lease: Lease, again: datetime | None = None) -> None:
        """Leaves it to the next one, at once or, after it failed, ``again`` then, unless it changed
        in between; stores ``due.failures`` with that. Raises LeaseLost."""

    async def of(self, cluster_ids: Collection[str]) -> dict[str, Digest]:
        """What was written about these clusters, by id."""

    async def changes(self, scope: str) -> int:
        """How often what ``of`` answers for clusters of a scope was changed: no number comes twice,
        whoever changed it and when they began."""


class NotWritten(Exception):
    """Nothing came of which a digest can be made. The message is for people."""


class Summariser(Protocol):
    """Who writes about clusters. Templates do where there is none, or where it fails."""

    @property
    def name(self) -> str: ...

    @property
    def sees(self) -> bool:
        """Whether it can look at pictures."""

    async def write(self, subject: Subject, pictures: Sequence[bytes]) -> Text:
        """What is to be said about a cluster. Raises NotWritten."""
