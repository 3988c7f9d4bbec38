"""The account of a source of files on its way into the library, file by file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from services.catalog.domain.names import PHOTO_IMPORT


class ImportState(StrEnum):
    """Whether files are still to come."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"


class Outcome(StrEnum):
    """What became of a file.

    IMPORTED: new in the library. DUPLICATE: the persona had these bytes. SKIPPED: no picture, and
    not meant to be one. FAILED: it should have come in and could not.
    """

    IMPORTED = "IMPORTED"
    DUPLICATE = "DUPLICATE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


# An account would be worth little if anybody could write into it that a photo came in.
_REPORTED = (Outcome.SKIPPED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many files ended how; their sum is every file that was looked at."""

    imported: int = 0
    duplicate: int = 0
    skipped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class PhotoImport:
    """One source of files. ``pillar`` is empty where each file is filed by what it shows.

    ``source`` is a folder, an archive or a prefix, as whoever imports it calls it. ``dry_run``:
    files are only checked. ``update_time`` is when a file was last noted.
    """

    persona: str
    id: str
    source: str
    create_time: datetime
    update_time: datetime
    pillar: str = ""
    dry_run: bool = False
    state: ImportState = ImportState.OPEN
    counts: Counts = Counts()
    complete_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return PHOTO_IMPORT.format(self.persona, self.id)


@dataclass(frozen=True, slots=True)
class ImportItem:
    """What became of one file: ``photo`` is the id of the photo, where there is one.

    ``reason`` and ``message`` say why it was skipped or failed. ``fingerprint`` is what tells
    whether the file has changed since: its size and time of change, in words of the source.
    """

    source_path: str
    outcome: Outcome
    update_time: datetime
    photo: str = ""
    fingerprint: str = ""
    reason: str = ""
    message: str = ""


def check_reported(items: Iterable[ImportItem]) -> None:
    """Raises InvalidArgument for an outcome that only an upload can know."""
    for number, item in enumerate(items):
        if item.outcome not in _REPORTED:
            raise InvalidArgument.of(
                f"items[{number}].outcome",
                f"{item.outcome} is noted by the upload itself; give it the import",
            )


def each_path_once(items: Iterable[ImportItem]) -> Sequence[ImportItem]:
    """The last word on each path."""
    return list({item.source_path: item for item in items}.values())


def require_open(found: PhotoImport) -> None:
    """Raises FailedPrecondition (IMPORT_COMPLETED)."""
    if found.state is ImportState.COMPLETED:
        raise FailedPrecondition(
            f"{found.name} is complete; open a new one",
            reason="IMPORT_COMPLETED",
            metadata={"photo_import": found.name},
        )


def require_same(found: PhotoImport, wanted: PhotoImport) -> None:
    """Raises AlreadyExists if the open import of the source files photos elsewhere."""
    if found.pillar != wanted.pillar:
        where = f"under the pillar {found.pillar}" if found.pillar else "by what they show"
        raise AlreadyExists(
            "photo import",
            found.name,
            f"{found.name} of this source is still open and files photos {where}; "
            "go on the same way, or complete it first",
        )
