"""Searching many photos, with and without filters, against numpy that compares with all of them;
and how long a switch of the model takes while people search.

Small by default; ``COLONNADE_BENCH_PHOTOS=100000`` for the size that is published.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import psycopg
from colonnade.clustering.v1 import generation_service_pb2 as generations
from colonnade.clustering.v1 import search_service_pb2 as api
from colonnade.clustering.v1.generation_service_pb2_grpc import GenerationServiceStub
from colonnade.clustering.v1.search_service_pb2_grpc import SearchServiceStub
from colonnade.type.v1.vector_pb2 import Vector

from libs.db.migrate import upgrade
from libs.vectors.index import VectorPoint
from libs.vectors.qdrant import QdrantIndex
from services.clustering.usecases.embedding import INDEXED
from services.engines import DATABASES
from tests.bench.processes import ROOT, engines, service
from tests.bench.report import Fact, Row

PHOTOS = int(os.environ.get("COLONNADE_BENCH_PHOTOS", "3000"))
DIMENSION = 1280  # of the default model
OTHER_DIMENSION = 512
QUERIES = 200
SWITCHES = 10
WITH_BOTH = 10_000  # of these the second generation has vectors, too
_SUBJECTS = 300
_INDEXED_FROM = 20_000
_IDLE = 40.0  # the engine builds its approximate index after 20 s without work
_SCOPE = "personas/bench"

Floats = npt.NDArray[np.float32]
_GENERATION = """
    INSERT INTO clustering.collections (name, model, revision, fingerprint, dimension,
        scene_threshold, duplicate_threshold, create_time, id, state, epoch, ready_time)
    VALUES (%s, %s, 'r1', 'f1', %s, 0.9, 0.95, now(), %s, %s, %s, now())
"""
_ITEM = """
    COPY clustering.items (name, point_id, scope, blob_key, words, words_time, pixels, create_time,
                           pillar, tags, described) FROM STDIN
"""
_PLACE = """
    INSERT INTO clustering.item_vectors (collection, item, state, scene, told)
    SELECT %s, name, 'ready', name, 1 FROM clustering.items
