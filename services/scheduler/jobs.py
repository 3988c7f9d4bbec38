"""The scheduler's background jobs as a part of a process."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from prometheus_client import CollectorRegistry

from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.db.migrate import require_current
from libs.db.support import prune
from libs.errors import ColonnadeError
from libs.rpc.peers import Peers
from libs.secrets import Secrets
from services.engines import Engines
from services.jobs import Jobs
from services.scheduler.catalog_reader import CatalogReader
from services.scheduler.channel_metrics import ChannelMetrics
from services.scheduler.deps import MIGRATIONS, Outside, Task, job_tasks, outside
from services.scheduler.failure_metrics import FailureMetrics
from services.scheduler.late_metrics import LateMetrics
from services.scheduler.settings import SchedulerSettings
from services.scheduler.tables import SCHEMA, SUPPORT
from services.scheduler.usecases.media import SweepMedia
from services.scheduler.usecases.tasks import (
    CHANNEL_HEALTH,
    COLLECT_RESULTS,
    FAILURES,
    LATE,
    PRECHECK,
    QUEUE,
    RENEW_TOKENS,
    TICK,
    WATCH_REMOTE,
)
from services.settings import Settings

log = logging.getLogger(__name__)

SWEEP: Final = "scheduler.sweep"
_SWEEP_EVERY: Final = 3600.0
_RENEW_EVERY: Final = 600.0
_HEALTH_EVERY: Final = 60.0
_WATCH_EVERY: Final = 60.0
_LATE_EVERY: Final = 60.0
_PRECHECK_EVERY: Final = 600.0
_RESULTS_EVERY: Final = 900.0


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Registers the tasks that publish, with their own connections to the database."""
    settings = app.settings.scheduler
    url = app.need(Engines).database_url(SCHEMA)
    await asyncio.to_thread(require_current, url, SCHEMA, MIGRATIONS)
    limits = app.settings.database_of(SCHEMA)
    database = Database(
        url,
        application_name="scheduler jobs",
        pool_size=limits.pool_size,
        pool_timeout=limits.timeout,
        statement_timeout=limits.timeout,
    )
    parts = outside(
        database,
        settings,
        catalog=CatalogReader(app.need(Peers).stub(CatalogServiceStub, "catalog")),
        vault=app.need(Secrets),
        blobs=app.need(ObjectBlobs),
        queue=app.need(Jobs).queue,
        clock=app.clock,
    )
    try:
        async with parts as out:
            registry = app.metrics.registry
            register(app.need(Jobs), out, database, settings, registry)
            yield
    finally:
        await database.close()


def register(
    jobs: Jobs,
    out: Outside,
    database: Database,
    settings: SchedulerSettings,
    registry: CollectorRegistry,
) -> None:
    """Registers the tasks and what runs how often."""
    for name, task in job_tasks(out, settings).items():
        jobs.task(name, _quiet(name, task))

    sweep_media = SweepMedia(out.store, out.blobs, out.clock)

    async def sweep() -> None:
        await prune(database, SUPPORT)
        await sweep_media()

    jobs.task(SWEEP, _quiet(SWEEP, sweep))
    health = ChannelMetrics(out.store, out.clock, registry)
    jobs.task(CHANNEL_HEALTH, _quiet(CHANNEL_HEALTH, health))
    failures = FailureMetrics(out.store, out.clock, registry)
    jobs.task(FAILURES, _quiet(FAILURES, failures))
    jobs.task(LATE, _quiet(LATE, LateMetrics(out.store, out.clock, registry)))
    jobs.every(settings.tick_every, TICK, QUEUE)
    jobs.every(_SWEEP_EVERY, SWEEP, QUEUE)
    jobs.every(_RENEW_EVERY, RENEW_TOKENS, QUEUE)
    jobs.every(_HEALTH_EVERY, CHANNEL_HEALTH, QUEUE)
    jobs.every(_WATCH_EVERY, WATCH_REMOTE, QUEUE)
    jobs.every(_LATE_EVERY, LATE, QUEUE)
    jobs.every(_HEALTH_EVERY, FAILURES, QUEUE)
    jobs.every(_PRECHECK_EVERY, PRECHECK, QUEUE)
    jobs.every(_RESULTS_EVERY, COLLECT_RESULTS, QUEUE)


def _quiet(name: str, task: Task) -> Task:
    """``task`` with one line for what was to be expected: the next tick finds the row again."""

    async def run(*args: str) -> None:
        try:
            await task(*args)
        except ColonnadeError as error:
            log.warning("%s %s: %s", name, " ".join(args), error.message)

    return run
