"""``make demo`` does the whole job, and can be killed at any moment and run again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo.pictures import draw_library
from demo.week import KILLED_AT
from libs.embedded.postgres import PostgresServer
from tests.support.harness import ROOT
from tests.support.ports import free_port
from tests.support.processes import processes_of

PICTURES = 36
# Far above what a demo takes, as machines may be busy.
LONGEST = 1000.0
# When the demo is killed, by what it has printed, and whether all of it or only the suite.
MOMENTS = (
    ("Start the suite", True),
    ("Import ", False),
    ("Plan a week", True),
    ("and has not answered yet", True),
    ("Every post is live once", False),
)
CALLS = sa.text(
    "SELECT publication_id, worker, outcome, provider_post_id"
    " FROM scheduler.attempts ORDER BY start_time"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the provider as the database has it."""

    publication: str
    worker: str
    outcome: str
    provider_post_id: str


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
                [sys.executable, "-u", "-m", "demo", *map(str, arguments), *listen],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self) -> tuple[int, str]:
        """The exit code and what was printed."""
        process = self.start()
        try:
            code = process.wait(LONGEST)
        finally:
            process.kill()
            process.wait()
        return code, self.printed()

    def printed(self) -> str:
        """What it has printed since it was started."""
        return self._log.read_text()

    def provider(self) -> dict[str, Any]:
        """What the stand-in has kept."""
        kept: dict[str, Any] = json.loads((self.data / "buffer.json").read_text())
        return kept

    def remote_posts(self) -> list[dict[str, Any]]:
        """The posts that the stand-in has kept."""
        return list(self.provider()["posts"].values())

    def calls(self) -> list[Call]:
        """Every call to the provider that the scheduler wrote down, in their order."""
        with PostgresServer(self.data / "suite" / "postgres") as server:
            engine = sa.create_engine(server.ensure_service("scheduler"))
            with engine.connect() as connection:
                rows = connection.execute(CALLS).all()
            engine.dispose()
        return [Call(*row) for row in rows]

    def suite_pid(self) -> int | None:
        """The process of the suite, if it runs."""
        found = [pid for pid, command in processes_of(self.data) if "--target=all" in command]
        return found[0] if found else None


@pytest.fixture
def demo(data: Path, photos: Path) -> Iterator[Demo]:
    yield Demo(data, photos)
    _assert_nothing_left(data)


def _assert_nothing_left(data: Path) -> None:
    deadline = time.monotonic() + 300
    while left := dict(processes_of(data)):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.1)


@pytest.mark.timeout(3600)
def test_a_week_is_planned_and_published_once_although_its_worker_dies(demo: Demo) -> None:
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
    assert len(re.findall(r"✓ [1-5]\. .+ for ", text)) == 5, "briefs for what is missing"
    assert text.count("Why: ") == 5
    count = assert_each_has_its_reason(text)
    assert_the_kill_was_in_between(text)
    assert f"{count} posts, {count} calls, live {count} times in all" in text
    assert_each_is_live_once(demo, count)
    assert demo.provider()["calls"]["createPost"] == {"received": count, "processed": count}
    assert_one_call_was_found_again(demo, count)

    code, again = demo.run()
    assert code == 0, again
    assert again.count("already there") >= 8, again
    assert f"{PICTURES} files: 0 imported" in again
    assert len(re.findall(r"· [1-5]\. .+ for .+already there", again)) == 5
    assert "everything was sent before (already there)" in again
    assert_each_is_live_once(demo, count)
    assert demo.provider()["calls"]["createPost"]["received"] == count


def assert_each_has_its_reason(text: str) -> int:
    """How many posts the plan has; each is followed by why its photo was chosen."""
    plan = re.search(r"^(\d+) posts\n((?:  .*\n)+)", text, re.MULTILINE)
    assert plan is not None, text
    reasons = re.findall(r"  [0-9-]+ [0-9:]+ .+ \(\w+\)\n    .*is to have \d+ %", plan[2])
    count = int(plan[1])
    assert len(reasons) == count >= 5, "a week has a post nearly every day"
    assert f"{count} posts scheduled" in text
    return count


def assert_the_kill_was_in_between(text: str) -> None:
    """The provider had the post, the suite had no answer, and only then the worker came back."""
    told = (
        "the provider has it, and has not answered yet",
        "kill -9 of the worker",
        "what the suite knows: submitting; the provider's id: unknown",
        "what the provider has: the post, 1 time(s)",
        "the worker is started again",
        "looked up at the provider, and found: not sent again",
    )
    places = [text.find(each) for each in told]
    assert -1 not in places and places == sorted(places), text


def assert_each_is_live_once(demo: Demo, count: int) -> None:
    """The provider has each post, with a picture of its own."""
    posts = [post for post in demo.remote_posts() if post["status"] == "sent"]
    assert len({post["text"] for post in posts}) == len(posts) == count
    assert len({post["fetched"][0]["sha256"] for post in posts}) == count


def assert_one_call_was_found_again(demo: Demo, count: int) -> None:
    """The database has one call for each post; the one that the dead worker did not hear the end
    of was found at the provider by the next worker."""
    calls = demo.calls()
    assert len(calls) == len({call.publication for call in calls}) == count
    assert {call.outcome for call in calls} <= {"accepted", "adopted"}
    lost = calls[KILLED_AT - 1]
    assert lost.outcome == "adopted", "only a look at the provider says so"
    dead = {call.worker for call in calls[:KILLED_AT]}
    assert len(dead) == 1 and not dead & {call.worker for call in calls[KILLED_AT:]}
    assert lost.provider_post_id in {post["id"] for post in demo.remote_posts()}


@pytest.mark.timeout(3600)
def test_killed_at_any_moment_it_ends_in_the_same_state(demo: Demo) -> None:
    for moment, kills_all in MOMENTS:
        process = demo.start()
        wait_for(demo, process, moment)
        pid = process.pid if kills_all else demo.suite_pid()
        assert pid is not None, demo.printed()
        os.kill(pid, signal.SIGKILL)
        assert process.wait(LONGEST) != 0, "a demo without a suite cannot succeed"
        _assert_nothing_left(demo.data)
    code, text = demo.run()
    assert code == 0, text
    totals = re.search(r"(\d+) posts, \d+ calls, live (\d+) times in all", text)
    assert totals is not None and totals[1] == totals[2], text
    assert_each_is_live_once(demo, int(totals[1]))


def wait_for(demo: Demo, process: subprocess.Popen[bytes], moment: str) -> None:
    """Returns when the demo has printed that."""
    deadline = time.monotonic() + LONGEST
    while moment not in demo.printed():
        assert process.poll() is None, demo.printed()
        assert time.monotonic() < deadline, demo.printed()
        time.sleep(0.02)


def test_a_folder_that_is_none_is_named(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--data", str(data), "--photos", str(data / "none")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 2
    assert "is not a folder" in done.stderr


def test_interrupted_while_it_draws_it_says_so(data: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "demo", "--data", str(data)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while "Draw a sample library" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=LONGEST)
    assert (process.returncode, told) == (
        130,
        "interrupted; run it again, it goes on from here\n",
    )
