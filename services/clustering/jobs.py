"""The background jobs of the clustering service."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

from libs.aio import BlockingPool
from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.support import prune
from libs.errors import DeadlineExceeded, Unavailable
from libs.jobs.single import one_at_a_time
from libs.lease import LeaseLost
from libs.rpc.peers import Peers
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobPictures, BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.deps import open_database, open_store
from services.clustering.embedder import RpcEmbedder
from services.clustering.library import RpcLibrary
from services.clustering.repository.store import PostgresStore
from services.clustering.tables import support
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.comparing import compare_new, hash_missing
from services.clustering.usecases.describing import describe_undescribed
from services.clustering.usecases.dropping import drop_generations, other_default
from services.clustering.usecases.edits import forget_edits
from services.clustering.usecases.filling import (
    FILL_TASK,
    Filler,
    fill_generation,
    waiting_generations,
)
from services.clustering.usecases.pending import embed_pending
from services.clustering.usecases.run_once import run_clustering_once, waiting_runs
from services.clustering.usecases.runs import QUEUE, RUN_TASK
from services.clustering.usecases.telling import (
    TELL_TASK,
    tell_generation,
    untold_generations,
)
from services.jobs import Jobs
from services.settings import Settings

log = logging.getLogger(__name__)

SWEEP_TASK = "clustering.sweep"
PENDING_TASK = "clustering.embed_pending"
DESCRIBE_TASK = "clustering.describe"
PRUNE_TASK = "clustering.prune"
COMPARE_TASK = "clustering.compare"
HASH_TASK = "clustering.hash"
# Of pictures, in one turn: the worker has other things to do too.
_BATCHES = 30
_QUARTER = 15.0
_MINUTE = 60.0
_HOUR = 3600.0


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Registers the tasks: runs, the sweeps for what no message announces, and tidying up."""
    jobs = app.need(Jobs)
    settings = app.settings.clustering
    database = open_database(app, "jobs")
    pool = BlockingPool("clustering", 1)
    looking = BlockingPool("pictures", 1, background=True)
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
        waiting = {
            RUN_TASK: await waiting_runs(worker),
            FILL_TASK: await waiting_generations(store),
            TELL_TASK: await untold_generations(store),
        }
        for task, ids in waiting.items():
            for id in ids:
                await jobs.queue.enqueue(task, id, QUEUE)

    async def tidy() -> None:
        await prune(database, support)
        await forget_edits(store, app.clock)

    jobs.task(RUN_TASK, run)
    jobs.task(PENDING_TASK, one_at_a_time(_pending(app, store)))
    _add_generations(app, jobs, store)
    _add_duplicates(app, jobs, store, looking)
    jobs.task(SWEEP_TASK, sweep)
    jobs.task(PRUNE_TASK, tidy)
    jobs.every(settings.sweep_seconds, SWEEP_TASK, QUEUE)
    jobs.every(_MINUTE, PENDING_TASK, QUEUE)
    jobs.every(_HOUR, PRUNE_TASK, QUEUE)
    try:
        yield
    finally:
        await asyncio.to_thread(pool.close)
        await asyncio.to_thread(looking.close)
        await database.close()


def _add_generations(app: App[Settings], jobs: Jobs, store: PostgresStore) -> None:
    index = app.need(QdrantIndex)
    filler = Filler(
        store, index, _embedder(app), app.clock, _owner(), app.settings.clustering.embed_batch
    )
    library = RpcLibrary(app.need(Peers).stub(CatalogServiceStub, "catalog"))

    @one_at_a_time
    async def fill(generation_id: str) -> None:
        try:
            await fill_generation(filler, generation_id)
        except LeaseLost:
            return  # another worker has it

    @one_at_a_time
    async def tell(generation_id: str) -> None:
        await tell_generation(store, index, generation_id)

    async def describe() -> None:
        try:
            await describe_undescribed(store, index, library)
            await drop_generations(store, index)
        except (Unavailable, DeadlineExceeded) as error:
            log.warning("what searches filter by waits: %s", error.message)

    jobs.task(FILL_TASK, fill)
    jobs.task(TELL_TASK, tell)
    jobs.task(DESCRIBE_TASK, one_at_a_time(describe))
    jobs.every(_QUARTER, DESCRIBE_TASK, QUEUE)


def _add_duplicates(
    app: App[Settings], jobs: Jobs, store: PostgresStore, pool: BlockingPool
) -> None:
    settings = app.settings.clustering
    eyes = BlobPictures(app.need(ObjectBlobs), pool).eyes
    older = timedelta(minutes=settings.pending_minutes)

    async def compare() -> None:
        try:
            await compare_new(store, eyes, max_distance=settings.copy_distance, batches=_BATCHES)
        except Unavailable as error:
            log.warning("photos go on waiting to be compared: %s", error.message)

    async def hash() -> None:
        try:
            await hash_missing(store, eyes, app.clock, older=older, batches=_BATCHES)
        except Unavailable as error:
            log.warning("photos go on waiting for their hashes: %s", error.message)

    jobs.task(COMPARE_TASK, one_at_a_time(compare))
    jobs.task(HASH_TASK, one_at_a_time(hash))
    jobs.every(settings.sweep_seconds, COMPARE_TASK, QUEUE)
    jobs.every(_MINUTE, HASH_TASK, QUEUE)


def _embedder(app: App[Settings]) -> RpcEmbedder:
    stub = app.need(Peers).stub(EmbeddingServiceStub, "embedding")
    return RpcEmbedder(stub, app.settings.clustering.duplicate_floor)


def _owner() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"


def _pending(app: App[Settings], store: PostgresStore) -> Callable[[], Coroutine[Any, Any, None]]:
    settings = app.settings.clustering
    index = app.need(QdrantIndex)
    embedder = _embedder(app)
    older = timedelta(minutes=settings.pending_minutes)
    noticed = ""

    async def embed() -> None:
        nonlocal noticed
        notice = await other_default(store, embedder)
        if notice and notice != noticed:
            log.warning("%s", notice)
        noticed = notice
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
        owner=_owner(),
        max_attempts=settings.max_attempts,
        keep_versions=settings.keep_versions,
    )
