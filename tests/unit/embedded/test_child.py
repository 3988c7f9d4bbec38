import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from libs.embedded.child import LARGEST_LOG, ChildProcess
from libs.embedded.errors import EngineError
from libs.embedded.folder import is_alive
from tests.support.wait import eventually

Make = Callable[..., ChildProcess]
# In seconds; far above what anything takes, as the machine may be busy.
PATIENCE = 90.0


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Make]:
    """Makes a child that runs a line of shell; all are stopped at the end."""
    made: list[ChildProcess] = []

    def make(script: str, **options: object) -> ChildProcess:
        command = ["/bin/sh", "-c", script]
        child = ChildProcess("Shell", command, log=tmp_path / "log", cwd=tmp_path, **options)  # type: ignore[arg-type]
        made.append(child)
        return child

    yield make
    for child in made:
        child.stop(bound=1.0)


def says(word: str, child: ChildProcess) -> Callable[[], bool]:
    return lambda: word in child.output()


def test_ready_then_stopped_and_waited_on(shell: Make) -> None:
    child = shell("echo up; exec sleep 60")
    child.start()
    child.wait_ready(says("up", child), PATIENCE)
    pid = child.pid
    assert pid is not None

    child.stop(PATIENCE)

    assert child.exit_code == -signal.SIGTERM
    assert child.pid is None
    with pytest.raises(ProcessLookupError):  # not even a zombie
        os.kill(pid, 0)


def test_a_child_that_dies_at_start_fails_at_once_with_the_end_of_its_log(shell: Make) -> None:
    child = shell("echo the disk is on fire >&2; exit 3")
    child.start()

    with pytest.raises(EngineError, match=r"(?s)code 3.*the disk is on fire"):
        child.wait_ready(lambda: False, PATIENCE)


def test_a_child_that_never_gets_ready_is_stopped(shell: Make) -> None:
    child = shell("exec sleep 60")
    child.start()

    with pytest.raises(EngineError, match=r"not ready within 0.05 s.*\n.*nothing"):
        child.wait_ready(lambda: False, 0.05)

    assert child.exit_code == -signal.SIGTERM


def test_a_deaf_child_is_killed_after_the_bound(shell: Make) -> None:
    child = shell("trap '' TERM; echo up; while :; do sleep 60; done")
    child.start()
    child.wait_ready(says("up", child), PATIENCE)

    child.stop(bound=0.1)

    assert child.exit_code == -signal.SIGKILL


def test_the_stop_signal_is_the_one_asked_for(shell: Make) -> None:
    child = shell(
        "trap 'echo by-int; exit 0' INT; echo up; while :; do sleep 0.01; done",
        stop_signal=signal.SIGINT,
    )
    child.start()
    child.wait_ready(says("up", child), PATIENCE)

    child.stop(PATIENCE)

    assert child.exit_code == 0
    assert "by-int" in child.output()


def test_stop_before_start_and_twice_does_nothing(shell: Make) -> None:
    child = shell("exec sleep 60")
    child.stop(PATIENCE)
    child.start()
    child.stop(PATIENCE)
    child.stop(PATIENCE)

    assert child.exit_code == -signal.SIGTERM


def test_output_is_only_of_this_start(shell: Make) -> None:
    first, second = shell("echo one"), shell("echo two")
    for child in (first, second):
        child.start()
        with pytest.raises(EngineError):
            child.wait_ready(lambda: False, PATIENCE)

    assert second.output() == "two\n"
    assert second.log.read_text() == "one\ntwo\n"


def test_a_large_log_is_put_aside_once(shell: Make, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * (LARGEST_LOG + 1))
    child = shell("echo fresh; exec sleep 60")

    child.start()
    child.wait_ready(says("fresh", child), PATIENCE)

    assert (tmp_path / "log").read_text() == "fresh\n"
    assert (tmp_path / "log.1").stat().st_size == LARGEST_LOG + 1


def test_a_program_that_is_not_there_is_an_engine_error(tmp_path: Path) -> None:
    child = ChildProcess("Ghost", ["/no/such/program"], log=tmp_path / "log", cwd=tmp_path)

    with pytest.raises(EngineError, match=r"Ghost.*/no/such/program"):
        child.start()


def test_it_is_started_from_the_main_thread_only(shell: Make) -> None:
    child = shell("exec sleep 60")
    raised: list[BaseException] = []

    def start() -> None:
        try:
            child.start()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert "main thread" in str(raised[0])


async def test_exited_reports_the_end(shell: Make) -> None:
    child = shell("exit 7")
    child.start()

    assert await child.exited() == 7


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's")
async def test_a_child_is_told_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal, os\n"
        "from libs.embedded.child import ChildProcess\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "child = ChildProcess('inner', ['/bin/sh', '-c', 'echo $$; exec sleep 60'],\n"
        "                     log=folder / 'inner.log', cwd=folder)\n"
        "child.start()\n"
        "child.wait_ready(lambda: '\\n' in child.output(), 90)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = ChildProcess(
        "Parent", [sys.executable, "-c", script], log=tmp_path / "log", cwd=Path.cwd()
    )
    parent.start()
    with pytest.raises(EngineError, match=f"code -{signal.SIGKILL.value}"):
        parent.wait_ready(lambda: False, PATIENCE)
    orphan = int((tmp_path / "inner.log").read_text())

    async def gone() -> bool:
        return not is_alive(orphan)

    await eventually(gone)
