"""Runs the background jobs of all services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from libs.app import App
from libs.errors import Unavailable
from libs.jobs.worker import InProcessBeat, InProcessWorker
from services.jobs import QUEUES, Jobs
from services.reachability import database_check
from services.settings import Settings


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Starts the Celery worker, and beat if this process is the one that runs it."""
    jobs = app.need(Jobs)
    settings = app.settings.worker
    queues = settings.queues or QUEUES
    worker = InProcessWorker(jobs.app, queues, concurrency=settings.concurrency)
    beat = InProcessBeat(jobs.app, jobs.periodic, app.data / "beat" / "schedule")

    async def start() -> None:
        await asyncio.to_thread(worker.start)
        if settings.beat:
            beat.start()

    async def works() -> None:
        if not worker.is_alive():
            raise Unavailable("the worker has ended; the log says why")
        await app.need(Redis).ping()
        await databases_answer()

    app.on_start(start)
    async with database_check(app, "worker") as databases_answer:
        app.probe("worker", works)
        try:
            yield
        finally:
            if settings.beat:
                await asyncio.to_thread(beat.stop)
            await asyncio.to_thread(worker.stop)
