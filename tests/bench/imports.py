"""Import into the catalog against decoding and thumbnailing the same files, and nothing else."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar

from cli.connection import Target, connect
from cli.importer import Destination, Result, import_files
from cli.walk import Found
from demo.pictures import draw_library
from libs.images import ImageLimits, thumbnail_jpeg
from libs.rpc.contracts import SERVICES
from services.engines import DATABASES
from tests.bench.processes import engines, service
from tests.bench.report import Row, paired

ROUNDS = 5


def measure(data: Path) -> list[Row]:
    """One row. Only engines and the catalog run: embedding would take its share of the cores."""
    files = _library(data)
    with engines(data / "engines") as environment:
        _migrate(environment)
        with service("catalog", data / "catalog", environment) as catalog_service:
            ours, bare = [], []
            for number in range(ROUNDS):
                ours.append(asyncio.run(_import(catalog_service.grpc, files, number)))
                bare.append(_bare(files))
    mine, other = paired(ours, bare)
    what = f"import of {len(files)} pictures of about a megapixel"
    bare_is = f"decoding and thumbnailing alone, {os.cpu_count()} threads"
    return [Row(what, mine, other, "photos/s", bare_is, 0.7)]


def _migrate(environment: dict[str, str]) -> None:
    from libs.db.migrate import upgrade

    for name in DATABASES:
        url = environment[f"COLONNADE_DATABASES__{name.upper()}__URL"]
        upgrade(url, name, Path("services") / name / "migrations")


def _library(data: Path) -> list[Path]:
    folder = data / "photos"
    manifest = draw_library(folder)
    good = [folder / p.path for p in manifest if p.kind == "original"]
    return [path for path in good if path.suffix == ".jpg"]


async def _import(address: str, files: list[Path], number: int) -> float:
    """A fresh persona each time, so that nothing is there already."""
    async with connect(Target(dict.fromkeys(SERVICES, address), "")) as suite:
        persona = f"bench-{number}"
        await suite.catalog.CreatePersona(
            catalog.CreatePersonaRequest(persona_id=persona, persona=Persona(display_name=persona))
        )
        parent = f"personas/{persona}"
        await suite.catalog.CreatePillar(
            catalog.CreatePillarRequest(
                parent=parent, pillar_id="all", pillar=Pillar(display_name="All", weight=100)
            )
        )
        found = [Found(path, path.name) for path in files]
        started = time.perf_counter()
        report = await import_files(suite, found, Destination(parent, f"{parent}/pillars/all"))
        seconds = time.perf_counter() - started
        assert report.count(Result.IMPORTED) == len(files)
        return len(files) / seconds


def _bare(files: list[Path]) -> float:
    limits = ImageLimits()

    def one(path: Path) -> int:
        return len(thumbnail_jpeg(path.read_bytes(), 512, 85, limits))

    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, files))
    return len(files) / (time.perf_counter() - started)
