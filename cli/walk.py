"""Finds the files of a folder, each once, and says of the others why not."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Found:
    """A file below the root, or an entry that is passed over and why.

    ``fingerprint`` is its size and time of change, which tell whether it has changed since.
    """

    path: Path
    relative: str
    skipped: str = ""
    fingerprint: str = ""

    def open(self) -> BinaryIO:
        """Its bytes. Raises OSError."""
        return self.path.open("rb")


def walk(root: Path, *, recursive: bool = True) -> Iterator[Found]:
    """Every entry of ``root`` that is not a folder, in the order of names.

    Links are followed only to files that stay below the root, and a file is found once however
    many links lead to it. Linked folders, pipes, sockets and devices are passed over: they may
    loop, leave the tree, or never end.
    """
    top = root.resolve()
    seen: set[tuple[int, int]] = set()
    for path in _entries(root, recursive):
        relative = _text(path.relative_to(root))
        try:
            info = path.stat()
        except (OSError, RuntimeError):
            yield Found(path, relative, "a link that leads nowhere")
            continue
        fingerprint = f"{info.st_size}-{info.st_mtime_ns}"
        yield Found(path, relative, _why_not(path, info, top, seen), fingerprint)


def count_files(root: Path, *, recursive: bool = True) -> int:
    """How many entries ``walk`` will find, without a look at any of them."""
    if not recursive:
        return sum(1 for entry in os.scandir(root) if not entry.is_dir(follow_symlinks=False))
    return sum(
        len(files) + sum(os.path.islink(os.path.join(folder, name)) for name in folders)
        for folder, folders, files in os.walk(root)
    )


def _entries(folder: Path, recursive: bool) -> Iterator[Path]:
    try:
        names = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError:
        yield folder  # reported as what cannot be read
        return
    for entry in names:
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from _entries(Path(entry.path), recursive)
        else:
            yield Path(entry.path)


def _why_not(path: Path, info: os.stat_result, top: Path, seen: set[tuple[int, int]]) -> str:
    linked = path.is_symlink()
    if linked and not path.resolve().is_relative_to(top):
        return "a link that leaves the folder"
    if stat.S_ISDIR(info.st_mode):
        return "a link to a folder" if linked else "a folder that cannot be read"
    if not stat.S_ISREG(info.st_mode):
        return "not a plain file"
    key = (info.st_dev, info.st_ino)
    if linked and key in seen:
        return "a link to a file that is here already"
    seen.add(key)
    return ""


def _text(path: Path) -> str:
    """The path as valid text: names on disk may be any bytes."""
    return os.fsencode(path).decode("utf-8", errors="replace")
