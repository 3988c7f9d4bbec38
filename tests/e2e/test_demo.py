"""``make demo`` does the whole job, and can be killed at any moment and run again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.pictures import draw_library
from tests.bench.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
PICTURES = 36


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo-photos")
    draw_library(folder, count=PICTURES, size=480)
    return folder


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


class Demo:
    """A demo over one data folder, on ports of its own."""

    def __init__(self, data: Path, photos: Path) -> None:
        self.data = data
        self.ports = (free_port(), free_port())
        self._photos = photos
        self._log = data / "demo.log"

    def start(self) -> subprocess.Popen[bytes]:
        grpc, http = self.ports
        arguments = ["--data", self.data, "--photos", self._photos, "--exit"]
        listen = ["--grpc-port", str(grpc), "--http-port", str(http)]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "demo", *map(str, arguments), *listen],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self) -> tuple[int, str]:
        """The exit code and what was printed."""
        process = self.start()
        try:
            code = process.wait(150)
        finally:
            process.kill()
            process.wait()
        return code, self._log.read_text()

    def remote_posts(self) -> list[dict[str, object]]:
        """The posts that the stand-in has kept."""
        state = json.loads((self.data / "buffer.json").read_text())
        return list(state["posts"].values())

    def suite_pid(self) -> int | None:
        """The process of the suite, if it runs."""
        folder = str(self.data / "suite")
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    command = (process / "cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if "--target=all" in command and folder in command:
                    return int(process.name)
        return None


@pytest.fixture
def demo(data: Path, photos: Path) -> Iterator[Demo]:
    yield Demo(data, photos)
    _assert_nothing_left(data)


def _assert_nothing_left(data: Path) -> None:
    deadline = time.monotonic() + 15
    while left := _processes_of(data):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.1)


def _processes_of(data: Path) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                command = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(data) in command:
                found.append(command.replace("\0", " "))
    return found


@pytest.mark.timeout(400)
def test_the_demo_ends_with_one_published_post_and_can_be_repeated(demo: Demo) -> None:
    code, text = demo.run()
    assert code == 0, text
    counts = re.search(
        r"(\d+) files: (\d+) imported, (\d+) duplicate, (\d+) skipped, (\d+) failed", text
    )
    assert counts is not None, text
    total, *parts = map(int, counts.groups())
    assert total == sum(parts) == PICTURES
    assert parts[1] > 0 and parts[3] == 2, "copies and damaged files are in the library"
    filed = re.search(r"(\d+) photos filed by what they show", text)
    assert filed is not None and int(filed[1]) > 0, text
    assert "% sure: " in text, "it says why"
    assert "the provider has it 1 time(s), live 1 time(s)" in text
    assert len([post for post in demo.remote_posts() if post["status"] == "sent"]) == 1
    assert len(re.findall(r"✓ [1-5]\. .+ for ", text)) == 5, "briefs for what is missing"
    assert text.count("Why: ") == 5

    code, again = demo.run()
    assert code == 0, again
    assert again.count("already there") >= 8, again
    assert f"{PICTURES} files: 0 imported" in again
    assert len(re.findall(r"· [1-5]\. .+ for .+already there", again)) == 5
    assert len([post for post in demo.remote_posts() if post["status"] == "sent"]) == 1


@pytest.mark.timeout(600)
def test_killed_at_any_moment_it_ends_in_the_same_state(demo: Demo) -> None:
    for seconds in (2.5, 4.5, 6.5, 9.0, 12.0):
        process = demo.start()
        time.sleep(seconds)
        if (pid := demo.suite_pid()) is not None:
            os.kill(pid, signal.SIGKILL)
        early = pid is not None and seconds < 6
        assert process.wait(180) != 0 or not early, "a demo without a suite cannot succeed"
        _assert_nothing_left(demo.data)
    code, text = demo.run()
    assert code == 0, text
    assert "the provider has it 1 time(s), live 1 time(s)" in text
    texts = [post["text"] for post in demo.remote_posts()]
    assert len(texts) == len(set(texts)) == 1


def test_a_folder_that_is_none_is_named(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--data", str(data), "--photos", str(data / "none")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 2
    assert "is not a folder" in done.stderr
