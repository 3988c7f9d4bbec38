"""Shards: parts of a scope that is too large to be grouped in one piece."""

from dataclasses import dataclass
from enum import StrEnum

from libs.ids import uuid7


class ShardState(StrEnum):
    """Whether a shard has done what it was told to."""

    WAITING = "waiting"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Shard:
    """The ``items`` of a scope with point ids from ``first`` on and before ``last`` ('' = to the
    end), in the hands of a run.

    ``recipes`` are the keys of what it is to choose groups by, one look after the other;
    ``outcome`` is the key of what it is to be measured against, '' while it is to choose.
    ``result`` is the key of what it answered last, '' if nothing.
    """

    run_id: str
    number: int
    scope: str
    collection: str
    first: str
    last: str
    items: int
    recipes: tuple[str, ...] = ()
    outcome: str = ""
    result: str = ""
    state: ShardState = ShardState.WAITING
    attempt: int = 0

    def new_key(self, kind: str) -> str:
        """A key that nobody has used for a result of this shard."""
        return f"{folder_of(self.scope, self.run_id)}/{kind}-{self.number}-{uuid7()}.npz"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many shards of a run are done of how many, how many items those have, and the most
    attempts that one that is not done took."""

    done: int
    total: int
    items: int
    attempts: int

    @property
    def complete(self) -> bool:
        """Whether all are done."""
        return self.done == self.total


@dataclass(frozen=True, slots=True)
class Placed:
    """An item in a group of a large fit, and its cosine to the centroid."""

    group: int
    item: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A point that a large fit looked at: its group, -1 for none, and its item, '' if that is gone
    or waits again because its text is another one by now.

    A ``copy`` does not count in the group. One whose original is gone by now is ``freed``.
    """

    point_id: str
    item: str
    group: int
    copy: bool
    freed: bool


def folder_of(scope: str, run_id: str) -> str:
    """Where the blobs of the shards of a run lie."""
    return f"clustering/{scope}/shards/{run_id}"
