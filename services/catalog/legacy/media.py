"""Where the files of an older library are."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from libs.blobs.objects import open_blobs
from libs.blobs.store import BlobStore
from libs.errors import InvalidArgument, NotFound

_CHUNK = 256 * 1024


class NoFile(Exception):
    """A file cannot be had. ``reason`` is UPPER_SNAKE; the text is for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Media(Protocol):
    """Finds the file that a path of the older library meant."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        """Its bytes, in pieces. Raises NoFile before the first or between two of them."""


def open_media(place: str, prefix: str, options: Mapping[str, str]) -> Media:
    """The files in a folder, or below ``s3://bucket/prefix`` (``options`` as for the blob store).

    ``prefix`` is what that place was called in the older library. Raises InvalidArgument.
    """
    if place.startswith("s3://"):
        return BucketMedia(open_blobs(place, options), prefix)
    folder = Path(place)
    if not folder.is_dir():
        raise InvalidArgument.of("media", f"{place} is not a folder")
    return FolderMedia(folder, prefix)


class FolderMedia:
    """Files in a folder and below it; whatever leads out of it is not read."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._folder = folder.resolve()
        self._prefix = prefix

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """See Media."""
        relative = below(path, self._prefix)
        try:
            file = (self._folder / relative).resolve(strict=True)
            if not file.is_relative_to(self._folder):
                raise NoFile("OUTSIDE_MEDIA", f"{path} leads out of {self._folder}")
            with file.open("rb") as opened:
                while chunk := await asyncio.to_thread(opened.read, _CHUNK):
                    yield chunk
        except FileNotFoundError:
            text = f"there is no file {relative} in {self._folder}"
            raise NoFile("MISSING_FILE", text) from None
        except OSError as error:
            text = f"{relative} cannot be read: {error.strerror}"
            raise NoFile("UNREADABLE_FILE", text) from error


class BucketMedia:
    """Objects in a bucket."""

    def __init__(self, blobs: BlobStore, prefix: str = "") -> None:
        self._blobs = blobs
        self._prefix = prefix

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """See Media."""
        key = str(below(path, self._prefix))
        try:
            async for piece in self._blobs.stream(key):
                yield piece
        except NotFound:
            raise NoFile("MISSING_FILE", f"there is no object {key}") from None
        except InvalidArgument as error:
            raise NoFile("UNREADABLE_FILE", error.message) from error


def below(path: str, prefix: str) -> PurePosixPath:
    """``path`` as it lies below the media place. Raises NoFile if it has no such place."""
    if not path:
        raise NoFile("NO_PATH", "the row has no path")
    found = PurePosixPath(path)
    if prefix and found.is_relative_to(prefix):
        found = found.relative_to(prefix)
    elif found.is_absolute():
        found = found.relative_to("/")
    if ".." in found.parts or not found.parts:
        raise NoFile("OUTSIDE_MEDIA", f"{path} is no path below the folder of the files")
    return found
