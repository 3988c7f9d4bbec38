"""A thousand posts while workers, beat, Redis, PostgreSQL and the provider are killed at random.

Run: ``python -m tests.soak.publishing [--posts N] [--minutes M] [--workers W] [--seed S]``. All
runs on loopback in processes of its own, which are killed with ``kill -9`` and started again.
Besides, calls of the provider go wrong. When the last post was due all that is killed comes back,
and it waits until every post is resolved or escalated. Then it compares the database with the
provider, prints a report in Markdown, and ends with 1 if a post is there twice, is lost, or is left
open, or if most posts only went out when all was calm again.
"""

import argparse
import asyncio
import os
import platform
import random
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Post
from PIL import Image

from cli.connection import Suite as Api
from cli.connection import connect
from cli.output import timestamp
from tests.e2e import work
from tests.soak.publishing_suite import PACE, PublishingSuite
from tests.soak.publishing_verdict import Listed, Stored, Verdict, judge
from tests.support.harness import Part

# How often each is hit.
VICTIMS: Final = {
    "worker": 8,
    "worker with beat": 4,
    "Redis": 3,
    "PostgreSQL": 3,
    "provider": 3,
    "relay": 1,
}
# ``processed``: whether the provider has acted before it fails.
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "gateway_error", "status": 502},
    {"kind": "gateway_error", "status": 504, "processed": False},
    {"kind": "errors", "processed": False},
    {"kind": "errors", "processed": True},
    # Kills hit calls that take their time; the second delay is longer than we wait.
    {"kind": "delay", "seconds": 3.0},
    {"kind": "delay", "seconds": 8.0},
    {"kind": "rate_limit", "seconds": 3.0},
    {"kind": "duplicate"},
    {"kind": "drop_before", "operation": "posts"},
    {"kind": "gateway_error", "operation": "posts", "status": 503},
)
_KILL_EVERY: Final = 5.0
_FAULT_EVERY: Final = 2.0
_LONGEST_PAUSE: Final = 3.0
_STEP: Final = 0.25
# A lost answer is looked up for five minutes, and once more after a second call.
_PATIENCE: Final = 16 * 60.0
# On a machine that is too slow nothing happens before all is calm again.
_LEAST_CALLED: Final = 0.5
# What creating a post takes at most, so that all are there before the first one is due.
_CREATING: Final = 0.08
_ABREAST: Final = 8

_STORED = """
    SELECT p.final_text, u.state, coalesce(nullif(u.error_reason, ''), u.state_reason),
        u.provider_post_id
    FROM scheduler.publications AS u JOIN scheduler.posts AS p ON p.id = u.post_id
"""
_OPEN = """
    SELECT state, count(*) FROM scheduler.publications
    WHERE state NOT IN ('posted', 'failed', 'missed', 'needs_review') GROUP BY 1
"""
_STATES = """
    SELECT state, error_reason, count(*), count(*) FILTER (WHERE was_unknown)
    FROM scheduler.publications GROUP BY 1, 2 ORDER BY 3 DESC
"""
_CALLED = "SELECT count(DISTINCT publication_id) FROM scheduler.attempts"
_CALLS = "SELECT outcome, count(*) FROM scheduler.attempts GROUP BY 1 ORDER BY 2 DESC"
_LAGS = """
    SELECT percentile_cont(ARRAY[0.5, 0.95, 1]) WITHIN GROUP (
        ORDER BY extract(epoch FROM posted_time - due_time)
    ) FROM scheduler.publications WHERE state = 'posted'
"""
_DOUBTS = """
    WITH doubts AS (
        SELECT extract(epoch FROM (
            SELECT min(later.create_time) FROM scheduler.post_events AS later
            WHERE later.publication_id = event.publication_id AND later.id > event.id
                AND later.to_state IN ('scheduled', 'retry_wait', 'needs_review')
        ) - event.create_time) AS seconds
        FROM scheduler.post_events AS event
        WHERE event.to_state = 'unknown' AND event.from_state = 'submitting'
    )
    SELECT count(*), count(seconds),
        percentile_cont(ARRAY[0.5, 0.95, 1]) WITHIN GROUP (ORDER BY seconds)
    FROM doubts
"""


@dataclass
class Story:
    """What was done to the suite, and how long each part took, in seconds.

    ``called``: for how many posts the provider was called before the disturbance ended.
    """

    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    called: int = 0
    disturbed: float = 0.0
    settled: float = 0.0


