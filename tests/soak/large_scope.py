"""A scope larger than memory: a million vectors are grouped within a bound of memory.

Run: python -m tests.soak.large_scope [--items N] [--dimension D] [--mib BOUND]. Fills PostgreSQL
and the edge Qdrant with a made-up library (groups by a power law), has a process of its own do a
run, and ends with an error if that takes more memory than the bound, or finds other groups than
there are.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg
from sqlalchemy.engine import make_url

from libs.aio import BlockingPool
from libs.blobs.objects import open_blobs
from libs.clock import SystemClock
from libs.db.engine import Database
from libs.db.migrate import upgrade
from libs.embedded.child import ChildProcess
from libs.embedded.folder import kept_secret
from libs.embedded.postgres import PostgresServer
from libs.embedded.qdrant import QdrantServer
from libs.vectors.index import VectorPoint
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import Matrix
from services.clustering.deps import MIGRATIONS
from services.clustering.domain.run import Mode, RunState
from services.clustering.repository.store import PostgresStore
from services.clustering.usecases.attempt import Sharding, Worker
from services.clustering.usecases.embedding import INDEXED
from services.clustering.usecases.run_once import run_clustering_once
from tests.bench.processes import ROOT, resident_bytes
from tests.support.clustering.bulk import fill_tables
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import COLLECTION
from tests.support.clustering.runs import ask

ITEMS = 1_000_000
DIMENSION = 128
BOUND = 1024
LEAST_ARI = 0.95
SCOPE = "personas/large"
_MIB = 2**20
_NOISE = 0.15
_CHUNK = 20_000
_AT_ONCE = 4

Labels = npt.NDArray[np.int32]

# The index of a million vectors takes minutes, in which the edge server answers nobody.
_EDGE = """
from libs.embedded.qdrant_edge import __main__, collection
collection.IDLE_SECONDS = float("inf")
raise SystemExit(__main__.main())
"""


class Edge(QdrantServer):
    """The edge server, which compares with all vectors instead of building an index."""

    def _child(self, port: int) -> ChildProcess:
        key = self.data / "api-key"
        kept_secret(key)
        return ChildProcess(
            "The edge server of the soak",
            [
                *(sys.executable, "-c", _EDGE),
                *("--path", self.data, "--port", str(port), "--api-key-file", key),
            ],
            log=self.data / "qdrant-edge.log",
            cwd=ROOT,
            keep_open=[self._lock.descriptor],
        )


@dataclass(frozen=True, slots=True)
class Library:
    """A made-up library; ``truth`` is the group of each item, -1 for what belongs to none."""

    points: list[str]
    truth: Labels
    dimension: int

    @classmethod
    def of(cls, items: int, dimension: int) -> "Library":
        """2 √n groups with sizes by a power law."""
        chance = np.random.default_rng(1)
        data = np.sort(np.frombuffer(chance.bytes(16 * items), dtype="S16"))
        points = [str(UUID(bytes=raw.ljust(16, b"\0"))) for raw in data.tolist()]
        groups = int(2 * items**0.5)
        shares = (1.0 + np.arange(groups)) ** -0.8
        sizes = np.maximum(5, shares / shares.sum() * items * (1 - _NOISE)).astype(int)
        truth = np.full(items, -1, dtype=np.int32)
        members = np.repeat(np.arange(groups, dtype=np.int32), sizes)[:items]
        truth[: len(members)] = members
        return cls(points, chance.permutation(truth), dimension)

    def vectors(self) -> Iterator[tuple[slice, Matrix]]:
        """The vectors, some at a time."""
        chance = np.random.default_rng(2)
        groups = int(self.truth.max()) + 1
        themes = _unit(chance.normal(size=(max(2, groups // 8), self.dimension)))

        def around(count: int) -> npt.NDArray[np.float64]:
            own = _unit(chance.normal(size=(count, self.dimension)))
            theme = themes[chance.integers(0, len(themes), count)]
            return np.asarray(0.2**0.5 * theme + 0.8**0.5 * own)

        centres, within = _unit(around(groups)), chance.uniform(0.35, 0.8, groups)
        for start in range(0, len(self.truth), _CHUNK):
            part = slice(start, min(start + _CHUNK, len(self.truth)))
            truth = self.truth[part]
            near = within[truth, None]
            rows = near**0.5 * centres[truth]
            rows += (1 - near) ** 0.5 * _unit(chance.normal(size=rows.shape))
            loose: npt.NDArray[np.bool_] = truth < 0
            rows[loose] = around(int(loose.sum()))
            yield part, _unit(rows).astype(np.float32)


def main() -> int:
    """Fills, groups, compares; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.large_scope", description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--dimension", type=int, default=DIMENSION)
    parser.add_argument("--mib", type=int, default=BOUND, help="the most memory of the process")
    parser.add_argument("--shard", type=int, default=50_000, help="items in a shard")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(asyncio.run(work(json.loads(asked.work)))))
        return 0
    with tempfile.TemporaryDirectory(prefix="colonnade-soak-") as folder:
        return soak(Path(folder), asked)


