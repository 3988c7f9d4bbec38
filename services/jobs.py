"""Where services register the tasks of their background jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import get_args

from celery import Celery

from libs.jobs.celery import CeleryQueue, async_task
from libs.jobs.worker import Periodic
from services.settings import Queue

QUEUES: tuple[str, ...] = get_args(Queue)


class Jobs:
    """The Celery application of a process, its queue, and what runs how often.

    Tasks run on the event loop on which this was made.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.queue = CeleryQueue(app)
        self.periodic: dict[str, Periodic] = {}
        self._loop = asyncio.get_running_loop()

    def task(self, name: str, function: Callable[..., Awaitable[object]]) -> None:
        """Registers ``function`` as the task ``name``; it gets the job's id, or nothing."""
        async_task(self.app, name, function, lambda: self._loop)

    def every(self, seconds: float, task: str, queue: str) -> None:
        """Has beat send ``task`` to ``queue`` every ``seconds``."""
        self.periodic[task] = Periodic(task, queue, seconds)
