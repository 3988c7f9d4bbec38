"""Runs the background jobs of all services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import App
from libs.jobs.worker import InProcessBeat, InProcessWorker
from services.jobs import QUEUES, Jobs
from services.settings import Settings


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Starts the Celery worker, and beat if this process is the one that runs it."""
    jobs = app.need(Jobs)
    settings = app.settings.worker
    worker = InProcessWorker(jobs.app, QUEUES, concurrency=settings.concurrency)
    beat = InProcessBeat(jobs.app, jobs.periodic, app.data / "beat" / "schedule")

    async def start() -> None:
        await asyncio.to_thread(worker.start)
        if settings.beat:
            beat.start()

    app.on_start(start)
    try:
        yield
    finally:
        if settings.beat:
            await asyncio.to_thread(beat.stop)
        await asyncio.to_thread(worker.stop)