class Chaos:
    """Kills and faults until a moment; whatever was killed comes back after a short while."""

    def __init__(self, suite: PublishingSuite, draw: random.Random, story: Story) -> None:
        self._suite = suite
        self._draw = draw
        self._story = story
        self._back_at: dict[Part, float] = {}
        self._provider_back_at = 0.0

    def run(self, until: datetime) -> None:
        """Blocks until then; all runs again at the end."""
        kill_at = fault_at = time.monotonic()
        while datetime.now(UTC) < until:
            self._revive()
            if time.monotonic() >= kill_at:
                self._kill()
                kill_at = time.monotonic() + self._draw.uniform(0.2, 1.8) * _KILL_EVERY
            if time.monotonic() >= fault_at:
                fault = self._draw.choice(FAULTS)
                self._story.faults[_name(fault)] += self._suite.provider.fault(**fault)
                fault_at = time.monotonic() + self._draw.uniform(0.2, 1.8) * _FAULT_EVERY
            time.sleep(_STEP)
        self._back_at.clear()
        self._provider_back_at = 0.0
        self._revive()

    def _revive(self) -> None:
        now = time.monotonic()
        down = frozenset(part for part, at in self._back_at.items() if at > now)
        self._suite.revive(down)
        provider = self._suite.provider
        if not provider.is_running and self._provider_back_at <= now:
            provider.start()
            provider.wait_ready()

    def _kill(self) -> None:
        (name,) = self._draw.choices(list(VICTIMS), list(VICTIMS.values()))
        pause = self._draw.uniform(0, _LONGEST_PAUSE)
        suite = self._suite
        match name:
            case "Redis":
                suite.crash(suite.redis, pause)
            case "PostgreSQL":
                suite.crash(suite.postgres, pause)
            case "provider":
                suite.provider.kill()
                self._provider_back_at = time.monotonic() + pause
            case _:
                part = self._part(name)
                part.kill()
                self._back_at[part] = time.monotonic() + pause
        self._story.kills[name] += 1

    def _part(self, name: str) -> Part:
        first, *others = self._suite.workers
        if name == "relay":
            return self._suite.relay
        return self._draw.choice(others) if name == "worker" and others else first


def _name(fault: dict[str, Any]) -> str:
    done = {True: ", done", False: ", not done"}.get(fault.get("processed", ""), "")
    how = f" {fault['status']}" if "status" in fault else ""
    how += f" {fault['seconds']:g} s" if "seconds" in fault else ""
    return f"{fault.get('operation', 'createPost')}: {fault['kind']}{how}{done}"