def soak(folder: Path, asked: argparse.Namespace) -> int:
    """The exit code."""
    library = Library.of(asked.items, asked.dimension)
    with PostgresServer(folder / "postgres") as postgres, Edge(folder / "vectors") as edge:
        url = postgres.ensure_service("clustering")
        upgrade(url, "clustering", MIGRATIONS)
        collection = replace(COLLECTION, name="photos-large-r1-f1", dimension=library.dimension)
        started = time.perf_counter()
        fill_tables(url, collection, SCOPE, library.points, words="photo")
        asyncio.run(fill_index(edge, collection.name, library))
        print(f"filled with {asked.items:,} in {time.perf_counter() - started:.0f} s", flush=True)
        answer, phases, most = watched(url, edge, folder, asked)
        found = groups_of(url, library)
    if answer["state"] != RunState.SUCCEEDED:
        print(f"the run {answer['state']}: {answer['error']}")
        return 1
    ari = adjusted_rand(found, library.truth)
    peak = answer["peak"] / _MIB
    print(f"{asked.items:,} x {asked.dimension}: {answer['seconds']:.0f} s")
    for phase, seconds in phases.items():
        print(f"  {phase:<10} {seconds:7.1f} s")
    print(f"ARI {ari:.4f}; groups {found.max() + 1} of {library.truth.max() + 1}")
    print(f"outside {(found < 0).mean():.3f}, of these made so {(library.truth < 0).mean():.3f}")
    print(
        f"most memory: {peak:.0f} MiB (at most {asked.mib}; {answer['before'] / _MIB:.0f} before "
        f"the run), {answer['processor']:.0f} s of processor; the edge server "
        f"{most / _MIB:.0f} MiB"
    )
    return 0 if peak <= asked.mib and ari >= LEAST_ARI else 1


async def fill_index(edge: Edge, name: str, library: Library) -> None:
    """Every vector, in the index."""
    async with QdrantIndex(edge.address.target, api_key=edge.address.api_key, timeout=60) as index:
        await index.ensure_collection(name, library.dimension, indexed=INDEXED)
        for part, rows in library.vectors():
            points = [
                VectorPoint(id, row, {"scope": SCOPE})
                for id, row in zip(library.points[part], rows, strict=True)
            ]
            size = len(points) // _AT_ONCE + 1
            parts = [points[at : at + size] for at in range(0, len(points), size)]
            await asyncio.gather(*(index.upsert(name, some) for some in parts))
            print(f"  {part.stop:,}", end="\r", file=sys.stderr)


def watched(
    url: str, edge: Edge, folder: Path, asked: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, float], int]:
    """What the process that did the run says, the seconds of each phase, and the most memory that
    the edge server had."""
    told = {
        "database": url,
        "target": edge.address.target,
        "key": edge.address.api_key,
        "blobs": f"file://{folder / 'blobs'}",
        "shard": asked.shard,
        "limit": asked.items // 2,
    }
    assert edge.child is not None and edge.child.pid is not None
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.large_scope", "--work", json.dumps(told)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    )
    phases: dict[str, float] = {}
    most, before = 0, time.perf_counter()
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        while child.poll() is None:
            time.sleep(0.25)
            now = time.perf_counter()
            row = connection.execute("SELECT phase FROM clustering.runs").fetchone()
            if row is not None:
                phase = row[0] or "start"
                phases[phase] = phases.get(phase, 0.0) + now - before
            most, before = max(most, resident_bytes(edge.child.pid)), now
    assert child.stdout is not None
    if child.returncode:
        raise SystemExit(f"the process of the run ended with {child.returncode}")
    return json.loads(child.stdout.read()), phases, most


async def work(told: dict[str, Any]) -> dict[str, Any]:
    """The run, in the process whose memory is measured."""
    pool = BlockingPool("clustering", 1)
    database = Database(told["database"], application_name="soak")
    async with QdrantIndex(told["target"], api_key=told["key"]) as index:
        worker = Worker(
            store=PostgresStore(database, SystemClock()),
            vectors=IndexVectors(index),
            snapshots=BlobSnapshots(open_blobs(told["blobs"])),
            pool=pool,
            clock=SystemClock(),
            params=Params(),
            owner="soak",
            max_attempts=3,
            sharding=Sharding(MemoryQueue(), told["limit"], told["shard"]),
        )
        before, started = _peak(), time.perf_counter()
        asked = await ask(worker.store, SCOPE, Mode.REFIT)
        run = await run_clustering_once(worker, asked.id)
        seconds = time.perf_counter() - started
    await database.close()
    pool.close()
    assert run is not None
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "state": run.state,
        "error": run.error_message,
        "seconds": seconds,
        "processor": spent.ru_utime + spent.ru_stime,
        "before": before,
        "peak": _peak(),
    }


def _peak() -> int:
    """The most memory that this process had. ``ru_maxrss`` would be that of its parent as well."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("there is no VmHWM in /proc/self/status")


def groups_of(url: str, library: Library) -> Labels:
    """The number of the cluster of each item, -1 for none."""
    found = np.full(len(library.points), -1, dtype=np.int32)
    places = {point: place for place, point in enumerate(library.points)}
    query = """
        SELECT items.point_id, dense_rank() OVER (ORDER BY members.cluster_id) - 1
        FROM clustering.members JOIN clustering.items ON items.name = members.item
        WHERE members.scope = %s AND members.until IS NULL
    """
    with psycopg.connect(_plain(url)) as connection:
        for point, number in connection.execute(query, (SCOPE,)):
            found[places[str(point)]] = number
    return found


def adjusted_rand(found: Labels, truth: Labels) -> float:
    """Adjusted Rand index; an item in no group is one by itself, and so in no pair."""
    both = (found >= 0) & (truth >= 0)
    cells = found[both].astype(np.int64) * (int(truth.max()) + 1) + truth[both]
    together = _pairs(np.unique(cells, return_counts=True)[1])
    left, right = _pairs(np.bincount(found[found >= 0])), _pairs(np.bincount(truth[truth >= 0]))
    expected = left * right / _pairs(np.array([len(found)]))
    return (together - expected) / ((left + right) / 2 - expected)


def _pairs(counts: npt.NDArray[np.int64]) -> float:
    sizes = counts.astype(np.float64)
    return float((sizes * (sizes - 1) / 2).sum())


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def _plain(url: str) -> str:
    plain = make_url(url).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


if __name__ == "__main__":
    sys.exit(main())
