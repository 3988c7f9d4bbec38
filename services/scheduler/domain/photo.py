"""What the scheduler knows of a photo: its pillar, its bytes, and when it may be used."""

from dataclasses import dataclass
from datetime import UTC, datetime

from libs.errors import FailedPrecondition


@dataclass(frozen=True, slots=True)
class Rights:
    """When a photo may be used: not before, not from, and not while a person holds it back."""

    embargo_time: datetime | None = None
    expire_time: datetime | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the catalog. ``name`` and ``pillar`` are resource names."""

    name: str
    pillar: str
    sha256: str
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


def check_rights(photo: Photo, at: datetime) -> None:
    """Passes if the photo may go out at ``at``. Raises FailedPrecondition (RIGHTS)."""
    rights = photo.rights
    if rights.held:
        raise _refused(photo, "is held back by a person; release it first")
    if rights.embargo_time and at < rights.embargo_time:
        raise _refused(photo, f"must not go out before {_utc(rights.embargo_time)}")
    if rights.expire_time and at >= rights.expire_time:
        raise _refused(photo, f"must not go out from {_utc(rights.expire_time)} on")


def _refused(photo: Photo, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"{photo.name} {why}", reason="RIGHTS", metadata={"photo": photo.name}
    )


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