async def fill(suite: PublishingSuite, posts: int, minutes: float) -> datetime:
    """Imports a photo for each post and schedules them; when the last one is due."""
    folder = suite.data / "photos"
    folder.mkdir()
    for number in range(posts):
        colour = (number % 256, number // 256, 128)
        Image.new("RGB", (480, 480), colour).save(folder / f"{number:05}.png")
    async with connect(suite.target) as api:
        persona = await work.new_persona(api, "Nora")
        files = sorted(path.name for path in folder.iterdir())
        await work.import_some(api, persona, folder, files)
        channel = await work.new_channel(api, persona, suite.provider.url, suite.token)
        assert channel.name
        photos = [photo.name for photo in await work.photos_of(api, persona)]
        assert len(photos) == posts, f"{len(photos)} of {posts} photos were imported"
        first = datetime.now(UTC) + timedelta(seconds=10 + posts * _CREATING)
        step = timedelta(minutes=minutes) / posts
        limit = asyncio.Semaphore(_ABREAST)
        await asyncio.gather(
            *(_post(api, limit, n, photo, first + n * step) for n, photo in enumerate(photos))
        )
    return first + posts * step


async def _post(api: Api, limit: asyncio.Semaphore, number: int, photo: str, due: datetime) -> None:
    post = Post(photo=photo, caption=f"Post {number:05}", scheduled_time=timestamp(due))
    request = scheduler.CreatePostRequest(parent="/".join(photo.split("/")[:2]), post=post)
    async with limit:
        await api.scheduler.CreatePost(request)


def settle(suite: PublishingSuite) -> None:
    """Returns when nothing is open any more, or after the longest time that it may take."""
    deadline = time.monotonic() + _PATIENCE
    nobody: frozenset[Part] = frozenset()
    while time.monotonic() < deadline:
        suite.revive(nobody)
        still = dict(read(suite, _OPEN))
        print(f"… open: {still}", file=sys.stderr, flush=True)
        if not still:
            return
        time.sleep(10)


def read(suite: PublishingSuite, statement: str) -> Sequence[tuple[Any, ...]]:
    """Rows of the scheduler's database."""
    url = suite.postgres.url.replace("+psycopg", "")
    with psycopg.connect(url, connect_timeout=10) as connection:
        return connection.execute(statement).fetchall()


def compared(suite: PublishingSuite) -> tuple[Verdict, Sequence[Listed]]:
    """The verdict, and what the provider has."""
    listed = [Listed(post["id"], post["text"], post["status"]) for post in suite.provider.posts()]
    return judge((Stored(*row) for row in read(suite, _STORED)), listed), listed


def report(suite: PublishingSuite, asked: argparse.Namespace, story: Story) -> bool:
    """Prints it; whether the promise was kept, by enough posts to be worth a word."""
    verdict, listed = compared(suite)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    pace = ", ".join(f"`{name}` {value}" for name, value in PACE.items())
    told = {name: value for name, value in vars(asked).items() if name != "data"}
    arguments = shlex.join(f"--{name}={value}" for name, value in told.items())
    print(f"`python -m tests.soak.publishing {arguments}`\n")
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}; {pace}\n")
    print(
        f"{asked.posts:,} posts, due within {asked.minutes:g} min; {sum(story.kills.values())} "
        f"kills and {sum(story.faults.values())} faults in {story.disturbed:.0f} s, in which the "
        f"provider was called for {story.called:,} of them; then {story.settled:.0f} s until all "
        "was resolved or escalated.\n"
    )
    _table("promise", "broken", {name: len(found) for name, found in _broken(verdict).items()})
    _table("killed with `kill -9`", "times", story.kills)
    _table("the next such call of the provider goes wrong", "times", story.faults)
    print("| state | reason | posts | of these once unknown |\n|---|---|--:|--:|")
    for row in read(suite, _STATES):
        print(f"| {' | '.join(map(str, row))} |")
    print()
    _table("call", "times", {outcome or "open": n for outcome, n in read(suite, _CALLS)})
    _table("post at the provider", "posts", Counter(post.status for post in listed))
    ((lags,),) = read(suite, _LAGS)
    ((doubts, cleared, seconds),) = read(suite, _DOUBTS)
    print(f"From the time that was asked for to being out: {_spread(lags)}.")
    print(f"{doubts} lost answers, {cleared} of them cleared up: {_spread(seconds)}.")
    if suite.ended:
        ended = ", ".join(f"{name} ({times})" for name, times in suite.ended.items())
        print(f"Ended by themselves (without a database they do not start): {ended}.")
    for name, found in _broken(verdict).items():
        if found:
            print(f"\n{name}: {', '.join(found[:20])}", file=sys.stderr)
    is_proof = story.called >= _LEAST_CALLED * asked.posts
    if not is_proof:
        print("\ntoo few posts met the disturbance; this proves nothing", file=sys.stderr)
    return verdict.is_kept and is_proof


def _broken(verdict: Verdict) -> dict[str, list[str]]:
    return {
        "no post is live twice": verdict.twice,
        "none is lost": verdict.lost,
        "each is resolved or escalated": verdict.open,
        "what is not out says why": verdict.silent,
    }


def _table(what: str, count: str, rows: dict[str, int] | Counter[str]) -> None:
    print(f"| {what} | {count} |\n|---|--:|")
    for name, number in rows.items():
        print(f"| {name} | {number} |")
    print()


def _spread(seconds: Sequence[float] | None) -> str:
    if seconds is None:
        return "none"
    median, high, most = map(float, seconds)
    return f"median {median:.1f} s, p95 {high:.1f} s, most {most:.1f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 if the promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.publishing", description=__doc__)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=7.0, help="over which they are due")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data", type=Path, help="an empty folder that is kept, with all logs")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="colonnade-soak-") as folder:
        outer = asked.data or Path(folder)
        # A folder of its own tells what was started here from whoever only names ``--data``.
        data = outer.absolute() / "suite"
        data.mkdir(parents=True, exist_ok=True)
        outer.chmod(0o755)  # PostgreSQL may run as another user
        with PublishingSuite(data, asked.workers) as suite:
            return 0 if _survives(suite, asked) else 1


def _survives(suite: PublishingSuite, asked: argparse.Namespace) -> bool:
    quotas = dict.fromkeys(("900", "86400", "2592000"), 10**9)
    suite.provider.change(quotas=quotas, publishSeconds=0.5)
    last = asyncio.run(fill(suite, asked.posts, asked.minutes))
    story, started = Story(), time.monotonic()
    Chaos(suite, random.Random(asked.seed), story).run(last)
    suite.provider.calm()
    ((story.called,),) = read(suite, _CALLED)
    story.disturbed = time.monotonic() - started
    settle(suite)
    story.settled = time.monotonic() - started - story.disturbed
    return report(suite, asked, story)


if __name__ == "__main__":
    sys.exit(main())
