"""Finds the files of a folder, each once, and says of the others why not."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A file below the root, or an entry that is passed over and why."""

    path: Path
    relative: str
    skipped: str = ""


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
        reason = _why_not(path, top, seen)
        yield Found(path, relative, reason)


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


def _why_not(path: Path, top: Path, seen: set[tuple[int, int]]) -> str:
    try:
        target = path.resolve(strict=True)
        info = target.stat()
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    if path.is_symlink() and not target.is_relative_to(top):
        return "a link that leaves the folder"
    if stat.S_ISDIR(info.st_mode):
        return "a link to a folder" if path.is_symlink() else "a folder that cannot be read"
    if not stat.S_ISREG(info.st_mode):
        return "not a plain file"
    key = (info.st_dev, info.st_ino)
    if path.is_symlink() and key in seen:
        return "a link to a file that is here already"
    seen.add(key)
    return ""


def _text(path: Path) -> str:
    """The path as valid text: names on disk may be any bytes."""
    return os.fsencode(path).decode("utf-8", errors="replace")
