"""The background jobs of the clustering service."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

from libs.aio import BlockingPool
from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.support import prune
from libs.errors import Unavailable
from libs.jobs.single import one_at_a_time
from libs.lease import LeaseLost
from libs.rpc.peers import Peers
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.deps import open_database, open_store
from services.clustering.embedder import RpcEmbedder
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import support
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.edits import forget_edits
from services.clustering.usecases.pending import embed_pending
from services.clustering.usecases.run_once import run_clustering_once, waiting_runs
from services.clustering.usecases.runs import QUEUE, RUN_TASK
from services.jobs import Jobs
from services.settings import Settings

log = logging.getLogger(__name__)

SWEEP_TASK = "clustering.sweep"
PENDING_TASK = "clustering.embed_pending"
PRUNE_TASK = "clustering.prune"
_MINUTE = 60.0
_HOUR = 3600.0


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Registers the tasks: runs, the sweeps for what no message announces, and tidying up."""
    jobs = app.need(Jobs)
    settings = app.settings.clustering
    database = open_database(app, "jobs")
    pool = BlockingPool("clustering", 1)
    store = open_store(app, database)
    worker = _worker(app, store, pool)

    # A run blocks a thread of the worker for as long as it takes, and publishing needs some too.
    # What is turned away here, the sweep announces again.
    @one_at_a_time
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
        await forget_edits(store, app.clock)

    jobs.task(RUN_TASK, run)
    jobs.task(PENDING_TASK, one_at_a_time(_pending(app, store)))
    jobs.task(SWEEP_TASK, sweep)
    jobs.task(PRUNE_TASK, tidy)
    jobs.every(settings.sweep_seconds, SWEEP_TASK, QUEUE)
    jobs.every(_MINUTE, PENDING_TASK, QUEUE)
    jobs.every(_HOUR, PRUNE_TASK, QUEUE)
    try:
        yield
    finally:
        await asyncio.to_thread(pool.close)
        await database.close()


def _pending(app: App[Settings], store: PostgresStore) -> Callable[[], Coroutine[Any, Any, None]]:
    settings = app.settings.clustering
    index = app.need(QdrantIndex)
    stub = app.need(Peers).stub(EmbeddingServiceStub, "embedding")
    embedder = RpcEmbedder(stub, settings.duplicate_floor)
    older = timedelta(minutes=settings.pending_minutes)

    async def embed() -> None:
        try:
            await embed_pending(
                store, index, embedder, app.clock, older=older, batch=settings.embed_batch
            )
        except Unavailable as error:
            log.warning("photos go on waiting for their vectors: %s", error.message)

    return embed


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
