"""The same bytes are never computed twice: what was computed is kept, what is being computed is
waited for.

Kept in the memory of the process and nowhere else. Vectors of photos outlive it in the index, so
only bytes that come again soon gain by a cache; and the Redis of the suite holds queues, writes all
to disk and evicts nothing: a cache that filled it would stop them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, TypeVar

from libs.errors import DeadlineExceeded
from services.embedding.fairness import Lane, Turn

V = TypeVar("V")

Lookup = Literal["hit", "joined", "miss"]
# What came of which bytes by which model: equal keys have equal values.
Key = tuple[str, ...]

# Beside the value: key, entry and what the objects themselves take.
_OVERHEAD = 700
_MAX_DIGESTS = 32_768


@dataclass(eq=False, slots=True)
class _Flight:
    place: tuple[Lane, Key]
    task: asyncio.Task[Any]
    waiters: int = 0


class ResultCache:
    """Values by key, the least recently used given up beyond ``max_bytes``; 0 turns it off.

    ``size_of`` tells the bytes of a value; all values of one kind of key are of one type. For one
    event loop.
    """

    def __init__(
        self,
        max_bytes: int,
        size_of: Callable[[Any], int] = attrgetter("nbytes"),
        observe: Callable[[Lookup], None] = lambda _: None,
    ) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._observe = observe
        self._values: OrderedDict[Key, Any] = OrderedDict()
        self._bytes = 0
        self._flights: dict[tuple[Lane, Key], _Flight] = {}
        self._digests: OrderedDict[str, str] = OrderedDict()

    @property
    def bytes(self) -> int:
        """The memory that the values take, about."""
        return self._bytes

    @property
    def on(self) -> bool:
        """Whether anything is kept at all."""
        return self._max_bytes > 0

    def learn(self, name: str, digest: str) -> None:
        """From now on a key that begins with ``name`` is the one that begins with ``digest``.

        For names whose content never changes.
        """
        self._digests[name] = digest
        self._digests.move_to_end(name)
        if len(self._digests) > _MAX_DIGESTS:
            self._digests.popitem(last=False)

    def peek(self, key: Key) -> Any | None:
        """The value of ``key``, if it is kept."""
        return self._values.get(self._canonical(key))

    async def get(
        self, key: Key, turn: Turn, compute: Callable[[Turn], Coroutine[Any, Any, V]]
    ) -> V:
        """The value of ``key``: the one that is kept, or what ``compute`` gives, which is kept.

        Callers who ask for it at the same time wait for one computation, which goes on until the
        last of them has left. People do not wait for one of background work. What is raised is
        not kept.
        """
        if not self.on:
            return await compute(turn)
        while True:
            key = self._canonical(key)
            if key in self._values:
                self._values.move_to_end(key)
                self._observe("hit")
                known: V = self._values[key]
                return known
            flight = self._joinable(key, turn.lane)
            joined = flight is not None
            self._observe("joined" if joined else "miss")
            try:
                value: V = await self._wait(flight or self._start(key, turn, compute))
                return value
            except DeadlineExceeded:
                # That of who came first is not the deadline of all.
                if not joined or turn.expired():
                    raise

    def _canonical(self, key: Key) -> Key:
        return (self._digests.get(key[0], key[0]), *key[1:])

    def _joinable(self, key: Key, lane: Lane) -> _Flight | None:
        flight = self._flights.get((Lane.INTERACTIVE, key))
        if flight is None and lane is Lane.BULK:
            flight = self._flights.get((lane, key))
        return flight

    def _start(
        self, key: Key, turn: Turn, compute: Callable[[Turn], Coroutine[Any, Any, V]]
    ) -> _Flight:
        async def fly() -> V:
            value = await compute(turn)
            self._keep(self._canonical(key), value)
            return value

        flight = _Flight((turn.lane, key), asyncio.create_task(fly()))
        self._flights[flight.place] = flight
        return flight

    async def _wait(self, flight: _Flight) -> Any:
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if flight.task.done() or not flight.waiters:
                flight.task.cancel()
                if self._flights.get(flight.place) is flight:
                    del self._flights[flight.place]

    def _keep(self, key: Key, value: Any) -> None:
        size = self._size_of(value) + _OVERHEAD
        if size > self._max_bytes or key in self._values:
            return
        self._values[key] = value
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, oldest = self._values.popitem(last=False)
            self._bytes -= self._size_of(oldest) + _OVERHEAD
