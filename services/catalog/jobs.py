"""Opens the background jobs of the catalog in a process that runs the worker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from time import monotonic

from libs.aio import BlockingPool
from libs.app import App, closing
from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.db.support import prune
from libs.jobs.single import one_at_a_time
from libs.jobs.stopping import unless_stopping
from libs.lease import LeaseLost
from libs.llm.chat import ChatModel
from services.catalog.captions import ModelCaptioner
from services.catalog.deps import analysis, desk, filing, sweep
from services.catalog.tables import SCHEMA, SUPPORT
from services.catalog.usecases.analysis import ANALYZE_TASK
from services.catalog.usecases.suggesting import suggest_once, waiting_batches
from services.catalog.usecases.suggestions import QUEUE, SUGGEST_TASK
from services.engines import Engines
from services.jobs import Jobs
from services.settings import Settings

FILE_PENDING = "catalog.file_pending"
SWEEP = "catalog.sweep_blobs"
PRUNE = "catalog.prune"
SWEEP_BATCHES = "catalog.sweep_suggestion_batches"
_HOUR = 3600.0
# Far below the time that a task may take, so that none is cut off for those before it.
_STRETCH = 600.0


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Registers the measuring and filing of photos, the sweep of unused blobs, and upkeep."""
    settings = app.settings.catalog
    url = app.need(Engines).database_url(SCHEMA)
    limits = app.settings.database_of(SCHEMA)
    database = Database(
        url,
        application_name="colonnade catalog jobs",
        pool_size=2,
        pool_timeout=limits.timeout,
        statement_timeout=limits.timeout,
    )
    blobs = sweep(settings, database, app.need(ObjectBlobs), app.clock)

    async def prune_support() -> None:
        await prune(database, SUPPORT)

    jobs = app.need(Jobs)
    jobs.task(FILE_PENDING, filing(settings, database, app.clock).file_overlooked)
    jobs.every(settings.filing_every, FILE_PENDING, SCHEMA)
    jobs.task(SWEEP, blobs.run)
    jobs.every(settings.sweep_every, SWEEP, SCHEMA)
    jobs.task(PRUNE, prune_support)
    jobs.every(_HOUR, PRUNE, SCHEMA)
    async with closing(database.close), _analyzing(app, database), _suggesting(app, database):
        yield


@asynccontextmanager
async def _analyzing(app: App[Settings], database: Database) -> AsyncIterator[None]:
    """Registers the making of measures: of photos that are announced, and of any that are due."""
    settings, jobs = app.settings, app.need(Jobs)
    pool = BlockingPool("measure", 1)
    model = ChatModel(settings.vision) if settings.vision.base_url else None
    captioner = ModelCaptioner(model) if model else None
    blobs = app.need(ObjectBlobs)
    work = analysis(settings.catalog, database, blobs, pool, app.clock, captioner)

    # One round takes whatever is due, so that it does not matter whose photos were announced.
    @one_at_a_time
    async def analyze(_persona: str = "") -> None:
        await work.run()

    jobs.task(ANALYZE_TASK, analyze)
    jobs.every(settings.catalog.analyze_every, ANALYZE_TASK, QUEUE)
    async with model or nullcontext():
        try:
            yield
        finally:
            await asyncio.to_thread(pool.close)


@asynccontextmanager
async def _suggesting(app: App[Settings], database: Database) -> AsyncIterator[None]:
    """Registers the writing of suggestions, and the sweep for batches that nothing announces."""
    settings, jobs = app.settings, app.need(Jobs)
    pool = BlockingPool("suggest", 1)
    model = ChatModel(settings.llm) if settings.llm.base_url else None
    work = desk(settings.catalog, database, model, pool, app.clock)

    # A slow model keeps a thread of the worker for as long as it takes, and publishing needs some
    # too. What is turned away meanwhile comes right after, or the sweep announces it again.
    @one_at_a_time
    async def suggest(batch: str) -> None:
        until = monotonic() + _STRETCH
        waiting: Sequence[str] = [batch]
        while waiting and monotonic() < until and not app.stopping.is_set():
            with suppress(LeaseLost):  # another worker has it; nothing of ours was written since
                await unless_stopping(app.stopping, suggest_once(work, waiting[0]))
            waiting = await waiting_batches(work)

    async def sweep_batches() -> None:
        for batch in await waiting_batches(work):
            await jobs.queue.enqueue(SUGGEST_TASK, batch, QUEUE)

    jobs.task(SUGGEST_TASK, suggest)
    jobs.task(SWEEP_BATCHES, sweep_batches)
    jobs.every(settings.catalog.suggest_sweep_every, SWEEP_BATCHES, QUEUE)
    async with model or nullcontext():
        try:
            yield
        finally:
            await asyncio.to_thread(pool.close)
