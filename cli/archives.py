"""The files in archives, read one at a time; nothing is ever unpacked under a name of theirs."""

import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from libs.errors import InvalidArgument

ZIP_SUFFIX = ".zip"
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_LARGEST = 1024 * 1024 * 1024
_IN_MEMORY = 1024 * 1024
_LONGEST_PATH = 1000
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError),
    *(NotImplementedError, RuntimeError),  # a compression or a password that is not known here
)


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a zip archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    relative: str
    skipped: str
    fingerprint: str

    def open(self) -> BinaryIO:
        """Its bytes, unpacked as they are read."""
        with _readable():
            return cast(BinaryIO, _Guarded(self.archive.open(self.info), self.info.file_size))


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in a tar archive, to be opened before the next one is looked for."""

    archive: tarfile.TarFile
    info: tarfile.TarInfo
    relative: str
    skipped: str
    fingerprint: str

    def open(self) -> BinaryIO:
        """Its bytes, in memory or, if they are many, in a temporary file."""
        with ExitStack() as failure:
            copy = failure.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
            with _readable():
                content = self.archive.extractfile(self.info)
                while content and (piece := content.read(_IN_MEMORY)):
                    copy.write(piece)
            copy.seek(0)
            failure.pop_all()
            return cast(BinaryIO, copy)


def count_zip(path: Path) -> int:
    """How many files ``zip_members`` will find."""
    with _openable(path), zipfile.ZipFile(path) as archive:
        return sum(1 for info in archive.infolist() if not info.is_dir())


def zip_members(path: Path) -> Iterator[ZipMember]:
    """The files of a zip archive, in its order. Raises InvalidArgument if it is none."""
    with _openable(path):
        archive = zipfile.ZipFile(path)
    labels = _Labels()
    # Not closed at the end: the last members are still being read then.
    for info in archive.infolist():
        if info.is_dir():
            continue
        kind = info.external_attr >> 16
        linked = bool(kind) and not stat.S_ISREG(kind) and bool(stat.S_IFMT(kind))
        reason = _why_not(info.filename, info.file_size, plain=not linked)
        fingerprint = f"{info.file_size}-{info.CRC:08x}"
        yield ZipMember(archive, info, labels.of(info.filename), reason, fingerprint)


def tar_members(path: Path) -> Iterator[TarMember]:
    """The files of a tar archive, in its order.

    Raises InvalidArgument if it is none, or ends early.
    """
    with _openable(path), tarfile.open(path, "r|*") as archive:
        labels = _Labels()
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would remember each
            if info.isdir():
                continue
            reason = _why_not(info.name, info.size, plain=info.isreg())
            fingerprint = f"{info.size}-{int(info.mtime)}"
            yield TarMember(archive, info, labels.of(info.name), reason, fingerprint)


def _why_not(name: str, size: int, *, plain: bool) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if not plain:
        return "a link or a device, no plain file"
    if path.is_absolute() or ".." in path.parts or (path.parts[:1] and path.parts[0].endswith(":")):
        return "a path that leaves the archive"
    return f"larger than {_LARGEST} bytes" if size > _LARGEST else ""


class _Labels:
    """What files are called: text that an account takes, and no two the same."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, name: str) -> str:
        text = name.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        text = text[:_LONGEST_PATH] or "?"
        count = self._seen[text] = self._seen.get(text, 0) + 1
        return text if count == 1 else f"{text} ({count})"


class _Guarded:
    """Reads no more than what the archive says that a file has."""

    def __init__(self, file: object, size: int) -> None:
        self._file = cast(BinaryIO, file)
        self._left = size

    def read(self, count: int = -1) -> bytes:
        with _readable():
            piece = self._file.read(self._left if count < 0 else min(count, self._left))
        self._left -= len(piece)
        return piece

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise OSError(f"the archive does not give it: {error}") from error


@contextmanager
def _openable(path: Path) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        raise InvalidArgument.of("source", f"{path} cannot be read: {error}") from error
