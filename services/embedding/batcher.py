"""Dynamic batching: callers bring one tensor each, the model gets what has gathered."""

import asyncio
import enum
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from libs.aio import BlockingPool
from libs.errors import OutOfQuota, Unavailable

Floats = NDArray[np.float32]

# How much the latest batch counts in the running estimate of the time one item takes.
_SMOOTHING = 0.2
_SHORTEST_RETRY = 0.05


class Lane(enum.Enum):
    """Bulk items are taken only when no interactive one waits."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """``max_wait`` in seconds: how long an item waits for others that are on their way."""

    max_batch: int = 8
    max_wait: float = 0.005
    queue_size: int = 256


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that was run: its size, how long each item had waited, how long it took (s)."""

    size: int
    waits: tuple[float, ...]
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True)
class BatchStats:
    """Totals since the start, times in seconds; ``failures`` are batches that are in no other."""

    batches: int = 0
    items: int = 0
    failures: int = 0
    queued: int = 0
    wait_seconds: float = 0.0
    run_seconds: float = 0.0

    @property
    def mean_size(self) -> float:
        """Items a batch, 0 before the first."""
        return self.items / self.batches if self.batches else 0.0


@dataclass(eq=False, slots=True)
class _Item:
    tensor: Floats
    result: asyncio.Future[Floats]
    since: float = field(default_factory=time.monotonic)


class Batcher:
    """Runs ``run`` ([n, …] to [n, d]) in ``pool`` on batches of what was submitted.

    ``workers`` batches run at the same time; the pool needs as many threads. Use it as an
    asynchronous context manager, from one event loop.
    """

    def __init__(
        self,
        run: Callable[[Floats], Floats],
        pool: BlockingPool,
        *,
        workers: int = 1,
        limits: BatchLimits | None = None,
        observe: Callable[[BatchReport], None] = lambda _: None,
    ) -> None:
        self._run = run
        self._pool = pool
        self._workers = workers
        self._limits = limits or BatchLimits()
        self._observe = observe
        self._lanes: dict[Lane, deque[_Item]] = {lane: deque() for lane in Lane}
        self._arrived = asyncio.Event()
        self._expected = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._seconds_per_item = 0.0
        self._totals = BatchStats()

    async def __aenter__(self) -> "Batcher":
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Who waits or is being computed is answered ``Unavailable``, as is who comes later."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes.values():
            _fail(lane, _closed())
            lane.clear()

    @property
    def stats(self) -> BatchStats:
        """A snapshot."""
        return replace(self._totals, queued=self._queued)

    async def submit(self, tensor: Floats, lane: Lane = Lane.INTERACTIVE) -> Floats:
        """The row of the model's output for ``tensor``; all tensors have one shape.

        A caller that is cancelled leaves the queue. Raises ``OutOfQuota`` (QUEUE_FULL) if too many
        wait, ``Unavailable`` when closed, and what ``run`` raises for this tensor alone.
        """
        if not self._tasks:
            raise _closed()
        self.check_room(self._queued)
        item = _Item(tensor, asyncio.get_running_loop().create_future())
        self._lanes[lane].append(item)
        self._arrived.set()
        try:
            return await item.result
        finally:
            with suppress(ValueError):
                self._lanes[lane].remove(item)

    def check_room(self, waiting: int) -> None:
        """Raises ``OutOfQuota`` (QUEUE_FULL) if ``waiting`` items leave no room for one more."""
        if waiting >= self._limits.queue_size:
            wait = max(_SHORTEST_RETRY, waiting * self._seconds_per_item)
            raise OutOfQuota(
                f"{waiting} images wait already; try again in {wait:.2f} s",
                retry_after=wait,
                reason="QUEUE_FULL",
                metadata={"waiting": str(waiting), "retry_after": f"{wait:.2f}"},
            )

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """While inside, one more item is on its way, for which a batch may wait."""
        self._expected += 1
        try:
            yield
        finally:
            self._expected -= 1
            self._arrived.set()

    @property
    def _queued(self) -> int:
        return sum(map(len, self._lanes.values()))

    async def _work(self) -> None:
        while True:
            while not self._queued:
                self._arrived.clear()
                await self._arrived.wait()
            await self._gather()
            batch = self._take()
            if batch:
                await self._compute(batch)

    async def _gather(self) -> None:
        """Waits for those on their way, but no longer than the oldest item may wait."""
        oldest = min(lane[0].since for lane in self._lanes.values() if lane)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, oldest + self._limits.max_wait - time.monotonic())):
                while self._expected and 0 < self._queued < self._limits.max_batch:
                    self._arrived.clear()
                    await self._arrived.wait()

    def _take(self) -> list[_Item]:
        """A fair share of what waits, so that a small burst keeps every worker busy."""
        share = min(self._limits.max_batch, math.ceil(self._queued / self._workers))
        waiting = [lane for lane in self._lanes.values() if lane]
        batch: list[_Item] = []
        for lane in waiting:
            while lane and len(batch) < share:
                batch.append(lane.popleft())
        return batch

    async def _compute(self, batch: list[_Item]) -> None:
        started = time.monotonic()
        try:
            rows = await self._pool.run(self._forward, [item.tensor for item in batch])
        except asyncio.CancelledError:
            _fail(batch, _closed())
            raise
        except Exception as error:
            self._record(batch, started, failed=True)
            await self._isolate(batch, error)
        else:
            self._record(batch, started, failed=False)
            for item, row in zip(batch, rows, strict=True):
                if not item.result.done():
                    item.result.set_result(row)

    async def _isolate(self, batch: list[_Item], error: Exception) -> None:
        """Runs the items of a failed batch one by one, so that only the guilty one fails."""
        if len(batch) == 1:
            _fail(batch, error)
            return
        for position, item in enumerate(batch):
            try:
                await self._compute([item])
            except asyncio.CancelledError:
                _fail(batch[position:], _closed())
                raise

    def _forward(self, tensors: Sequence[Floats]) -> Floats:
        rows = self._run(np.stack(tensors))
        if len(rows) != len(tensors):
            raise ValueError(f"the model gave {len(rows)} rows for {len(tensors)} images")
        return rows

    def _record(self, batch: list[_Item], started: float, *, failed: bool) -> None:
        seconds = time.monotonic() - started
        waits = tuple(started - item.since for item in batch)
        totals = self._totals
        if failed:
            self._totals = replace(totals, failures=totals.failures + 1)
        else:
            self._totals = replace(
                totals,
                batches=totals.batches + 1,
                items=totals.items + len(batch),
                wait_seconds=totals.wait_seconds + sum(waits),
                run_seconds=totals.run_seconds + seconds,
            )
            pace = seconds / len(batch) / self._workers
            self._seconds_per_item += (pace - self._seconds_per_item) * _SMOOTHING
        self._observe(BatchReport(len(batch), waits, seconds, failed))


def _fail(items: Sequence[_Item] | deque[_Item], error: Exception) -> None:
    for item in items:
        if not item.result.done():
            item.result.set_exception(error)


def _closed() -> Unavailable:
    return Unavailable("the embedding service is stopping; try again shortly", retry_after=1.0)
