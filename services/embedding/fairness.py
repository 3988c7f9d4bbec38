"""Whose turn it is: people before background work, and in each lane one scope after the other."""

import asyncio
import enum
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from libs.errors import OutOfQuota

T = TypeVar("T")

# What a scope may spend each time its turn comes, in the unit of the costs.
_QUANTUM = 1.0
# Dearer work counts as this much, so that finding the next one stays quick.
_HIGHEST_COST = 64.0
_SHORTEST_RETRY = 0.05
# Scopes that have little waiting are let in beside a full queue, up to this many queues in all.
_OVERFILL = 2


class Lane(enum.Enum):
    """Bulk items are taken only when no interactive one waits."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a piece of work stands among what waits.

    ``key`` is the scope that it is for: scopes take turns. ``deadline`` is when the caller gives
    up, by ``time.monotonic``.
    """

    lane: Lane = Lane.INTERACTIVE
    key: str = ""
    deadline: float | None = None

    def expired(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self.deadline is not None and time.monotonic() >= self.deadline


class FairQueue(Generic[T]):
    """What waits in one lane, taken by deficit round robin over the keys; one key's in order.

    Items are told apart by identity or hash, each waits once. Not safe for several threads.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, OrderedDict[T, float]] = OrderedDict()
        self._credit: dict[str, float] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        for waiting in self._waiting.values():
            yield from waiting

    def push(self, key: str, item: T, cost: float = 1.0) -> None:
        """Puts ``item`` behind what waits for ``key``. ``cost`` is how much of a turn it takes."""
        self._waiting.setdefault(key, OrderedDict())[item] = min(cost, _HIGHEST_COST)
        self._credit.setdefault(key, 0.0)
        self._length += 1

    def pop(self) -> T:
        """The next item. Raises IndexError if none waits."""
        if not self._length:
            raise IndexError("nothing waits")
        while True:
            key, waiting = next(iter(self._waiting.items()))
            item, cost = next(iter(waiting.items()))
            if self._credit[key] >= cost:
                self._credit[key] -= cost
                self.discard(key, item)
                return item
            self._credit[key] += _QUANTUM
            self._waiting.move_to_end(key)

    def discard(self, key: str, item: T) -> None:
        """Takes ``item`` out, if it still waits. An empty key loses its credit."""
        waiting = self._waiting.get(key)
        if waiting is None or item not in waiting:
            return
        del waiting[item]
        self._length -= 1
        if not waiting:
            del self._waiting[key], self._credit[key]

    def clear(self) -> list[T]:
        """Takes out all that waits."""
        items = list(self)
        self._waiting.clear()
        self._credit.clear()
        self._length = 0
        return items


class Admission:
    """Bounds what is in work and what waits, in each lane by itself.

    A lane of ``size`` is open to everybody until it is full; then only to scopes that have less
    than an equal share, so that a large one cannot lock the others out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._counts: dict[Lane, Counter[str]] = {lane: Counter() for lane in Lane}
        self._totals = dict.fromkeys(Lane, 0)

    @contextmanager
    def admitted(self, turn: Turn, seconds_per_item: float) -> Iterator[None]:
        """Counts one more while inside. Raises ``OutOfQuota`` (QUEUE_FULL), with a hint from
        ``seconds_per_item``, if there is no room."""
        counts = self._counts[turn.lane]
        self._check(turn, seconds_per_item)
        counts[turn.key] += 1
        self._totals[turn.lane] += 1
        try:
            yield
        finally:
            self._totals[turn.lane] -= 1
            counts[turn.key] -= 1
            if not counts[turn.key]:
                del counts[turn.key]

    def _check(self, turn: Turn, seconds_per_item: float) -> None:
        waiting, counts = self._totals[turn.lane], self._counts[turn.lane]
        if waiting < self._size:
            return
        others = len(counts.keys() - {turn.key})
        if waiting < _OVERFILL * self._size and counts[turn.key] < self._size // (others + 1):
            return
        wait = max(_SHORTEST_RETRY, waiting * seconds_per_item)
        raise OutOfQuota(
            f"{waiting} others wait already; try again in {wait:.2f} s",
            retry_after=wait,
            reason="QUEUE_FULL",
            metadata={"waiting": str(waiting), "retry_after": f"{wait:.2f}"},
        )


class FairGate:
    """Lets ``slots`` of each lane in at a time; who waits is let in scope after scope."""

    def __init__(self, slots: int) -> None:
        self._free = dict.fromkeys(Lane, slots)
        self._waiting: dict[Lane, FairQueue[asyncio.Future[None]]] = {
            lane: FairQueue() for lane in Lane
        }

    @asynccontextmanager
    async def slot(self, turn: Turn) -> AsyncIterator[None]:
        """Holds a slot while inside."""
        await self._enter(turn)
        try:
            yield
        finally:
            self._leave(turn.lane)

    async def _enter(self, turn: Turn) -> None:
        waiting = self._waiting[turn.lane]
        if self._free[turn.lane]:
            self._free[turn.lane] -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.push(turn.key, place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave(turn.lane)  # it was just given to who leaves
            raise
        finally:
            waiting.discard(turn.key, place)

    def _leave(self, lane: Lane) -> None:
        while self._waiting[lane]:
            place = self._waiting[lane].pop()
            if not place.done():
                place.set_result(None)
                return
        self._free[lane] += 1
