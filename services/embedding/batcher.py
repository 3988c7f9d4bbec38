"""Dynamic batching: callers bring one item each, the model gets what has gathered."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from libs.aio import BlockingPool
from libs.errors import DeadlineExceeded, Unavailable
from services.embedding.fairness import Admission, FairQueue, Lane, Turn

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

# How much the latest batch counts in the running estimate of the time one item takes.
_SMOOTHING = 0.2


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """``max_wait`` in seconds: how long an item waits for others that are on their way.

    ``queue_size`` bounds what is in work and what waits, in each lane by itself.
    """

    max_batch: int = 8
    max_wait: float = 0.005
    queue_size: int = 256


class Rows(Protocol[R_co]):
    """What a batch gave: a list, or the rows of an array."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[R_co]: ...


class Pool(Protocol):
    """Threads; see ``libs.aio.BlockingPool``."""

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """``function(*args)`` in a thread."""
        ...


@dataclass(frozen=True, slots=True)
class BatchReport:
    """One batch that was run: its size, how long each item had waited, how long it took (s).

    ``queued`` is how many items of its lane waited when it was over.
    """

    name: str
    lane: Lane
    queued: int
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
class _Item(Generic[T, R]):
    value: T
    turn: Turn
    result: asyncio.Future[R]
    since: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Clocked:
    """When a batch was begun in its thread, and how long it took; until then, when it was taken."""

    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0


class _Waiting(Generic[T, R]):
    """What waits in one lane, and how many more are on their way."""

    def __init__(self) -> None:
        self.items: FairQueue[_Item[T, R]] = FairQueue()
        self.expected = 0


@contextmanager
def lane_pools(name: str, threads: int) -> Iterator[Mapping[Lane, BlockingPool]]:
    """A pool of ``threads`` for each lane; the one for bulk work has the lower priority."""
    with ExitStack() as stack:
        yield {
            lane: stack.enter_context(
                closing(
                    BlockingPool(
                        f"{name}-{lane.name.lower()}", threads, background=lane is Lane.BULK
                    )
                )
            )
            for lane in Lane
        }


