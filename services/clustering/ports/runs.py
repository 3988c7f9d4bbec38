"""Clustering runs, as the use cases see them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs.lease import Lease
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.run import Run
from services.clustering.ports.embedding import Vector


class Runs(Protocol):
    """The clustering runs, as callers see them."""

    async def add(self, run: Run) -> Run:
        """Adds a run, or answers the one that is active in its scope already."""

    async def get(self, scope: str, run_id: str, *, lock: bool = False) -> Run | None:
        """The run of that id, if it is one of the scope; nobody changes it after ``lock``."""

    async def list(
        self, scope: str, page: PageRequest, conditions: Sequence[Condition] = ()
    ) -> Page[Run]:
        """Runs of a scope for which the conditions hold, newest first."""

    async def forget(self, before: datetime, limit: int) -> int:
        """Removes runs that ended before a moment, so many at most; answers how many."""

    async def cancel(self, run: Run) -> Run:
        """Stores the state of a run that is to stop; answers the run as it is then."""


class RunLedger(Protocol):
    """The clustering runs, as workers see them: each write is guarded by the run's lease."""

    async def take(self, run_id: str, owner: str, max_attempts: int) -> tuple[Run, Lease] | None:
        """The run, now running and ours; None if there is nothing to do or somebody has it."""

    async def find(self, run_id: str) -> Run | None:
        """The run of that id, whatever its scope."""

    async def renew(self, run: Run, lease: Lease) -> Run:
        """Stores the progress of ``run`` and answers it as it stands. Raises LeaseLost."""

    async def end(self, run: Run, lease: Lease) -> Run:
        """Ends the run; answers it as it ended: cancelled, if that was asked for before.

        Raises LeaseLost.
        """

    async def put_back(
        self, run: Run, lease: Lease, delay: timedelta, *, counts: bool = True
    ) -> None:
        """Queues the run again, with the error that ``run`` holds, for ``delay`` from now on. The
        attempt is taken off the number of those that were made unless it ``counts``.

        Raises LeaseLost.
        """

    async def waiting(self, max_attempts: int) -> list[str]:
        """Runs that no worker has, those that somebody asked for first; those that were tried too
        often are ended on the way."""


class Due(Protocol):
    """The scopes in which a run is due; none that has an active one."""

    async def active(self) -> int:
        """How many runs are active that nobody asked for."""

    async def waiting(self, since: datetime, limit: int) -> list[str]:
        """Scopes with items that came in at ``since`` or before and wait for a cluster, or that
        lost items, and no run was made after ``since``; those that wait longest first."""

    async def outdated(self, since: datetime, limit: int) -> list[str]:
        """Scopes whose clusters are of other vectors than those in use, where most items have these
        by now, and no run was made for that after ``since``."""


class Snapshots(Protocol):
    """The engine's memory, by key."""

    async def load(self, key: str) -> bytes | None:
        """The bytes, or None if they are gone."""

    async def save(self, key: str, data: bytes) -> None:
        """Stores bytes under a key of their own."""

    async def forget(self, key: str) -> bool:
        """Deletes them if they are there; False where that fails, and they may be left."""

    async def forget_all(self, folder: str) -> None:
        """Deletes those of every key below a folder; leaves them where that fails."""

    def keys(self) -> AsyncIterator[str]:
        """Every key that there is, in no particular order. Raises Unavailable."""


class Vectors(Protocol):
    """The vectors of one collection (a part of libs.vectors.index.VectorIndex)."""

    async def of_points(self, collection: str, ids: Sequence[str]) -> tuple[list[str], Vector]:
        """Ids and vectors [n, d] of these points, those that exist."""

    def of_scope(self, collection: str, scope: str) -> AsyncIterator[tuple[list[str], Vector]]:
        """Ids and vectors of a scope, in pages."""

    def in_range(
        self, collection: str, scope: str, first: str, last: str
    ) -> AsyncIterator[tuple[list[str], Vector]]:
        """The same of the points from ``first`` on and before ``last`` ('' = no bound), in the
        order of ids."""
