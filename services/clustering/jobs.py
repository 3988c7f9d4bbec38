"""The background jobs of the clustering service."""

import asyncio
import logging
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
from services.clustering.adapters import BlobPictures
from services.clustering.deps import (
    duplicate_thresholds,
    make_worker,
    open_database,
    open_store,
    process_name,
)
from services.clustering.domain.item import Modality
from services.clustering.embedder import RpcEmbedder
from services.clustering.library import RpcLibrary
from services.clustering.repository.store import PostgresStore
from services.clustering.summarising_jobs import summarising
from services.clustering.tables import support
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.comparing import compare_new, hash_missing
from services.clustering.usecases.describing import describe_undescribed
from services.clustering.usecases.dispatching import Dispatch, drain
from services.clustering.usecases.dropping import drop_generations, other_default
from services.clustering.usecases.edits import forget_edits
from services.clustering.usecases.filling import (
    FILL_TASK,
    Filler,
    fill_generation,
    waiting_generations,
)
from services.clustering.usecases.following import follow_default
from services.clustering.usecases.history import forget_staged, prune_history
from services.clustering.usecases.leaving import LEAVE_TASK, leave_clusters
from services.clustering.usecases.noting import note_strays
from services.clustering.usecases.orphans import forget_orphans
from services.clustering.usecases.run_once import run_clustering_once, waiting_runs
from services.clustering.usecases.runs import QUEUE, RUN_TASK, forget_runs
from services.clustering.usecases.schedule import start_due_runs
from services.clustering.usecases.shard_work import SHARD_TASK, help_with_shards, waiting_shards
from services.clustering.usecases.shards import forget_left_shards
from services.clustering.usecases.telling import (
    TELL_TASK,
    tell_generation,
    untold_generations,
)
from services.jobs import Jobs
from services.settings import Settings

log = logging.getLogger(__name__)

SWEEP_TASK = "clustering.sweep"
SCHEDULE_TASK = "clustering.schedule"
PENDING_TASK = "clustering.embed_pending"
STRAYS_TASK = "clustering.note_strays"
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

    # One more of those threads at most; a run that is waiting works on its shards itself.
    @one_at_a_time
    async def shard(run_id: str) -> None:
        await help_with_shards(worker, run_id)

    async def sweep() -> None:
        waiting = {
            RUN_TASK: await waiting_runs(worker),
            SHARD_TASK: await waiting_shards(store),
            FILL_TASK: await waiting_generations(store),
            TELL_TASK: await untold_generations(store),
        }
        for task, ids in waiting.items():
            for id in ids:
                await jobs.queue.enqueue(task, id, QUEUE)

    @one_at_a_time
    async def schedule() -> None:
        every = timedelta(minutes=settings.cluster_minutes)
        await start_due_runs(store, jobs.queue, app.clock, every)

    async def strays() -> None:
        await note_strays(store)

    async def tidy() -> None:
        await forget_left_shards(worker)
        await forget_staged(store)
        await prune(database, support)
        await forget_edits(store, app.clock)
        older = timedelta(days=settings.keep_version_days)
        await prune_history(store, worker.snapshots, app.clock, older=older)
        await forget_runs(store, app.clock, timedelta(days=settings.keep_run_days))
        await forget_orphans(store, worker.snapshots)

    jobs.task(RUN_TASK, run)
    jobs.task(SHARD_TASK, shard)
    jobs.task(PENDING_TASK, one_at_a_time(_pending(app, store)))
    jobs.task(STRAYS_TASK, one_at_a_time(strays))
    jobs.every(10 * _MINUTE, STRAYS_TASK, QUEUE)
    _add_generations(app, jobs, store)
    _add_duplicates(app, jobs, store, looking)
    _add_items(app, jobs, store)
    jobs.task(SWEEP_TASK, sweep)
    jobs.task(PRUNE_TASK, tidy)
    jobs.task(SCHEDULE_TASK, schedule)
    jobs.every(settings.sweep_seconds, SWEEP_TASK, QUEUE)
    jobs.every(_MINUTE, SCHEDULE_TASK, QUEUE)
    jobs.every(_MINUTE, PENDING_TASK, QUEUE)
    jobs.every(_HOUR, PRUNE_TASK, QUEUE)
    try:
        async with summarising(app, store, looking):
            yield
    finally:
        await asyncio.to_thread(pool.close)
        await asyncio.to_thread(looking.close)
        await database.close()


def _add_generations(app: App[Settings], jobs: Jobs, store: PostgresStore) -> None:
    index = app.need(QdrantIndex)
    settings = app.settings.clustering
    batch, text_batch = settings.embed_batch, settings.text_batch
    embedder, keep = _embedder(app), settings.keep_generations
    filler = Filler(store, index, embedder, app.clock, process_name(), batch, text_batch, keep)
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
            await follow_default(store, jobs.queue, embedder)
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
    thresholds = duplicate_thresholds(settings)
    older = timedelta(minutes=settings.pending_minutes)

    async def compare() -> None:
        try:
            await compare_new(store, eyes, thresholds, batches=_BATCHES)
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


def _add_items(app: App[Settings], jobs: Jobs, store: PostgresStore) -> None:
    index = app.need(QdrantIndex)

    async def leave() -> None:
        try:
            await leave_clusters(store, index, app.clock)
        except (Unavailable, DeadlineExceeded) as error:
            log.warning("what is closed goes on waiting to leave: %s", error.message)

    jobs.task(LEAVE_TASK, one_at_a_time(leave))
    jobs.every(app.settings.clustering.sweep_seconds, LEAVE_TASK, QUEUE)


def _embedder(app: App[Settings]) -> RpcEmbedder:
    stub = app.need(Peers).stub(EmbeddingServiceStub, "embedding")
    return RpcEmbedder(stub, app.settings.clustering.duplicate_floor)


def _pending(app: App[Settings], store: PostgresStore) -> Callable[[], Coroutine[Any, Any, None]]:
    settings = app.settings.clustering
    index = app.need(QdrantIndex)
    embedder = _embedder(app)
    older = timedelta(minutes=settings.pending_minutes)
    taker = f"{process_name()}/pending"
    dispatch = Dispatch(store, index, embedder, app.clock, taker, settings.batches)
    noticed = ""

    async def embed() -> None:
        nonlocal noticed
        notice = await other_default(store, embedder)
        if notice and notice != noticed:
            log.warning("%s", notice)
        noticed = notice
        for modality in Modality:
            try:
                await drain(dispatch, modality, app.clock.now() - older)
            except Unavailable as error:
                log.warning("%s go on waiting for their vectors: %s", modality, error.message)

    return embed


def _worker(app: App[Settings], store: PostgresStore, pool: BlockingPool) -> Worker:
    return make_worker(
        app.settings.clustering,
        store,
        app.need(QdrantIndex),
        app.need(ObjectBlobs),
        app.need(Jobs).queue,
        pool,
        app.clock,
    )
