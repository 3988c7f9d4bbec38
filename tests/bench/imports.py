"""Import into the catalog against decoding and thumbnailing the same files, and nothing else."""

import asyncio
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from PIL import Image

from cli.connection import Suite, Target, connect
from cli.importer import Destination
from cli.importing import import_source
from cli.sources import source_of
from demo.pictures import draw_library
from libs.images import ImageLimits, reuse_buffers, thumbnail_jpeg
from libs.rpc.contracts import SERVICES
from services.engines import DATABASES
from tests.bench.processes import ROOT, Running, engines, service
from tests.bench.report import Fact, Row, paired

ROUNDS = 5
MANY = 10_000
_FEW = 1_000
_MIB = 1024 * 1024
_SAMPLED_EVERY = 0.1
_BUFFERS_PER_THREAD = 2


def measure(data: Path) -> list[Row | Fact]:
    """Only engines and the catalog run: embedding would take its share of the cores."""
    folder = _library(data)
    files = sorted(folder.iterdir())
    with engines(data / "engines") as environment:
        _migrate(environment)
        with service("catalog", data / "catalog", environment) as running:
            ours, bare = [], []
            for number in range(ROUNDS):
                ours.append(asyncio.run(_import(running.grpc, folder, f"bench-{number}")))
                bare.append(_bare(files))
            mine, other = paired(ours, bare)
            what = f"import of {len(files)} pictures of about a megapixel"
            return [Row(what, mine, other, "photos/s", _BARE, 0.7), *_at_scale(data, running)]


_BARE = f"decoding and thumbnailing alone, {os.cpu_count()} threads"


def _at_scale(data: Path, running: Running) -> list[Row | Fact]:
    """Many small files, by the command in a process of its own, as it is used."""
    few, many = data / "few", data / "many"
    _draw(few, range(_FEW))
    _draw(many, range(_FEW, _FEW + MANY))
    before = _command(running, few)
    after = _command(running, many)
    bare = _bare(sorted(many.iterdir()))
    memory = f"{_FEW:,} and {MANY:,} files"
    return [
        Row(f"import of {MANY:,} small files", MANY / after.seconds, bare, "photos/s", _BARE),
        Fact(
            f"most memory of the command, {memory}",
            f"{before.command / _MIB:.0f} and {after.command / _MIB:.0f} MiB",
            "the same",
        ),
        Fact(
            f"most memory of the catalog, {memory}",
            f"{before.catalog / _MIB:.0f} and {after.catalog / _MIB:.0f} MiB",
            "the same",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one run of the command; memory in bytes, each at its highest."""

    seconds: float
    command: int
    catalog: int


def _command(running: Running, folder: Path) -> _Cost:
    asyncio.run(_make_persona(running.grpc, folder.name))
    assert running.child.pid is not None
    Path(f"/proc/{running.child.pid}/clear_refs").write_text("5")  # starts VmHWM anew
    arguments = ("photos", "import", str(folder), "--persona", folder.name, "--pillar", "all")
    started, most = time.perf_counter(), 0
    child = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments, "--json"],
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "COLONNADE_ADDRESS": running.grpc},
    )
    while child.poll() is None:
        most = _highest(child.pid) or most
        time.sleep(_SAMPLED_EVERY)
    assert child.returncode == 0
    return _Cost(time.perf_counter() - started, most, _highest(running.child.pid))


def _highest(process: int) -> int:
    """The most memory that a process had, in bytes; 0 for one that has just ended."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    sizes = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return next(sizes, 0)


def _migrate(environment: dict[str, str]) -> None:
    from libs.db.migrate import upgrade

    for name in DATABASES:
        url = environment[f"COLONNADE_DATABASES__{name.upper()}__URL"]
        upgrade(url, name, Path("services") / name / "migrations")


def _library(data: Path) -> Path:
    """A folder of the good pictures of the sample library."""
    folder, good = data / "photos", data / "good"
    good.mkdir(parents=True)
    for number, picture in enumerate(draw_library(folder)):
        if picture.kind == "original" and picture.path.endswith(".jpg"):
            os.link(folder / picture.path, good / f"{number:03}.jpg")
    return good


def _draw(folder: Path, numbers: range) -> None:
    """Pictures of 20 to 40 kB, no two the same."""
    folder.mkdir()
    for number in numbers:
        noise = random.Random(number).randbytes(160 * 120 * 3)
        small = Image.frombytes("RGB", (160, 120), noise)
        small.resize((480, 360), Image.Resampling.BICUBIC).save(
            folder / f"{number:06}.jpg", quality=70
        )


async def _import(address: str, folder: Path, persona: str) -> float:
    """Photos a second. A fresh persona each time, so that nothing is there already."""
    await _make_persona(address, persona)
    parent = f"personas/{persona}"
    async with connect(_target(address)) as suite:
        source = source_of(str(folder))
        to = Destination(parent, f"{parent}/pillars/all")
        started = time.perf_counter()
        imported = await import_source(suite, source, to, quiet=True)
        seconds = time.perf_counter() - started
    assert imported.account.counts.imported == source.count()
    return imported.account.counts.imported / seconds


async def _make_persona(address: str, persona: str) -> None:
    async with connect(_target(address)) as suite:
        await suite.catalog.CreatePersona(
            catalog.CreatePersonaRequest(persona_id=persona, persona=Persona(display_name=persona))
        )
        await _make_pillar(suite, f"personas/{persona}")


async def _make_pillar(suite: Suite, parent: str) -> None:
    pillar = Pillar(display_name="All", weight=100)
    await suite.catalog.CreatePillar(
        catalog.CreatePillarRequest(parent=parent, pillar_id="all", pillar=pillar)
    )


def _target(address: str) -> Target:
    return Target(dict.fromkeys(SERVICES, address), "")


def _bare(files: list[Path]) -> float:
    limits, threads = ImageLimits(), os.cpu_count() or 1
    reuse_buffers(_BUFFERS_PER_THREAD * threads)

    def one(path: Path) -> int:
        return len(thumbnail_jpeg(path.read_bytes(), 512, 80, limits))

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(files), _FEW):
            list(pool.map(one, files[start : start + _FEW]))
    return len(files) / (time.perf_counter() - started)
