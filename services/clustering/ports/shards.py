"""Large fits in shards, as the use cases see them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from libs.lease import Lease
from services.clustering.algorithms.linkage import Doubles, Indices
from services.clustering.algorithms.shards import Ids
from services.clustering.domain.carrying import Overlap, Standing
from services.clustering.domain.shard import Placed, Progress, Shard, Spot


class Shards(Protocol):
    """The shards of runs. What a worker writes is guarded by the shard's lease."""

    async def ids(
        self, run_id: str, scope: str, collection: str, first: str, last: str, limit: int | None
    ) -> Ids:
        """The points of a scope with a vector in ``collection``, without those that the run takes
        for copies, from ``first`` on and before ``last`` ('' = no bound), in order, at most
        ``limit``."""

    async def add(self, shards: Sequence[Shard], fence: int) -> None:
        """Adds the shards of a run in place of all that it has; ``fence`` is the token of the lease
        of the run, so that who works on one of the others can write nothing."""

    async def tell(self, run_id: str, recipes: Sequence[str], outcome: str) -> None:
        """Has all shards of a run wait for being worked on by these."""

    async def redo(self, run_id: str, number: int) -> None:
        """Has a shard whose result is lost wait once more."""

    async def take(self, run_id: str, owner: str, max_attempts: int) -> tuple[Shard, Lease] | None:
        """A shard of the run that waits, now ours; None if there is none that nobody has."""

    async def renew(self, shard: Shard, lease: Lease) -> None:
        """Keeps it ours. Raises LeaseLost."""

    async def end(self, shard: Shard, lease: Lease, result: str) -> None:
        """It is done. Raises LeaseLost."""

    async def put_back(self, shard: Shard, lease: Lease, delay: timedelta) -> None:
        """Somebody else may try, after ``delay``. Raises LeaseLost."""

    async def of_run(self, run_id: str) -> list[Shard]:
        """Every shard of a run, in order."""

    async def progress(self, run_id: str) -> Progress:
        """How far a run is."""

    async def waiting(self) -> list[str]:
        """The ids of runs with shards that wait and that nobody has."""

    async def left(self) -> list[tuple[str, str]]:
        """Scope and id of runs that ended and whose shards or placements are still there."""

    async def forget(self, run_id: str) -> None:
        """Removes the shards, the placements and the noted texts of a run."""


class Placements(Protocol):
    """Where the items of a run ended, before they are members of clusters."""

    async def clear(self, run_id: str) -> None:
        """Forgets those of earlier attempts."""

    async def note_texts(
        self, run_id: str, scope: str, collection: str, first: str, last: str
    ) -> None:
        """Notes of which texts the vectors are in such a part of a scope (see ``Shards.ids``),
        after its points are known and before they are read; what was noted before stays."""

    async def note_changes(self, run_id: str, collection: str) -> None:
        """Notes which of these texts are others by now: from here on they are taken for gone."""

    async def note_copies(self, run_id: str, scope: str, collection: str, cosine: float) -> int:
        """Notes which points are copies: those with a near-duplicate, at or above a cosine, whose
        id comes before theirs. Answers how many."""

    async def add(self, run_id: str, ids: Ids, labels: Indices, similarities: Doubles) -> None:
        """Notes where points ended."""

    async def follow_copies(self, run_id: str) -> None:
        """Has copies be where the vector is that they are a copy of."""

    async def sizes(self, run_id: str) -> dict[int, int]:
        """How many items each group has, copies included; -1 are those outside."""

    async def closeness(self, run_id: str) -> dict[int, tuple[int, float]]:
        """How many items each group has, copies included, and their mean similarity."""

    async def overlaps(self, run_id: str, scope: str) -> list[Overlap]:
        """What the groups have in common with the clusters that runs found."""

    async def standing(self, scope: str) -> list[Standing]:
        """The found clusters of a scope as they are now, those that have members."""

    async def central(self, run_id: str, limit: int) -> list[Placed]:
        """The most central members of each group that are still there, copies left out, the most
        central first."""

    async def of_items(self, run_id: str, names: Collection[str]) -> list[Placed]:
        """Where these items ended, those in a group that are still there."""

    async def spots(self, run_id: str, names: Collection[str]) -> list[Spot]:
        """Where these items ended, and everything that is gone by now, or a copy of such."""

    async def stage(self, run_id: str, clusters: Mapping[int, str]) -> None:
        """Stages the whole membership for the next version, of what is still there; ``clusters``
        are the ids of the groups' clusters, and who is in none of these is in no cluster."""
