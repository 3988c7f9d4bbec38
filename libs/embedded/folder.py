"""The data folder of one engine: made, checked, and locked against a second suite."""

import fcntl
import os
import secrets
import signal
import time
from pathlib import Path

from libs.embedded.errors import EngineError, FolderInUse

LIVE_OWNER_WAIT = 1.0

_PROC = Path("/proc")
_SIGKILL = 1 << signal.SIGKILL - 1
_PF_EXITING = 0x4  # of the kernel's include/linux/sched.h


def make_folder(folder: Path) -> None:
    """Makes the folder (0700), or raises ``EngineError`` with the reason why it cannot be used."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise EngineError(f"the data folder {folder} is a file; name a folder instead") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise EngineError(f"the data folder {folder} cannot be made: {reason}") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise EngineError(f"the data folder {folder} is not writable for user {os.geteuid()}")


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def kept_secret(path: Path) -> str:
    """The secret in this file (0600), made at the first call. Safe to use in a URL."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8")


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Dead, but not waited on by its parent yet (in some containers: never)."""
    return _stat(pid)[:1] in (["Z"], ["X"])


def is_doomed(pid: int) -> bool:
    """Whether a process is dead, or was killed and has only not come to its end yet.

    On a busy machine that may take a while, in which it still holds its files and locks.
    """
    return not is_alive(pid) or _is_killed(pid) or _is_exiting(pid)


def _is_killed(pid: int) -> bool:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return False
    pending = (line.split()[1] for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))
    return any(int(signals, 16) & _SIGKILL for signals in pending)


def _is_exiting(pid: int) -> bool:
    flags = _stat(pid)[6:7]
    return bool(flags) and int(flags[0]) & _PF_EXITING != 0


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/<pid>/stat`` that follow the program's name; none if it is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


class FolderLock:
    """A lock on a folder that lasts as long as this process *or the engine* holds it.

    The engine inherits the open file. So if this process is killed, the folder stays locked until
    the engine it left behind is gone too, and a second engine can never open the same data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file for the engine to inherit; only while the lock is held."""
        if self._descriptor is None:
            raise RuntimeError(f"the lock on {self._folder} is not held")
        return self._descriptor

    def acquire(self, wait: float = 60.0) -> None:
        """Takes the lock and writes our process id beside it.

        Waits up to ``wait`` seconds for an engine that outlives its dead owner. Raises
        ``FolderInUse``, after a second if the owner is another process and stays alive.
        """
        path = self._folder / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        began = time.monotonic()
        while not self._try(descriptor):
            owner = path.read_text().strip()
            # The second is for an owner that is just ending by itself.
            patience = min(wait, LIVE_OWNER_WAIT) if self._lives_elsewhere(owner) else wait
            if time.monotonic() - began > patience:
                os.close(descriptor)
                raise FolderInUse(
                    f"the data folder {self._folder} is in use by process {owner or 'unknown'}; "
                    "stop that process or choose another folder"
                )
            time.sleep(0.02)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    @staticmethod
    def _try(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def _lives_elsewhere(owner: str) -> bool:
        return owner.isdigit() and int(owner) != os.getpid() and not is_doomed(int(owner))

    def release(self) -> None:
        """Gives the lock up; a process that inherited it keeps it until it ends."""
        # Only closed: unlocking would take the lock away from whoever inherited it.
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
