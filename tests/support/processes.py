"""What runs on this machine, as /proc tells."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from libs.embedded.folder import is_alive


def processes_of(data: Path) -> Iterator[tuple[int, str]]:
    """The processes that have ``data`` in their command line or stand in it, and those commands."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            place = os.readlink(entry / "cwd")
            command = command_line(int(entry.name))
        except OSError:
            continue
        ours = str(data) in command or Path(place).is_relative_to(data)
        if ours and is_alive(int(entry.name)):
            yield int(entry.name), command


def command_line(pid: int) -> str:
    """The command of a process, its arguments parted by spaces."""
    return " ".join(_words(pid))


def command_words(pid: int) -> list[str]:
    """The program of a process and its arguments; none once it has ended."""
    try:
        return _words(pid)
    except OSError:
        return []


def _words(pid: int) -> list[str]:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return command.removesuffix("\0").split("\0") if command else []


def children_of(pid: int) -> list[int]:
    """The ids of the processes that ``pid`` has started."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end between the look at the folder and the look into it.
        with contextlib.suppress(OSError):
            found += map(int, (thread / "children").read_text().split())
    return found
