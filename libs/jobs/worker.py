"""A Celery worker and its beat as threads of this process.

No signal handlers, no forks: gRPC and fork do not mix, and the process has its own way to stop.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import WorkController
from celery.worker import state as worker_state


class InProcessWorker:
    """Runs the tasks of ``queues`` in ``concurrency`` threads. One a process.

    Tasks registered with ``async_task`` only wait in these threads.
    """

    def __init__(self, app: Celery, queues: Sequence[str], *, concurrency: int = 4) -> None:
        self._app = app
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, timeout: float = 10.0) -> None:
        """Returns when the worker consumes, or after ``timeout`` seconds if the broker is away.

        In that case the worker goes on trying by itself.
        """
        self._app.finalize()
        # The pool's threads look their tasks up in Celery's default application.
        self._app.set_default()
        self._thread = threading.Thread(target=self._run, name="celery-worker", daemon=True)
        self._thread.start()
        self._ready.wait(timeout)

    def stop(self, timeout: float = 30.0) -> bool:
        """Takes no more messages and waits for the running tasks; False if they took longer.

        What is not finished then runs again elsewhere, since it was not acknowledged.
        """
        if self._thread is None:
            return True
        # Celery's own signal handlers do nothing but this.
        worker_state.should_stop = 0
        self._thread.join(timeout)
        stopped = not self._thread.is_alive()
        if stopped:
            worker_state.should_stop = None
            self._thread = None
            self._ready.clear()
        return stopped

    def is_alive(self) -> bool:
        """Whether the worker runs. If it does not and nobody stopped it, the log says why."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        worker = WorkController(
            app=self._app,
            queues=list(self._queues),
            pool="threads",
            concurrency=self._concurrency,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            ready_callback=lambda _consumer: self._ready.set(),
        )
        worker.start()


@dataclass(frozen=True, slots=True)
class Periodic:
    """Sends ``task`` to ``queue`` every ``every`` seconds."""

    task: str
    queue: str
    every: float
    args: tuple[str, ...] = ()


class InProcessBeat:
    """Sends what ``schedule`` says, in a thread. One for the whole installation.

    ``file`` remembers when each was sent last, so that a restart does not send everything anew. A
    message that nobody takes before the next one is due is dropped: ticks do not pile up.
    """

    def __init__(self, app: Celery, schedule: Mapping[str, Periodic], file: Path) -> None:
        app.conf.beat_schedule = {name: _entry(item) for name, item in schedule.items()}
        self._app = app
        self._file = file
        self._thread: Any = None

    def start(self) -> None:
        """Begins to send."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._thread = EmbeddedService(self._app, thread=True, schedule_filename=str(self._file))
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """Ends the sending, within about a second; False if it took longer than ``timeout``."""
        if self._thread is None:
            return True
        self._thread.service.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()


def _entry(item: Periodic) -> dict[str, object]:
    return {
        "task": item.task,
        "schedule": item.every,
        "args": item.args,
        "options": {"queue": item.queue, "expires": item.every, "ignore_result": True},
    }