class Batcher(Generic[T, R]):
    """Runs ``run`` (n values to n results, in order) on batches of what was submitted.

    ``workers`` batches of each lane run at the same time, in the lane's pool of as many threads:
    people do not wait for background work that runs already. What waits is taken scope by scope.
    Use it as an asynchronous context manager, from one event loop.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Rows[R]],
        pools: Mapping[Lane, Pool],
        *,
        name: str = "",
        workers: int = 1,
        limits: BatchLimits | None = None,
        observe: Callable[[BatchReport], None] = lambda _: None,
    ) -> None:
        self._run = run
        self._name = name
        self._pools = pools
        self._workers = workers
        self._limits = limits or BatchLimits()
        self._observe = observe
        self._lanes: dict[Lane, _Waiting[T, R]] = {lane: _Waiting() for lane in Lane}
        self._admission = Admission(self._limits.queue_size)
        self._wakers: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._seconds_per_item = 0.0
        self._totals = BatchStats()

    async def __aenter__(self) -> "Batcher[T, R]":
        self._tasks = [
            asyncio.create_task(self._work(lane)) for lane in Lane for _ in range(self._workers)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Who waits or is being computed is answered ``Unavailable``, as is who comes later."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes.values():
            _fail(lane.items.clear(), _closed())

    @property
    def stats(self) -> BatchStats:
        """A snapshot."""
        return replace(self._totals, queued=sum(map(self.queued, Lane)))

    def queued(self, lane: Lane) -> int:
        """How many items wait in ``lane``."""
        return len(self._lanes[lane].items)

    @contextmanager
    def admitted(self, turn: Turn) -> Iterator[None]:
        """While inside, one more item is in work; to be entered before anything is done for it.

        Raises ``OutOfQuota`` (QUEUE_FULL) if too many are, and ``DeadlineExceeded``.
        """
        if turn.expired():
            raise _too_late()
        with self._admission.admitted(turn, self._seconds_per_item):
            yield

    async def submit(self, value: T, turn: Turn | None = None) -> R:
        """The result of ``run`` for ``value``, which goes to the back of its scope.

        A caller that is cancelled leaves the queue. Raises ``Unavailable`` when closed,
        ``DeadlineExceeded`` if the turn comes too late, and what ``run`` raises for this value
        alone.
        """
        if not self._tasks:
            raise _closed()
        turn = turn or Turn()
        item = _Item[T, R](value, turn, asyncio.get_running_loop().create_future())
        waiting = self._lanes[turn.lane].items
        waiting.push(turn.key, item)
        self._wake()
        try:
            return await item.result
        finally:
            waiting.discard(turn.key, item)

    @contextmanager
    def expecting(self, lane: Lane = Lane.INTERACTIVE) -> Iterator[None]:
        """While inside, one more item is on its way, for which a batch may wait."""
        self._lanes[lane].expected += 1
        try:
            yield
        finally:
            self._lanes[lane].expected -= 1
            self._wake()

    def _wake(self) -> None:
        """Lets every worker look again."""
        for waker in self._wakers:
            if not waker.done():
                waker.set_result(None)
        self._wakers.clear()

    async def _change(self) -> None:
        waker = asyncio.get_running_loop().create_future()
        self._wakers.add(waker)
        try:
            await waker
        finally:
            self._wakers.discard(waker)

    async def _work(self, lane: Lane) -> None:
        while True:
            while not self._may_take(lane):
                await self._change()
            await self._gather(lane)
            batch = self._take(lane)
            if batch:
                await self._compute(batch)

    def _may_take(self, lane: Lane) -> bool:
        people_wait = lane is Lane.BULK and self.queued(Lane.INTERACTIVE) > 0
        return self.queued(lane) > 0 and not people_wait

    async def _gather(self, lane: Lane) -> None:
        """Waits for those on their way, but no longer than the oldest item may wait."""
        waiting = self._lanes[lane]
        if not waiting.expected or len(waiting.items) >= self._limits.max_batch:
            return
        oldest = min(item.since for item in waiting.items)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, oldest + self._limits.max_wait - time.monotonic())):
                while waiting.expected and 0 < len(waiting.items) < self._limits.max_batch:
                    await self._change()

    def _take(self, lane: Lane) -> list[_Item[T, R]]:
        """An equal share of what waits, so that a small burst keeps every worker busy."""
        waiting = self._lanes[lane].items
        share = min(self._limits.max_batch, math.ceil(len(waiting) / self._workers))
        batch: list[_Item[T, R]] = []
        while self._may_take(lane) and len(batch) < share:
            item = waiting.pop()
            if item.turn.expired():
                _fail([item], _too_late())
            elif not item.result.done():
                batch.append(item)
        if lane is Lane.INTERACTIVE and not waiting:
            self._wake()
        return batch

    async def _compute(self, batch: list[_Item[T, R]]) -> None:
        clocked = _Clocked()
        try:
            rows = await self._pools[batch[0].turn.lane].run(
                self._forward, [item.value for item in batch], clocked
            )
        except asyncio.CancelledError:
            _fail(batch, _closed())
            raise
        except Exception as error:
            self._record(batch, clocked, failed=True)
            await self._isolate(batch, error)
        else:
            self._record(batch, clocked, failed=False)
            for item, row in zip(batch, rows, strict=True):
                if not item.result.done():
                    item.result.set_result(row)

    async def _isolate(self, batch: list[_Item[T, R]], error: Exception) -> None:
        """Runs the items of a failed batch one by one, so that only the guilty one fails."""
        if len(batch) == 1:
            _fail(batch, error)
            return
        for position, item in enumerate(batch):
            if item.result.done():
                continue
            try:
                await self._compute([item])
            except asyncio.CancelledError:
                _fail(batch[position:], _closed())
                raise

    def _forward(self, values: Sequence[T], clocked: _Clocked) -> Rows[R]:
        clocked.started = time.monotonic()
        try:
            rows = self._run(values)
        finally:
            clocked.seconds = time.monotonic() - clocked.started
        if len(rows) != len(values):
            raise ValueError(f"the model gave {len(rows)} rows for {len(values)} items")
        return rows

    def _record(self, batch: list[_Item[T, R]], clocked: _Clocked, *, failed: bool) -> None:
        seconds = clocked.seconds
        waits = tuple(clocked.started - item.since for item in batch)
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
        lane = batch[0].turn.lane
        self._observe(
            BatchReport(self._name, lane, self.queued(lane), len(batch), waits, seconds, failed)
        )


def _fail(items: Iterable[_Item[T, R]], error: Exception) -> None:
    for item in items:
        if not item.result.done():
            item.result.set_exception(error)


def _closed() -> Unavailable:
    return Unavailable("the embedding service is stopping; try again shortly", retry_after=1.0)


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("the time allowed for the call has run out")
