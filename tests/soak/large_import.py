"""Imports 50,000 files with a Ctrl-C, a killed command and a killed catalog on the way.

Run: python -m tests.soak.large_import [COUNT]. Ends with an error if a file is unaccounted for, if
a photo is there twice, or if memory grows with the number of files.
"""

import asyncio
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_import_pb2 import PhotoImportItem
from colonnade.catalog.v1.pillar_pb2 import Pillar
from PIL import Image

from cli.account import import_items
from cli.connection import Target, connect
from cli.run import INTERRUPTED
from libs.db.migrate import upgrade
from libs.rpc.contracts import SERVICES
from services.engines import DATABASES
from tests.bench.processes import ROOT, Running, engines, service

COUNT = 50_000
PERSONA = "personas/many"
# Of each hundred files one is a copy of the one before it, one is broken, one is a text.
_COPY, _BROKEN, _TEXT = 97, 98, 99
_EVERY = 0.25
_MIB = 2**20
# What the command and the service may grow by from the first tenth of the files to the last.
_GROWTH = 40 * _MIB

Stop = Callable[["subprocess.Popen[bytes]"], None]


@dataclass
class Memory:
    """The most memory seen of a process, by how much was done."""

    early: int = 0
    late: int = 0


@dataclass
class Story:
    """One run: what was drawn, what happened, what was seen."""

    folder: Path
    count: int
    drawn: Counter[str] = field(default_factory=Counter)
    command: Memory = field(default_factory=Memory)
    catalog: Memory = field(default_factory=Memory)


def main() -> int:
    """Draws, imports with interruptions, checks; the exit code."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(prefix="colonnade-soak-") as place:
        data = Path(place)
        story = Story(data / "many", count)
        draw(story)
        with engines(data / "engines") as environment:
            for name in DATABASES:
                url = environment[f"COLONNADE_DATABASES__{name.upper()}__URL"]
                upgrade(url, name, Path("services") / name / "migrations")
            started = time.perf_counter()
            interrupted(story, data, environment)
            seconds = time.perf_counter() - started
            with service("catalog", data / "catalog", environment) as running:
                told = asyncio.run(accounted(story, running))
    print(f"{count:,} files in {seconds:.0f} s, interrupted three times: {told}")
    for name, memory in (("command", story.command), ("catalog", story.catalog)):
        early, late = memory.early / _MIB, memory.late / _MIB
        print(f"most memory of the {name}: {early:.0f} MiB at first, {late:.0f} MiB in the end")
        assert memory.late - memory.early < _GROWTH, "memory grows with the files"
    return 0


def draw(story: Story) -> None:
    """Small pictures, no two the same, in folders of a thousand."""
    before = b""
    for number in range(story.count):
        path = story.folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = number % 100
        if kind == _COPY:
            data, what = before, "DUPLICATE"
        elif kind == _BROKEN:
            data, what = b"\xff\xd8\xff\xe0" + number.to_bytes(4), "FAILED"
        elif kind == _TEXT:
            path, data, what = path.with_suffix(".txt"), f"{number}".encode(), "SKIPPED"
        else:
            data, what = picture(number), "IMPORTED"
        path.write_bytes(data)
        story.drawn[what] += 1
        before = data


def picture(number: int) -> bytes:
    """A JPEG of some 2 kB."""
    rows = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(rows).resize((96, 72), Image.Resampling.BICUBIC).save(data, "JPEG")
    return data.getvalue()


def interrupted(story: Story, data: Path, environment: dict[str, str]) -> None:
    """The import, stopped at a fifth, killed at two fifths, its catalog killed at three fifths."""
    with service("catalog", data / "catalog", environment) as running:
        asyncio.run(prepare(running))
        assert attempt(story, running, 0.2, lambda child: child.send_signal(signal.SIGINT)) == (
            INTERRUPTED
        )
        assert attempt(story, running, 0.4, subprocess.Popen.kill) == -signal.SIGKILL
        pid = running.child.pid
        assert pid is not None
        assert attempt(story, running, 0.6, lambda _: os.kill(pid, signal.SIGKILL)) not in (0, None)
    with service("catalog", data / "catalog", environment) as running:
        assert attempt(story, running, 2.0, subprocess.Popen.kill) == 1, "some files have failed"


def attempt(story: Story, running: Running, until: float, stop: Stop) -> int:
    """Runs the command until so much is done, then ``stop``; its exit code."""
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "cli.main", "photos", "import", str(story.folder)),
            *("--persona", "many", "--pillar", "all", "--json"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "COLONNADE_ADDRESS": running.grpc},
    )
    stopped = False
    while child.poll() is None:
        done = asyncio.run(progress(running)) / story.count
        for memory, pid in ((story.command, child.pid), (story.catalog, running.child.pid)):
            watch(memory, resident(pid), done)
        print(f"  {done:.0%}", end="\r", file=sys.stderr)
        if done >= until and not stopped:
            stop(child)
            stopped = True
        time.sleep(_EVERY)
    return child.returncode


def watch(memory: Memory, size: int, done: float) -> None:
    if 0.05 < done < 0.15:
        memory.early = max(memory.early, size)
    if done > 0.9:
        memory.late = max(memory.late, size)


def resident(pid: int | None) -> int:
    """Resident bytes; 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(x.split()[1]) * 1024 for x in lines if x.startswith("VmRSS:")), 0)


