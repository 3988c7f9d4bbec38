"""Sends files to the catalog and accounts for each of them."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from colonnade.catalog.v1 import catalog_service_pb2 as catalog

from cli.connection import Suite
from cli.sources import Candidate
from libs.errors import ColonnadeError, DeadlineExceeded, InvalidArgument, Unavailable

CONCURRENCY = 6
_CHUNK = 1024 * 1024
# Up to here a file is read once and kept until it is sent, for its hash goes ahead of it.
_WHOLE = 4 * 1024 * 1024
_IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".avif"),
    *(".heic", ".heif", ".tif", ".tiff", ".gif", ".bmp"),
)
_NOT_AN_IMAGE = "UNSUPPORTED_IMAGE"
_NOT_KNOWN = "HASH_MISMATCH"
# What is wrong with the persona or the import is wrong with every file.
_ENDS_ALL = frozenset({"IMPORT_COMPLETED", "NO_PILLARS", "ARCHIVED"})


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
    """Where photos go. Without a pillar the catalog chooses.

    ``photo_import`` is the name of the import that the catalog keeps account in; empty for none.
    """

    persona: str
    pillar: str = ""
    tags: tuple[str, ...] = ()
    dry_run: bool = False
    photo_import: str = ""


async def import_files(
    suite: Suite,
    files: Iterable[Candidate],
    to: Destination,
    *,
    concurrency: int = CONCURRENCY,
    progress: Callable[[Line], None] = lambda _line: None,
) -> Report:
    """Uploads ``files`` as ``send_files`` does and remembers what became of each."""
    report = Report()

    async def done(_found: Candidate, line: Line) -> None:
        report.lines.append(line)
        progress(line)

    await send_files(suite, Feed(files), to, done, concurrency=concurrency)
    return report


async def send_files(
    suite: Suite,
    feed: "Feed",
    to: Destination,
    done: Callable[[Candidate, Line], Awaitable[None]],
    *,
    concurrency: int = CONCURRENCY,
) -> None:
    """Uploads what ``feed`` gives, several files at a time, none of them whole in memory if large.

    A file that fails does not stop the others. Raises Unavailable when the suite goes away, and
    FailedPrecondition when the persona is archived or has no pillar, or somebody else completes
    the import; what was imported stays, and the same call again goes on from there.
    """
    sender = _Sender(suite, to)

    async def work() -> None:
        while (taken := await feed.next()) is not None:
            await done(taken.found, await sender.send(taken))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except* ColonnadeError as errors:
        first = errors.exceptions[0]
    else:
        return
    finally:
        feed.close()
    raise first


@dataclass(frozen=True, slots=True)
class Taken:
    """A file from a feed; opened already, or not to be opened, if its source gives them in turn."""

    found: Candidate
    file: BinaryIO | None = None
    problem: OSError | None = None


class Feed:
    """Gives files to several takers, looking for them in a thread.

    ``ahead`` files are looked for at once; with ``in_turn`` each is opened before the next one is
    looked for. Those for which ``passes`` is true are left out. After ``stop`` it gives no more.
    """

    def __init__(
        self,
        files: Iterable[Candidate],
        *,
        ahead: int = 64,
        in_turn: bool = False,
        passes: Callable[[Candidate], bool] = lambda _found: False,
    ) -> None:
        self._files: Iterator[Candidate] = (found for found in files if not passes(found))
        self._ahead = ahead
        self._in_turn = in_turn
        self._lock = asyncio.Lock()
        self._waiting: deque[Taken] = deque()
        self.stopped = False

    def stop(self) -> None:
        """Gives no more files."""
        self.stopped = True

    def close(self) -> None:
        """Closes what nobody took."""
        while self._waiting:
            if (file := self._waiting.popleft().file) is not None:
                file.close()

    async def next(self) -> Taken | None:
        """The next file; None at the end."""
        async with self._lock:
            if not self._waiting and not self.stopped:
                self._waiting.extend(await asyncio.to_thread(self._look))
            if self.stopped or not self._waiting:
                return None
            return self._waiting.popleft()

    def _look(self) -> list[Taken]:
        found = islice(self._files, self._ahead)
        return [_opened(one) for one in found] if self._in_turn else [Taken(one) for one in found]


def _opened(found: Candidate) -> Taken:
    if found.skipped:
        return Taken(found)
    try:
        return Taken(found, found.open())
    except OSError as error:
        return Taken(found, problem=error)


class _Sender:
    """Sends files, one call for each.

    A file that the persona has need not be sent: its hash in the header is answered. While files
    turn out to be there already, the header goes alone first.
    """

    def __init__(self, suite: Suite, to: Destination) -> None:
        self._suite = suite
        self._to = to
        self._asks = False

    async def send(self, taken: Taken) -> Line:
        """What became of the file."""
        found, reading = taken.found, _Reading(taken)
        if found.skipped:
            return Line(found.relative, Result.SKIPPED, message=found.skipped)
        try:
            answer = await self._upload(found, reading)
        except (Unavailable, DeadlineExceeded):
            raise
        except ColonnadeError as error:
            if error.reason in _ENDS_ALL:
                raise
            return _refused(found, error, empty=reading.is_empty)
        except OSError as error:
            why = error.strerror or str(error)
            return Line(found.relative, Result.FAILED, code="UNREADABLE", message=why)
        finally:
            reading.close()
        result = Result.DUPLICATE if answer.duplicate else Result.IMPORTED
        return Line(found.relative, result, photo=answer.photo.name)

    async def _upload(self, found: Candidate, reading: "_Reading") -> catalog.UploadPhotoResponse:
        await asyncio.to_thread(reading.begin)
        asks = self._asks and await asyncio.to_thread(reading.hash_all)
        if asks and (known := await self._ask(found, reading)) is not None:
            return known
        messages = _Messages(self._header(found, reading.sha256), reading)
        answer = await messages.send(self._suite)
        self._asks = answer.duplicate
        return answer

    async def _ask(
        self, found: Candidate, reading: "_Reading"
    ) -> catalog.UploadPhotoResponse | None:
        """The answer to a header without bytes, None if the persona does not have them."""
        header = self._header(found, reading.sha256)
        try:
            return await _Messages(header).send(self._suite)
        except InvalidArgument as error:
            if error.reason != _NOT_KNOWN:
                raise
        self._asks = False
        return None

    def _header(self, found: Candidate, digest: str) -> catalog.PhotoUpload:
        to = self._to
        return catalog.PhotoUpload(
            parent=to.persona,
            pillar=to.pillar,
            file_name=PurePosixPath(found.relative).name,
            source_path=found.relative,
            tags=to.tags,
            sha256=digest,
            validate_only=to.dry_run,
            photo_import=to.photo_import,
            fingerprint=found.fingerprint if to.photo_import else "",
        )


class _Reading:
    """The bytes of a file: a small one is read once, a large one in pieces as it is sent."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._file = taken.file
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self.sha256 = ""
        self.is_empty = False

    def begin(self) -> None:
        """Opens the file and reads what is kept of it. Raises OSError."""
        if self._taken.problem is not None:
            raise self._taken.problem
        if self._file is None:
            self._file = self._taken.found.open()
        while len(self._pieces) * _CHUNK < _WHOLE and (piece := self._read()):
            self._pieces.append(piece)
        self.is_empty = not self._pieces
        if self._ended and self._pieces:
            self.sha256 = _hash_of(self._pieces)

    def hash_all(self) -> bool:
        """Makes the hash of a large file too, by reading it twice; False where that is not worth
        it, since reading is what takes time. Raises OSError."""
        file = self._file
        if not self.sha256 and file is not None and file.seekable():
            rest = iter(lambda: file.read(_CHUNK), b"")
            self.sha256 = _hash_of(chain(self._pieces, rest))
            file.seek(sum(map(len, self._pieces)))
        return bool(self.sha256)

    async def next(self) -> bytes:
        """The next piece, nothing at the end. Raises OSError."""
        if self._pieces:
            return self._pieces.popleft()
        return b"" if self._ended else await asyncio.to_thread(self._read)

    def close(self) -> None:
        """Closes the file."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()

    def _read(self) -> bytes:
        assert self._file is not None
        piece = b"" if self._ended else self._file.read(_CHUNK)
        self._ended = self._ended or len(piece) < _CHUNK
        return piece


class _Messages:
    """The messages of one upload.

    gRPC answers an error of the messages' iterator by cancelling the call, and nobody would learn
    of a file that cannot be read to its end; so the error is kept and raised in the call's place.
    """

    def __init__(self, header: catalog.PhotoUpload, reading: _Reading | None = None) -> None:
        self._header = header
        self._reading = reading
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
        try:
            while self._reading and (chunk := await self._reading.next()):
                yield catalog.UploadPhotoRequest(chunk=chunk)
        except OSError as error:
            self._problem = error
            raise


def _hash_of(pieces: Iterable[bytes]) -> str:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _refused(found: Candidate, error: ColonnadeError, *, empty: bool) -> Line:
    """A file that is no image and does not claim to be one is passed over; the rest has failed."""
    claims = PurePosixPath(found.relative).suffix.lower() in _IMAGE_SUFFIXES
    harmless = not claims and (empty or error.reason == _NOT_AN_IMAGE)
    message = error.message
    if isinstance(error, InvalidArgument) and error.violations:
        message = error.violations[0].description
    result = Result.SKIPPED if harmless else Result.FAILED
    return Line(found.relative, result, code=error.reason, message=message)
