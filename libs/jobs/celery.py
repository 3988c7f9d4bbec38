"""The Celery application, and the queue and the tasks that are made with it.

The rows of the services are the truth; messages carry ids only. So results are ignored, a message
is acknowledged when its task is over, and one that got lost or doubled does no harm: a task takes
the lease of its row first, and a sweep finds the rows that no message announces.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from celery import Celery
from kombu import Queue

from libs.aio import BlockingPool
from libs.errors import DeadlineExceeded, Unavailable

log = logging.getLogger(__name__)

AsyncTask = Callable[..., Awaitable[object]]
LoopProvider = Callable[[], asyncio.AbstractEventLoop]


def make_app(broker_url: str, queues: Sequence[str], *, visibility_timeout: int = 3600) -> Celery:
    """An application for the Redis at ``broker_url`` that knows ``queues`` (one a service).

    ``visibility_timeout`` in seconds must exceed the longest task: after it, Redis hands the
    message to another worker. No message carries an ETA; delays are rows.
    """
    app = Celery("colonnade", broker=broker_url, set_as_current=False, fixups=[])
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_queues=[Queue(name) for name in queues],
        task_default_queue=queues[0],
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(visibility_timeout),
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _transport_options(visibility_timeout: int) -> dict[str, object]:
    return {
        "visibility_timeout": visibility_timeout,
        # Without these two, what a dead worker held is looked for every 100 s only.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2.0,
        "socket_timeout": 10.0,
        "socket_keepalive": True,
    }


def async_task(
    app: Celery,
    name: str,
    function: AsyncTask,
    loop: LoopProvider,
    *,
    timeout: float = 3000.0,
) -> None:
    """Registers the coroutine function ``function`` as the task ``name``.

    The worker's thread only waits; the work happens on the process's own event loop, where its
    database and gRPC objects live. After ``timeout`` seconds (less than the visibility timeout) it
    is cancelled and the task fails. While something that it needs is away, that is one line in the
    log.
    """

    def run(*args: Any) -> None:
        async def call() -> None:
            async with asyncio.timeout(timeout):
                await function(*args)

        try:
            asyncio.run_coroutine_threadsafe(call(), loop()).result()
        except (Unavailable, DeadlineExceeded) as error:
            # What it was for is still in its rows, and looked for again.
            log.warning("%s waits: %s", name, error.message)

    # Not shared: by default Celery would add the task to every other application as well.
    app.task(run, name=name, shared=False)


class CeleryQueue:
    """A ``libs.jobs.queue.JobQueue`` that sends Celery messages.

    After ``expires`` seconds an unread message is dropped: what a sweep announces again and again
    does not pile up while workers hang. ``on_failure`` is told of every message that could not be
    sent, for a metric.
    """

    def __init__(
        self,
        app: Celery,
        *,
        timeout: float = 5.0,
        expires: float = 600.0,
        on_failure: Callable[[str], None] = lambda _queue: None,
    ) -> None:
        self._app = app
        self._timeout = timeout
        self._expires = expires
        self._on_failure = on_failure
        self._pool = BlockingPool("enqueue", 2)

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        """See JobQueue."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._pool.run(self._send, task, job_id, queue)
        except Exception as error:
            # Whatever Redis, kombu or Celery calls it: the row is committed and will be found.
            log.warning("%s %s is not announced on %s: %r", task, job_id, queue, error)
            self._on_failure(queue)
            return False
        return True

    def close(self) -> None:
        """Waits for what is being sent and closes the connections to the broker."""
        self._pool.close()
        self._app.close()

    def _send(self, task: str, job_id: str, queue: str) -> None:
        self._app.send_task(
            task,
            args=[job_id],
            queue=queue,
            expires=self._expires,
            ignore_result=True,
            retry=False,
        )
