import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.socket_folder import remove_abandoned, socket_folder

HOLD = "from services.socket_folder import socket_folder\nwith socket_folder() as f:\n"
HOLD += " (f / 'suite.sock').touch()\n print(f, flush=True)\n input()"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_killed_process_leaves_a_folder_that_the_next_one_removes(place: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD], text=True, **pipes) as process:  # type: ignore[call-overload]
        left = Path(process.stdout.readline().strip())
        with socket_folder() as folder:
            assert left.exists()
            assert folder != left
        process.kill()
        process.wait()
        assert (left / "suite.sock").exists()
        with socket_folder() as folder:
            assert folder.exists()
            assert not left.exists()
        assert list(place.iterdir()) == []


def test_who_tidies_up_takes_no_folder_from_who_just_makes_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def late(lock: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        remove_abandoned(place)  # another process, between the making of the lock and its taking
        assert list(place.iterdir()) == []
        flock(lock, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with socket_folder() as folder:
        assert (folder / "lock").exists()
    assert list(place.iterdir()) == []


def test_what_is_not_clearly_abandoned_stays(place: Path) -> None:
    fresh, full, other = (place / name for name in ("colonnade-a", "colonnade-b", "other-c"))
    for folder in (fresh, full, other):
        folder.mkdir()
    (full / "data").touch()
    old = place / "colonnade-old"
    old.mkdir()
    link = place / "colonnade-link"
    link.symlink_to(other)
    for folder in (full, old, other):
        os.utime(folder, (0, 0))
    remove_abandoned(place)
    assert sorted(place.iterdir()) == sorted([fresh, full, link, other])
