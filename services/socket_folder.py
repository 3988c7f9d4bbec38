"""The folder of the private socket, outside the data folder, whose path can be too long for it."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "colonnade-"
LOCK: Final = "lock"
# A folder without a lock may be one that was made a moment ago.
_OLD: Final = 24 * 3600.0


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A private folder for as long as the block lasts; those of dead processes are removed."""
    remove_abandoned(Path(tempfile.gettempdir()))
    folder, lock = _own_folder()
    try:
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _own_folder() -> tuple[Path, int]:
    """A new folder, and the lock in it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            lock = _locked(folder)
            if lock is not None:
                if (folder / LOCK).exists():
                    return folder, lock
                os.close(lock)
        # Somebody who tidied up just then has taken it for one that was left behind.


def remove_abandoned(place: Path) -> None:
    """Removes the folders in ``place`` that processes of ours left behind when they were killed.

    A live process holds the lock in its folder. Without a lock only what is old and empty goes.
    """
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
                continue
            if not (folder / LOCK).exists():
                if time.time() - folder.stat().st_mtime > _OLD:
                    folder.rmdir()
                continue
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock of a folder, held until it is closed; None if a live process holds it."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
