"""Where files come from: folders, archives, buckets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from cli.archives import TAR_SUFFIXES, ZIP_SUFFIX, count_zip, tar_members, zip_members
from cli.buckets import SCHEME, open_bucket, stored_objects
from cli.walk import count_files, walk
from libs.errors import InvalidArgument

_AHEAD = 64
_KINDS = "a folder, an archive (.zip, .tar, .tar.gz, .tgz) or s3://bucket/prefix"


class Candidate(Protocol):
    """A file that may be a photo, or one that is passed over and why.

    ``relative`` is its path within the source, ``fingerprint`` what tells whether it has changed.
    """

    @property
    def relative(self) -> str: ...
    @property
    def skipped(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    def open(self) -> BinaryIO:
        """Its bytes. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files under one name, found one after the other.

    ``name`` stays the same from import to import. ``count`` tells how many there are, where that is
    known without reading all. ``ahead`` files are looked for at a time; with ``in_turn`` each must
    be opened before the next is looked for.
    """

    name: str
    files: Callable[[], Iterator[Candidate]]
    count: Callable[[], int | None]
    ahead: int = _AHEAD
    in_turn: bool = False


def source_of(text: str, *, recursive: bool = True) -> Source:
    """The source that ``text`` names. Raises InvalidArgument on ``source``."""
    if text.startswith(SCHEME):
        name = text.rstrip("/")
        bucket = open_bucket(name)
        return Source(name, lambda: stored_objects(bucket, recursive=recursive), lambda: None)
    if not text.strip():
        raise InvalidArgument.of("source", f"is empty; name {_KINDS} (. for this folder)")
    path = Path(text).expanduser().resolve()
    if not path.exists():
        raise InvalidArgument.of("source", f"there is no {text}; name {_KINDS}")
    if path.is_dir():
        return Source(
            str(path),
            lambda: walk(path, recursive=recursive),
            lambda: count_files(path, recursive=recursive),
        )
    if path.is_file() and path.suffix.lower() == ZIP_SUFFIX:
        return Source(str(path), lambda: zip_members(path), lambda: count_zip(path))
    if path.is_file() and path.name.lower().endswith(TAR_SUFFIXES):
        return Source(str(path), lambda: tar_members(path), lambda: None, ahead=1, in_turn=True)
    raise InvalidArgument.of("source", f"{text} is not {_KINDS}")
