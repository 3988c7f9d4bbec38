"""The background jobs of the clustering service."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.aio import BlockingPool
from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.lease import LeaseLost
from libs.db.support import prune
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.deps import open_database, open_store
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import support
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once, waiting_runs
from services.clustering.usecases.runs import QUEUE, RUN_TASK
from services.jobs import Jobs
from services.settings import Settings

SWEEP_TASK = "clustering.sweep"
PRUNE_TASK = "clustering.prune"
_HOUR = 3600.0


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Registers the tasks: one run, the sweep for runs that no worker has, and tidying up."""
    jobs = app.need(Jobs)
    settings = app.settings.clustering
    database = open_database(app, "jobs")
    pool = BlockingPool("clustering", 1)
    worker = _worker(app, open_store(app, database), pool)

    async def run(run_id: str) -> None:
        try:
            await run_clustering_once(worker, run_id)
        except LeaseLost:
            return  # another worker has it; nothing of ours was written

    async def sweep() -> None:
        for run_id in await waiting_runs(worker):
            await jobs.queue.enqueue(RUN_TASK, run_id, QUEUE)

    async def tidy() -> None:
        await prune(database, support)

    jobs.task(RUN_TASK, run)
    jobs.task(SWEEP_TASK, sweep)
    jobs.task(PRUNE_TASK, tidy)
    jobs.every(settings.sweep_seconds, SWEEP_TASK, QUEUE)
    jobs.every(_HOUR, PRUNE_TASK, QUEUE)
    try:
        yield
    finally:
        await asyncio.to_thread(pool.close)
        await database.close()


def _worker(app: App[Settings], store: PostgresStore, pool: BlockingPool) -> Worker:
    settings = app.settings.clustering
    return Worker(
        store=store,
        vectors=IndexVectors(app.need(QdrantIndex)),
        snapshots=BlobSnapshots(app.need(ObjectBlobs)),
        pool=pool,
        clock=app.clock,
        params=Params(granularity=settings.granularity, min_size=settings.min_size),
        owner=f"{socket.gethostname()}/{os.getpid()}",
        max_attempts=settings.max_attempts,
        keep_versions=settings.keep_versions,
    )
