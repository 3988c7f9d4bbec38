"""What was computed is kept within bounds, and computed once however many ask."""

import asyncio
import time
from collections.abc import Callable

import pytest

from libs.errors import DeadlineExceeded
from services.embedding.cache import Lookup, ResultCache
from services.embedding.fairness import Lane, Turn

PEOPLE, BULK = Turn(), Turn(Lane.BULK)


class Work:
    """Counts what is computed, and computes only while the gate is open."""

    def __init__(self) -> None:
        self.started: list[Turn] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    def of(self, value: str) -> Callable[[Turn], "asyncio.Future[str]"]:
        async def compute(turn: Turn) -> str:
            self.started.append(turn)
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return value

        return compute  # type: ignore[return-value]


def cache(max_bytes: int = 1 << 20, seen: list[Lookup] | None = None) -> ResultCache:
    return ResultCache(max_bytes, len, [].append if seen is None else seen.append)


async def test_a_value_is_computed_once() -> None:
    work, seen = Work(), list[Lookup]()
    values = cache(seen=seen)
    for _ in range(3):
        assert await values.get(("a", "m"), PEOPLE, work.of("A")) == "A"
    assert await values.get(("a", "other model"), PEOPLE, work.of("B")) == "B"
    assert len(work.started) == 2
    assert seen == ["miss", "hit", "hit", "miss"]


async def test_without_room_it_computes_each_time() -> None:
    work, seen = Work(), list[Lookup]()
    values = cache(0, seen)
    for _ in range(2):
        assert await values.get(("a",), PEOPLE, work.of("A")) == "A"
    assert (len(work.started), values.bytes, seen) == (2, 0, [])


async def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    work = Work()
    values = cache(3 * 1000)  # each takes 100 and what is kept beside it
    for name in ("a", "b", "c", "a", "d"):
        await values.get((name,), PEOPLE, work.of(name * 100))
        assert values.bytes <= 3000
    assert [name for name in "abcd" if values.peek((name,))] == ["a", "c", "d"]
    await values.get(("huge",), PEOPLE, work.of("x" * 3000))
    assert values.peek(("huge",)) is None and values.peek(("d",))


async def test_who_asks_meanwhile_waits_for_the_same() -> None:
    work, seen = Work(), list[Lookup]()
    values = cache(seen=seen)
    work.gate.clear()
    calls = [asyncio.create_task(values.get(("a",), PEOPLE, work.of("A"))) for _ in range(4)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.gather(calls[0], return_exceptions=True)
    work.gate.set()
    assert await asyncio.gather(*calls[1:]) == ["A"] * 3
    assert (len(work.started), work.cancelled) == (1, 0)
    assert seen == ["miss", "joined", "joined", "joined"]


async def test_when_all_have_left_the_work_is_dropped() -> None:
    work = Work()
    values = cache()
    work.gate.clear()
    calls = [asyncio.create_task(values.get(("a",), PEOPLE, work.of("A"))) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    work.gate.set()
    assert await values.get(("a",), PEOPLE, work.of("again")) == "again"
    assert (len(work.started), work.cancelled) == (2, 1)


async def test_people_do_not_wait_for_background_work() -> None:
    work = Work()
    values = cache()
    work.gate.clear()
    turns = (BULK, PEOPLE, BULK, PEOPLE)
    calls = [asyncio.create_task(values.get(("a",), turn, work.of("A"))) for turn in turns]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(*calls) == ["A"] * 4
    assert work.started == [BULK, PEOPLE]


async def test_an_error_is_told_to_all_and_not_kept() -> None:
    values = cache()
    work = Work()

    async def fail(_: Turn) -> str:
        raise ValueError("damaged")

    calls = (values.get(("a",), PEOPLE, fail) for _ in range(3))
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in errors] == [ValueError] * 3
    assert await values.get(("a",), PEOPLE, work.of("A")) == "A"


async def test_the_deadline_of_who_came_first_is_not_that_of_others() -> None:
    values = cache()
    gate = asyncio.Event()
    started: list[Turn] = []

    async def compute(turn: Turn) -> str:
        started.append(turn)
        await gate.wait()
        if turn.expired():
            raise DeadlineExceeded("too late")
        return "A"

    hasty = Turn(deadline=time.monotonic())
    patient = Turn()
    first = asyncio.create_task(values.get(("a",), hasty, compute))
    second = asyncio.create_task(values.get(("a",), patient, compute))
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(DeadlineExceeded):
        await first
    assert await second == "A"
    assert started == [hasty, patient]


async def test_a_name_stands_for_the_content_that_it_has() -> None:
    values = cache()
    work = Work()

    async def read(turn: Turn) -> str:
        values.learn("name", "digest")
        return values.peek(("name", "m")) or await work.of("A")(turn)

    assert await values.get(("name", "m"), PEOPLE, read) == "A"
    assert values.peek(("digest", "m")) == "A"
    values.learn("other name", "digest")
    assert await values.get(("other name", "m"), PEOPLE, work.of("B")) == "A"
    assert len(work.started) == 1