def target(running: Running) -> Target:
    return Target(dict.fromkeys(SERVICES, running.grpc), "")


async def prepare(running: Running) -> None:
    async with connect(target(running)) as suite:
        persona = catalog.CreatePersonaRequest(
            persona_id="many", persona=Persona(display_name="Many", time_zone="UTC")
        )
        await suite.catalog.CreatePersona(persona)
        pillar = Pillar(display_name="All", weight=100)
        request = catalog.CreatePillarRequest(parent=PERSONA, pillar_id="all", pillar=pillar)
        await suite.catalog.CreatePillar(request)


async def progress(running: Running) -> int:
    """How many files the account has; what there was before if the catalog does not answer."""
    try:
        async with connect(target(running)) as suite:
            page = await suite.imports.ListPhotoImports(
                imports.ListPhotoImportsRequest(parent=PERSONA, page_size=1)
            )
    except Exception:  # it was killed on purpose
        return 0
    if not page.photo_imports:
        return 0
    counts = page.photo_imports[0].counts
    return counts.imported + counts.duplicate + counts.skipped + counts.failed


async def accounted(story: Story, running: Running) -> str:
    """What the account says, which must be what was drawn, each file once."""
    async with connect(target(running)) as suite:
        page = await suite.imports.ListPhotoImports(imports.ListPhotoImportsRequest(parent=PERSONA))
        (account,) = page.photo_imports
        found: Counter[str] = Counter()
        paths: set[str] = set()
        async for item in import_items(suite, account.name):
            outcome = PhotoImportItem.Outcome.Name(item.outcome).removeprefix("OUTCOME_")
            found[outcome] += 1
            paths.add(item.source_path)
        stats = await suite.catalog.GetLibraryStats(
            catalog.GetLibraryStatsRequest(name=f"{PERSONA}/libraryStats")
        )
    assert len(paths) == story.count == found.total(), (len(paths), found)
    # A file whose note was lost in a kill is found again by its bytes, as a duplicate.
    assert found["IMPORTED"] + found["DUPLICATE"] == (
        story.drawn["IMPORTED"] + story.drawn["DUPLICATE"]
    )
    assert (found["FAILED"], found["SKIPPED"]) == (story.drawn["FAILED"], story.drawn["SKIPPED"])
    assert stats.photos == story.drawn["IMPORTED"], "each picture once"
    return ", ".join(f"{count:,} {what.lower()}" for what, count in sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
