"""What people changed about clusters, and how it is taken back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from libs.errors import FailedPrecondition
from services.clustering.domain.cluster import Hero, HeroPart

UNDO_WITHIN = timedelta(hours=24)


class EditKind(StrEnum):
    """What was changed."""

    UPDATE = "update"
    ADD_MEMBERS = "add_members"
    REMOVE_MEMBERS = "remove_members"
    MERGE = "merge"
    SPLIT = "split"
    HERO = "hero"
    LOCK = "lock"
    UNLOCK = "unlock"


class RefusalKind(StrEnum):
    """What an item must not be in a cluster."""

    MEMBER = "member"
    HERO = "hero"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item is: in a cluster, as one of its members (see Member)."""

    item: str
    cluster_id: str
    similarity: float | None
    duplicate_of: str = ""
    locked: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Place":
        """A place from data; those of former times have more in them."""
        similarity = data["similarity"]
        return cls(
            item=data["item"],
            cluster_id=data["cluster_id"],
            similarity=None if similarity is None else float(similarity),
            duplicate_of=data["duplicate_of"],
            locked=data["locked"],
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that a person took out of a cluster, or that must not be its hero."""

    cluster_id: str
    item: str
    kind: RefusalKind

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Refusal":
        """A refusal from data."""
        return cls(data["cluster_id"], data["item"], RefusalKind(data["kind"]))


@dataclass(frozen=True, slots=True)
class Before:
    """How things were before an edit, as far as it changed them.

    ``clusters`` are the changed fields by the cluster's id, ``heroes`` the heroes of clusters that
    got another one, ``places`` where items were,
    ``outside`` items that were in no cluster, ``added`` and ``removed`` what became of refusals,
    ``made`` the id of a cluster that the edit made, or empty.
    """

    clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    heroes: Mapping[str, Hero | None] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    outside: tuple[str, ...] = ()
    added: tuple[Refusal, ...] = ()
    removed: tuple[Refusal, ...] = ()
    made: str = ""

    @property
    def items(self) -> list[str]:
        """The items that changed their place."""
        return [*(place.item for place in self.places), *self.outside]

    def to_json(self) -> dict[str, Any]:
        """As data that ``from_json`` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Before":
        """What ``to_json`` made."""
        return cls(
            clusters=data["clusters"],
            heroes={id: _hero(hero) for id, hero in data["heroes"].items()},
            places=tuple(Place.from_json(place) for place in data["places"]),
            outside=tuple(data["outside"]),
            added=tuple(Refusal.from_json(refusal) for refusal in data["added"]),
            removed=tuple(Refusal.from_json(refusal) for refusal in data["removed"]),
            made=data["made"],
        )


@dataclass(frozen=True, slots=True)
class Edit:
    """One change that a person made. ``clusters`` are the ids of all that it changed."""

    id: str
    scope: str
    kind: EditKind
    clusters: tuple[str, ...]
    item_count: int
    create_time: datetime
    undo_time: datetime | None = None

    @property
    def expire_time(self) -> datetime:
        """Until when it can be undone."""
        return self.create_time + UNDO_WITHIN


def require_undoable(edit: Edit, later: str | None, now: datetime) -> None:
    """Raises FailedPrecondition (EDIT_UNDONE, EDIT_EXPIRED, EDIT_OVERLAID) if ``edit`` cannot be
    undone; ``later`` is the name of an edit after it that stands on it, if there is one."""
    if edit.undo_time is not None:
        raise FailedPrecondition("the edit was undone already", reason="EDIT_UNDONE")
    if now > edit.expire_time:
        raise FailedPrecondition(
            "the edit is older than 24 hours and cannot be undone any more", reason="EDIT_EXPIRED"
        )
    if later is not None:
        raise FailedPrecondition(
            f"a later edit of the same clusters stands; undo {later} first",
            reason="EDIT_OVERLAID",
            metadata={"edit": later},
        )


def _hero(data: Mapping[str, Any] | None) -> Hero | None:
    if data is None:
        return None
    return Hero(**{**data, "parts": tuple(HeroPart(**part) for part in data["parts"])})
