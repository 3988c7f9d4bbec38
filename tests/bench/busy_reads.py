"""Reading clusters while a run works, beside reading them while nothing does.

``COLONNADE_BENCH_PHOTOS`` photos, 5,000 unless it is set; they are grouped anew as long as the
measurement takes.
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Any

import grpc
import numpy as np
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub
from colonnade.type.v1.job_pb2 import JobState

from libs.db.engine import Database
from libs.db.migrate import upgrade
from libs.vectors.qdrant import QdrantIndex
from services.clustering.repository.store import PostgresStore
from services.engines import DATABASES
from tests.bench.processes import ROOT, engines, service
from tests.bench.report import Fact
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import FakeEmbedder
from tests.support.clustering.photos import COLLECTION, Vector

PHOTOS = int(os.environ.get("COLONNADE_BENCH_PHOTOS", "5000"))
READS = 300
_DIMENSION = 1280  # of the default model
_PER_SUBJECT = 50
_PAUSE = 0.01
_ENDED = (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED)


def measure(data: Path) -> list[Fact]:
    """Service and worker are processes of their own, as they are where this matters."""
    with engines(data / "engines") as environment:
        for name in DATABASES:
            folder = ROOT / "services" / name / "migrations"
            upgrade(environment[f"COLONNADE_DATABASES__{name.upper()}__URL"], name, folder)
        scope = asyncio.run(_fill(environment))
        with (
            service("clustering", data / "clustering", environment) as served,
            service("worker", data / "worker", environment),
        ):
            return asyncio.run(_measure(served.grpc, scope))


async def _fill(environment: dict[str, str]) -> str:
    """The scope in which there are photos of many subjects now."""
    url = environment["COLONNADE_DATABASES__CLUSTERING__URL"]
    database, clock = Database(url, application_name="bench"), FakeClock()
    address = environment["COLONNADE_VECTORS__ADDRESS"]
    async with QdrantIndex(address, api_key=environment["COLONNADE_VECTORS__API_KEY"]) as index:
        desk = Desk(PostgresStore(database, clock), index, clock)
        desk.embedder = FakeEmbedder(replace(COLLECTION, dimension=_DIMENSION))
        await desk.arrive(_vectors())
    await database.close()
    return desk.scope


def _vectors() -> list[Vector]:
    generator = np.random.default_rng(7)
    centres = generator.normal(size=(max(1, PHOTOS // _PER_SUBJECT), _DIMENSION))
    rows = centres[generator.integers(len(centres), size=PHOTOS)]
    rows = rows + 0.8 * generator.normal(size=rows.shape)
    return list((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


async def _measure(address: str, scope: str) -> list[Fact]:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = ClusteringServiceStub(channel)
        await _run(stub, scope)
        listing = api.ListClustersRequest(parent=scope, page_size=50)
        name = (await stub.ListClusters(listing)).clusters[0].name
        reads: dict[str, Callable[[], Any]] = {
            "GetCluster": lambda: stub.GetCluster(api.GetClusterRequest(name=name)),
            "ListClusters": lambda: stub.ListClusters(listing),
        }
        facts = []
        for method, read in reads.items():
            idle = await _times(read)
            working = asyncio.create_task(_keep_running(stub, scope))
            busy = await _times(read)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await _idle(stub, scope)
            facts.append(
                Fact(
                    f"p95 of {method}, idle and while a run of {PHOTOS:,} photos works",
                    f"{idle * 1e3:.1f} and {busy * 1e3:.1f} ms, ratio {busy / idle:.2f}",
                    "≤ 1.2",
                )
            )
        return facts


async def _times(read: Callable[[], Any]) -> float:
    """The 95th percentile of the seconds that a read takes, one after the other."""
    taken = []
    for _ in range(READS):
        begin = time.perf_counter()
        await read()
        taken.append(time.perf_counter() - begin)
        await asyncio.sleep(_PAUSE)
    return quantiles(taken, n=20)[-1]


async def _keep_running(stub: Any, scope: str) -> None:
    while True:
        await _run(stub, scope)


async def _run(stub: Any, scope: str) -> None:
    wanted = ClusteringRun(mode=ClusteringRun.MODE_REFIT)
    request = api.CreateClusteringRunRequest(parent=scope, clustering_run=wanted)
    run = await stub.CreateClusteringRun(request)
    await _watch(stub, run.name)


async def _watch(stub: Any, name: str) -> None:
    watch = api.WatchClusteringRunRequest(name=name)
    async for answer in stub.WatchClusteringRun(watch):
        run = answer.clustering_run
    assert run.state == JobState.JOB_STATE_SUCCEEDED, run.error


async def _idle(stub: Any, scope: str) -> None:
    """Returns when no run is active any more."""
    request = api.ListClusteringRunsRequest(parent=scope, page_size=1)
    for run in (await stub.ListClusteringRuns(request)).clustering_runs:
        if run.state not in _ENDED:
            await _watch(stub, run.name)
