"""Opens the background jobs of the catalog in a process that runs the worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import App, closing
from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.db.support import prune
from services.catalog.deps import sweep
from services.catalog.tables import SCHEMA, SUPPORT
from services.engines import Engines
from services.jobs import Jobs
from services.settings import Settings

SWEEP = "catalog.sweep_blobs"
PRUNE = "catalog.prune"
_HOUR = 3600.0


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Registers the sweep of unused blobs and the upkeep of the support tables."""
    settings = app.settings.catalog
    url = app.need(Engines).database_url(SCHEMA)
    database = Database(url, application_name="colonnade catalog jobs", pool_size=2)
    blobs = sweep(settings, database, app.need(ObjectBlobs), app.clock)

    async def prune_support() -> None:
        await prune(database, SUPPORT)

    jobs = app.need(Jobs)
    jobs.task(SWEEP, blobs.run)
    jobs.every(settings.sweep_every, SWEEP, SCHEMA)
    jobs.task(PRUNE, prune_support)
    jobs.every(_HOUR, PRUNE, SCHEMA)
    async with closing(database.close):
        yield
