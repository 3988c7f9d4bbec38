"""What a process is called among the consumers of a group."""

import fcntl
import os
import socket
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

# Open for as long as the process lives; the system gives them free, however it dies.
_SEATS: list[int] = []


@cache
def consumer_name(service: str) -> str:
    """A name for the consumers of ``service`` in this process that no other live process has.

    It ends in the lowest number that is free on this machine, so that a process that starts again
    is called as before: then what was in its hands when it died comes back to it at once. Where
    there is no place to note that, it ends in the number of the process.
    """
    try:
        seat = str(_seat(service))
    except OSError:
        seat = f"p{os.getpid()}"
    return f"{service}-{socket.gethostname()}-{seat}"


def _seat(service: str) -> int:
    folder = Path(tempfile.gettempdir()) / f"colonnade-seats-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is not ours")
    for number in count():
        path = folder / f"{service}-{number}"
        seat = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(seat)
        else:
            _SEATS.append(seat)
            return number
    raise AssertionError("numbers do not end")
