import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from libs.embedded.errors import EngineError, FolderInUse
from libs.embedded.folder import (
    FolderLock,
    is_alive,
    is_doomed,
    kept_secret,
    make_folder,
    write_private,
)

HOLD = """
import sys, pathlib
from libs.embedded.folder import FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_of_another_live_process_is_refused_soon(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with holder(tmp_path) as other:
        with pytest.raises(FolderInUse, match=rf"{tmp_path}.*process {other.pid}\b"):
            lock.acquire(wait=3600)
        assert other.stdin is not None
        other.stdin.close()
        other.wait()

    lock.acquire()
    lock.release()


def test_the_folder_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.kill()
        # Not waited on: it is a zombie now, as under a container's first process.
        lock = FolderLock(tmp_path)
        lock.acquire()
        lock.release()


def test_the_lock_lasts_as_long_as_an_engine_that_inherited_it(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    engine = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor])
    lock.release()

    with pytest.raises(FolderInUse):
        FolderLock(tmp_path).acquire(wait=0.1)

    engine.kill()
    engine.wait()
    again = FolderLock(tmp_path)
    again.acquire()
    again.release()


def test_a_lock_can_be_taken_again_after_release(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    for _ in range(2):
        lock.acquire(wait=0.1)
        lock.release()
    lock.release()
    with pytest.raises(RuntimeError, match="not held"):
        _ = lock.descriptor


def test_a_folder_is_made_with_its_parents_for_us_alone(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")

    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("hello")

    with pytest.raises(EngineError, match=f"{tmp_path}/data is a file"):
        make_folder(tmp_path / "data")
    with pytest.raises(EngineError, match=f"{tmp_path}/data/redis cannot be made"):
        make_folder(tmp_path / "data" / "redis")


def test_a_secret_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    file = tmp_path / "key"

    first = kept_secret(file)

    assert kept_secret(file) == first
    assert kept_secret(tmp_path / "other") != first
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_private_file_is_private_even_over_an_open_one(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("old")
    file.chmod(0o644)

    write_private(file, "new")

    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("pending", "flags", "doomed"),
    [
        ("0000000000000000", 4194304, False),
        ("0000000000004000", 4194304, False),  # SIGTERM, which it may take as it likes
        ("0000000000000100", 4194304, True),
        ("0000000000000000", 4194308, True),
    ],
)
def test_who_was_killed_is_doomed_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pending: str, flags: int, doomed: bool
) -> None:
    told = tmp_path / str(os.getpid())
    told.mkdir()
    (told / "stat").write_text(f"{os.getpid()} (a ) b) R 1 1 1 0 -1 {flags} 0 0")
    (told / "status").write_text(f"State:\tR (running)\nSigPnd:\t{pending}\nShdPnd:\t{'0' * 16}\n")
    monkeypatch.setattr("libs.embedded.folder._PROC", tmp_path)
    assert is_doomed(os.getpid()) is doomed


def test_who_lives_is_not_doomed_and_who_has_ended_is() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert not is_doomed(process.pid)
        process.kill()
    assert is_doomed(process.pid)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not is_alive(process.pid)
    assert is_alive(os.getpid())
    process.wait()
    assert not is_alive(process.pid)
