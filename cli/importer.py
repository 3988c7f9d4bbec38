"""Sends the files of a folder to the catalog and accounts for each of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from colonnade.catalog.v1 import catalog_service_pb2 as catalog

from cli.connection import Suite
from cli.walk import Found
from libs.errors import ColonnadeError, DeadlineExceeded, InvalidArgument, Unavailable

_CHUNK = 256 * 1024
_IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".avif"),
    *(".heic", ".heif", ".tif", ".tiff", ".gif", ".bmp"),
)
_NOT_AN_IMAGE = "UNSUPPORTED_IMAGE"


class Result(StrEnum):
    """What became of one file."""

    IMPORTED = "imported"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one file, and why or as which photo."""

    path: str
    result: Result
    photo: str = ""
    code: str = ""
    message: str = ""


@dataclass(slots=True)
class Report:
    """What became of every file."""

    lines: list[Line] = field(default_factory=list)

    def count(self, result: Result) -> int:
        """How many files ended so."""
        return Counter(line.result for line in self.lines)[result]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON data."""
        counts = {str(result): self.count(result) for result in Result}
        return {**counts, "files": [asdict(line) for line in self.lines]}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where photos go. Without a pillar the catalog chooses."""

    persona: str
    pillar: str = ""
    tags: tuple[str, ...] = ()
    dry_run: bool = False


async def import_files(
    suite: Suite,
    files: Iterable[Found],
    to: Destination,
    *,
    concurrency: int = 6,
    progress: Callable[[Line], None] = lambda _line: None,
) -> Report:
    """Uploads ``files``, several at a time, reading none of them whole into memory.

    A file that fails does not stop the others. Raises Unavailable when the suite goes away; what
    was imported stays, and the same call again goes on from there.
    """
    report = Report()
    waiting = iter(files)

    async def work() -> None:
        for found in waiting:
            line = await _import_one(suite, found, to)
            report.lines.append(line)
            progress(line)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except* (Unavailable, DeadlineExceeded) as errors:
        away = errors.exceptions[0]
    else:
        return report
    raise away


async def _import_one(suite: Suite, found: Found, to: Destination) -> Line:
    if found.skipped:
        return Line(found.relative, Result.SKIPPED, message=found.skipped)
    try:
        with found.path.open("rb") as file:
            answer = await _Upload(found, to, file).send(suite)
    except (Unavailable, DeadlineExceeded):
        raise
    except ColonnadeError as error:
        return _refused(found, error)
    except OSError as error:
        return Line(found.relative, Result.FAILED, code="UNREADABLE", message=str(error.strerror))
    result = Result.DUPLICATE if answer.duplicate else Result.IMPORTED
    return Line(found.relative, result, photo=answer.photo.name)


class _Upload:
    """Sends one file.

    gRPC answers an error of the messages' iterator by cancelling the call, and nobody would learn
    of a file that cannot be read to its end; so the error is kept and raised in the call's place.
    """

    def __init__(self, found: Found, to: Destination, file: BinaryIO) -> None:
        self._header = catalog.PhotoUpload(
            parent=to.persona,
            pillar=to.pillar,
            file_name=Path(found.relative).name,
            source_path=found.relative,
            tags=to.tags,
            validate_only=to.dry_run,
        )
        self._file = file
        self._problem: OSError | None = None

    async def send(self, suite: Suite) -> catalog.UploadPhotoResponse:
        """The catalog's answer. Raises OSError and what the catalog refuses with."""
        try:
            return await suite.catalog.UploadPhoto(self._messages())
        except asyncio.CancelledError:
            if self._problem is None:
                raise
            raise self._problem from None

    async def _messages(self) -> AsyncIterator[catalog.UploadPhotoRequest]:
        yield catalog.UploadPhotoRequest(header=self._header)
        while chunk := await self._read():
            yield catalog.UploadPhotoRequest(chunk=chunk)

    async def _read(self) -> bytes:
        try:
            return await asyncio.to_thread(self._file.read, _CHUNK)
        except OSError as error:
            self._problem = error
            raise


def _refused(found: Found, error: ColonnadeError) -> Line:
    """A file that is no image and does not claim to be one is passed over; the rest has failed."""
    claims = found.path.suffix.lower() in _IMAGE_SUFFIXES
    empty = found.path.stat().st_size == 0
    harmless = not claims and (empty or error.reason == _NOT_AN_IMAGE)
    message = error.message
    if isinstance(error, InvalidArgument) and error.violations:
        message = error.violations[0].description
    result = Result.SKIPPED if harmless else Result.FAILED
    return Line(found.relative, result, code=error.reason, message=message)