"""


@dataclass(frozen=True, slots=True)
class _Library:
    """The photos under measurement: row i of ``vectors`` belongs to ``names[i]``; a tenth of them
    has the tag ``rare``."""

    names: list[str]
    points: list[str]
    vectors: Floats
    rare: npt.NDArray[np.bool_]


def measure(data: Path) -> Sequence[Row | Fact]:
    """Engines and the clustering service run; nothing is embedded."""
    library = _library(PHOTOS)
    with engines(data / "engines") as environment:
        for name in DATABASES:
            folder = ROOT / "services" / name / "migrations"
            upgrade(environment[f"COLONNADE_DATABASES__{name.upper()}__URL"], name, folder)
        _fill_rows(environment["COLONNADE_DATABASES__CLUSTERING__URL"], library)
        asyncio.run(_fill_index(environment, library))
        if len(library.names) > _INDEXED_FROM:
            time.sleep(_IDLE)
        with service("clustering", data / "clustering", environment) as running:
            return asyncio.run(_measure(running.grpc, library))


async def _measure(address: str, library: _Library) -> list[Row | Fact]:
    async with grpc.aio.insecure_channel(address) as channel:
        search = SearchServiceStub(channel)
        found: list[Row | Fact] = []
        for what, chosen, rows in (
            ("without a filter", api.ItemFilter(), np.ones(len(library.names), bool)),
            ("of a tag that a tenth has", api.ItemFilter(all_tags=["rare"]), library.rare),
        ):
            found += await _searches(search, library, what, chosen, rows)
        found.append(await _switching(search, GenerationServiceStub(channel), library))
        return found


async def _searches(
    stub: Any, library: _Library, what: str, chosen: api.ItemFilter, rows: npt.NDArray[np.bool_]
) -> list[Row | Fact]:
    queries = _near(library.vectors, QUERIES)
    names = np.array(library.names)[rows]
    vectors = library.vectors[rows]
    ours, bare, right = [], [], 0
    for query in queries:
        begin = time.perf_counter()
        answer = await stub.SearchItems(_request(query, chosen))
        middle = time.perf_counter()
        best = _brute_force(vectors, query, 10)
        bare.append(time.perf_counter() - middle)
        ours.append(middle - begin)
        right += len({hit.item for hit in answer.hits} & {*names[best]})
    recall = right / (10 * len(queries))
    count = f"{len(library.names):,} photos"
    return [
        Row(
            f"searches of {count}, {what}",
            1 / _percentile(ours, 50),
            1 / _percentile(bare, 50),
            "/s",
            "numpy, every vector, one after the other",
        ),
        Fact(f"search of {count}, {what}: p50 and p99", _spread(ours), "≤ 50 and 100 ms"),
        Fact(f"numpy beside it, {what}: p50 and p99", _spread(bare), ""),
        Fact(f"recall@10 of {count}, {what}", f"{recall:.4f}", "≥ 0.98"),
    ]


async def _switching(search: Any, stub: Any, library: _Library) -> Fact:
    """Switches back and forth while four callers search without a pause."""
    listed = await stub.ListGenerations(generations.ListGenerationsRequest())
    names = [generation.name for generation in listed.generations]
    stop, count, failed = asyncio.Event(), 0, 0

    async def look() -> None:
        nonlocal count, failed
        while not stop.is_set():
            try:
                item = library.names[count % min(len(library.names), WITH_BOTH)]
                await search.SearchItems(api.SearchItemsRequest(parent=_SCOPE, item=item))
            except grpc.aio.AioRpcError:
                failed += 1
            count += 1

    times = []
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(look())
        for turn in range(SWITCHES):
            request = generations.ActivateGenerationRequest(name=names[turn % 2])
            begin = time.perf_counter()
            answer = await stub.ActivateGeneration(request)
            if answer.previous:
                times.append(time.perf_counter() - begin)
            await asyncio.sleep(0.1)
        stop.set()
    return Fact(
        f"switch and back with {len(library.names):,} photos, the slowest of "
        f"{len(times)}; searches meanwhile, failed",
        f"{max(times) * 1000:.0f} ms; {count}, {failed}",
        "< 1,000 ms; none failed",
    )


def _request(query: Floats, chosen: api.ItemFilter) -> api.SearchItemsRequest:
    vector = Vector(dimension=len(query), data=query.astype("<f4").tobytes())
    return api.SearchItemsRequest(
        parent=_SCOPE,
        vector=api.QueryVector(
            vector=vector, model="models/bench", revision="r1", fingerprint="f1"
        ),
        filter=chosen,
        page_size=10,
    )


def _library(count: int) -> _Library:
    """Photos of many subjects, some near each other, as a camera makes them."""
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(_SUBJECTS, DIMENSION)).astype(np.float32)
    vectors = centres[generator.integers(_SUBJECTS, size=count)]
    vectors += 0.9 * generator.standard_normal((count, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = [str(uuid.UUID(int=number + 1)) for number in range(count)]
    names = [f"{_SCOPE}/photos/{point}" for point in points]
    return _Library(names, points, vectors, generator.random(count) < 0.1)


def _near(vectors: Floats, count: int) -> Floats:
    """Queries that are like photos, but are none."""
    generator = np.random.default_rng(2)
    chosen = vectors[generator.integers(len(vectors), size=count)]
    mixed = chosen + 0.02 * generator.standard_normal(chosen.shape, dtype=np.float32)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def _brute_force(vectors: Floats, query: Floats, count: int) -> npt.NDArray[np.intp]:
    scores = vectors @ query
    best = np.argpartition(-scores, count)[:count]
    return best[np.argsort(-scores[best])]


def _fill_rows(url: str, library: _Library) -> None:
    first, second = str(uuid.UUID(int=1 << 100)), str(uuid.UUID(int=2 << 100))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        cursor = connection.cursor()
        cursor.execute(_GENERATION, ("one", "models/bench", DIMENSION, first, "active", 1))
        cursor.execute(_GENERATION, ("two", "models/other", OTHER_DIMENSION, second, "ready", 0))
        with cursor.copy(_ITEM) as copy:
            for name, point, rare in zip(library.names, library.points, library.rare, strict=True):
                tags = ["rare"] if rare else []
                row = (name, point, _SCOPE, "", [], "2026-01-01", 1, "2026-01-01", "p", tags, True)
                copy.write_row(row)
        cursor.execute("UPDATE clustering.items SET synced = facts")
        cursor.execute(_PLACE, ("one",))
        cursor.execute(_PLACE, ("two",))
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")


async def _fill_index(environment: dict[str, str], library: _Library) -> None:
    address = environment["COLONNADE_VECTORS__ADDRESS"]
    key = environment["COLONNADE_VECTORS__API_KEY"] or None
    async with QdrantIndex(address, api_key=key, timeout=60) as index:
        for name, dimension, count in (
            ("one", DIMENSION, len(library.names)),
            ("two", OTHER_DIMENSION, min(len(library.names), WITH_BOTH)),
        ):
            await index.ensure_collection(name, dimension, indexed=INDEXED)
            for start in range(0, count, 1000):
                rows = range(start, min(start + 1000, count))
                points = [
                    VectorPoint(
                        library.points[row],
                        library.vectors[row][:dimension],
                        {"scope": _SCOPE, "tags": ["rare"] if library.rare[row] else []},
                    )
                    for row in rows
                ]
                await index.upsert(name, points)


def _percentile(times: Sequence[float], percent: int) -> float:
    return quantiles(times, n=100)[percent - 1]


def _spread(times: Sequence[float]) -> str:
    return f"{_percentile(times, 50) * 1000:.1f} and {_percentile(times, 99) * 1000:.1f} ms"
