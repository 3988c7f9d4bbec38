"""The history of clusters, as the use cases read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.history import Change, Version


@dataclass(frozen=True, slots=True)
class Flow:
    """So many items were in one cluster in a version and are in another in a later one; None stands
    for none."""

    before: str | None
    now: str | None
    items: int


@dataclass(frozen=True, slots=True)
class ScopeSummary:
    """A scope: the newest version of its clusters (0: none), how many items it has, how many of
    them wait for a run, and how many clusters it has."""

    scope: str
    version: int
    items: int
    waiting: int
    clusters: int


class History(Protocol):
    """What was when."""

    async def page(self, scope: str, page: PageRequest) -> Page[Version]:
        """The versions of a scope that are kept, newest first."""

    async def flows(self, scope: str, base: int, version: int) -> list[Flow]:
        """How many items went where between two versions."""

    async def shown(self, scope: str, version: int) -> list[str]:
        """The ids of the clusters that a version shows."""

    async def differences(self, scope: str, version: int) -> Sequence[Change]:
        """Where items were in a version that are elsewhere, or otherwise, by now. What follows in
        the same transaction may take its time."""

    async def scopes(self, page: PageRequest) -> Page[ScopeSummary]:
        """The scopes that have items or versions, by name."""
