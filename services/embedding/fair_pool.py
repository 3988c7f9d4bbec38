"""Threads for blocking work of many callers, which is taken in turns."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from libs.aio import lower_priority
from libs.errors import DeadlineExceeded, Unavailable
from services.embedding.fairness import FairQueue, Lane, Turn

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Job:
    turn: Turn
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Any]


class FairPool:
    """``threads`` for each lane: people never wait for background work that has begun.

    A thread takes its next job itself, so what is taken is decided as late as can be: interactive
    before bulk, scope after scope, and nothing whose caller has left. Threads for bulk work have
    the lower priority, so that they compute only with what the others leave of the machine.

    In each lane urgent jobs go before all others. They are for what completes the others' work:
    as many threads as cores then do both without taking the cores from each other.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._queues: dict[Lane, FairQueue[_Job]] = {lane: FairQueue() for lane in Lane}
        self._urgent: dict[Lane, deque[_Job]] = {lane: deque() for lane in Lane}
        self._lock = threading.Lock()
        self._ready = {lane: threading.Condition(self._lock) for lane in Lane}
        self._closed = False
        self._threads = [
            threading.Thread(
                target=self._serve,
                args=(lane,),
                name=f"{name}-{lane.name.lower()}-{number}",
                daemon=True,
            )
            for lane in Lane
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, turn: Turn, function: Callable[..., T], *args: Any, cost: float = 1.0) -> T:
        """``function(*args)`` in a thread; its exception is raised here.

        Raises ``DeadlineExceeded`` if the time of ``turn`` runs out before its turn comes, and
        ``Unavailable`` when closed. Who is cancelled leaves the queue. ``cost`` is how much of a
        turn it takes, 1 for the usual.
        """
        job = _job(turn, function, args)
        with self._lock:
            if self._closed:
                raise _closed()
            self._queues[turn.lane].push(turn.key, job, cost)
            self._ready[turn.lane].notify()
        try:
            result: T = await job.result
            return result
        finally:
            with self._lock:
                self._queues[turn.lane].discard(turn.key, job)
                self._let_bulk_go()

    def urgent(self, lane: Lane) -> "UrgentJobs":
        """Runs urgent jobs in the threads of ``lane``."""
        return UrgentJobs(self, lane)

    async def run_urgently(self, lane: Lane, function: Callable[..., T], *args: Any) -> T:
        """``function(*args)`` before all that waits in ``lane``. Raises ``Unavailable``."""
        job = _job(Turn(lane), function, args)
        with self._lock:
            if self._closed:
                raise _closed()
            self._urgent[lane].append(job)
            self._ready[lane].notify()
        result: T = await job.result
        return result

    def waiting(self, lane: Lane) -> int:
        """How many jobs wait for a thread."""
        with self._lock:
            return len(self._queues[lane])

    def close(self) -> None:
        """Waits for what runs; what waits is answered ``Unavailable``."""
        with self._lock:
            self._closed = True
            dropped = [job for queue in self._queues.values() for job in queue.clear()]
            dropped += [job for queue in self._urgent.values() for job in queue]
            for queue in self._urgent.values():
                queue.clear()
            for condition in self._ready.values():
                condition.notify_all()
        for job in dropped:
            _tell(job.result, None, _closed())
        for thread in self._threads:
            thread.join()

    def _serve(self, lane: Lane) -> None:
        if lane is Lane.BULK:
            lower_priority()
        while job := self._next(lane):
            _finish(job)

    def _next(self, lane: Lane) -> _Job | None:
        with self._lock:
            self._ready[lane].wait_for(lambda: self._closed or self._may_take(lane))
            if self._closed:
                return None
            urgent = self._urgent[lane]
            job = urgent.popleft() if urgent else self._queues[lane].pop()
            self._let_bulk_go()
            return job

    def _may_take(self, lane: Lane) -> bool:
        people_wait = lane is Lane.BULK and self._holds(Lane.INTERACTIVE)
        return self._holds(lane) and not people_wait

    def _holds(self, lane: Lane) -> bool:
        return bool(self._urgent[lane]) or len(self._queues[lane]) > 0

    def _let_bulk_go(self) -> None:
        if self._may_take(Lane.BULK):
            self._ready[Lane.BULK].notify_all()


class UrgentJobs:
    """The urgent jobs of one lane, as a pool of their own."""

    def __init__(self, pool: FairPool, lane: Lane) -> None:
        self._pool = pool
        self._lane = lane

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """See ``FairPool.run_urgently``."""
        return await self._pool.run_urgently(self._lane, function, *args)


def _job(turn: Turn, function: Callable[..., Any], args: tuple[Any, ...]) -> _Job:
    loop = asyncio.get_running_loop()
    return _Job(turn, partial(function, *args), loop, loop.create_future())


def _finish(job: _Job) -> None:
    if job.result.cancelled():
        return
    error: BaseException | None = None
    value: Any = None
    if job.turn.expired():
        error = DeadlineExceeded("the time allowed for the call has run out")
    else:
        try:
            value = job.work()
        except BaseException as raised:
            error = raised
    job.loop.call_soon_threadsafe(_tell, job.result, value, error)


def _tell(result: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if result.done():
        return
    if error is None:
        result.set_result(value)
    else:
        result.set_exception(error)


def _closed() -> Unavailable:
    return Unavailable("the embedding service is stopping; try again shortly", retry_after=1.0)
