"""What the scheduler knows of a photo: its pillar, its bytes, and when it may be used."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from libs.errors import FailedPrecondition


class Rule(StrEnum):
    """Why a photo may not be used."""

    DELETED = "DELETED"
    ARCHIVED = "ARCHIVED"
    HELD = "HELD"
    EMBARGO = "EMBARGO"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a photo may not go out: ``message`` for people, ``time`` where it starts or ends then."""

    rule: Rule
    message: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """When a photo may be used: not before, not from, and not while a person holds it back."""

    embargo_time: datetime | None = None
    expire_time: datetime | None = None
    held: bool = False
    archived: bool = False
    deleted: bool = False

    def obstacle(self, at: datetime) -> Obstacle | None:
        """What keeps the photo from going out at ``at``; None if it may."""
        if self.deleted:
            return Obstacle(Rule.DELETED, "is not in the library any more")
        if self.archived:
            return Obstacle(Rule.ARCHIVED, "is archived; take it into use first")
        if self.held:
            return Obstacle(Rule.HELD, "is held back by a person; release it first")
        if (start := self.embargo_time) and at < start:
            return Obstacle(Rule.EMBARGO, f"must not go out before {_utc(start)}", start)
        if (end := self.expire_time) and at >= end:
            return Obstacle(Rule.EXPIRED, f"must not go out from {_utc(end)} on", end)
        return None


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the catalog. ``name`` and ``pillar`` are resource names.

    ``width`` and ``height`` are the pixels of its form for publishing.
    """

    name: str
    pillar: str
    sha256: str
    width: int
    height: int
    alt_text: str = ""
    rights: Rights = Rights()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the picture that goes out is kept, and what it is; independent of the catalog."""

    key: str
    sha256: str
    mime_type: str
    size_bytes: int
    width: int
    height: int


def check_rights(photo: str, rights: Rights, at: datetime) -> None:
    """Passes if the photo of that name may go out at ``at``. Raises FailedPrecondition (RIGHTS)."""
    obstacle = rights.obstacle(at)
    if obstacle is None:
        return
    metadata = {"photo": photo, "rule": obstacle.rule.value}
    if obstacle.time is not None:
        metadata["time"] = obstacle.time.isoformat()
    raise FailedPrecondition(f"{photo} {obstacle.message}", reason="RIGHTS", metadata=metadata)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
