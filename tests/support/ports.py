"""Ports that nobody else takes, however long it is until something listens on them."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOST = "127.0.0.1"
# Where the system gives away ports by itself, at random and also for outgoing connections, begins
# above these. Of the sixteen of a suite in parts, two were the same in every hundredth run.
_FIRST, _LAST = 10_000, 32_000
_BLOCK = 100
# Open for as long as the process lives; the system gives them free, however it dies.
_LOCKS: list[int] = []


def free_port() -> int:
    """A TCP port on the loopback interface that no other call, of no other test run, is given."""
    return next(port for port in _ours() if _is_free(port))


@cache
def _ours() -> Iterator[int]:
    """The ports of the blocks that are this process's own."""
    folder = Path(tempfile.gettempdir()) / f"colonnade-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return (
        port
        for first in range(_FIRST, _LAST, _BLOCK)
        if _locked(folder / str(first))
        for port in range(first, first + _BLOCK)
    )


def _locked(path: Path) -> bool:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _LOCKS.append(lock)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections that ended a moment ago are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
