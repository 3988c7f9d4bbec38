"""What runs on this machine, as /proc tells."""

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
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def children_of(pid: int) -> list[int]:
    """The ids of the processes that ``pid`` has started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
