import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.events.consumers import consumer_name

TELL = "from libs.events.consumers import consumer_name; print(consumer_name('{}'), flush=True)"
SERVICE = "naming-test"


@contextmanager
def alive(folder: Path) -> Iterator[str]:
    """A process that notes its name in ``folder``, lives meanwhile and is killed at the end."""
    code = f"{TELL.format(SERVICE)}; input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    where = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, "-c", code], text=True, env=where, **pipes) as process:  # type: ignore[call-overload]
        yield process.stdout.readline().strip()
        process.kill()


def test_live_processes_have_names_of_their_own_and_a_dead_ones_is_taken_again(
    tmp_path: Path,
) -> None:
    with alive(tmp_path) as first:
        with alive(tmp_path) as second:
            assert first != second
        with alive(tmp_path) as third:
            assert third == second


def test_a_process_keeps_its_name() -> None:
    assert consumer_name("a-service") == consumer_name("a-service")
    assert consumer_name("a-service").startswith("a-service-")


def test_without_a_place_to_note_it_the_name_has_the_number_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"colonnade-seats-{os.getuid()}").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert consumer_name("homeless").endswith(f"-p{os.getpid()}")
