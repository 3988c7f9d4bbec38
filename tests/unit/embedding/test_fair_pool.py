"""The threads that decode: people first, scopes in turns, nothing for who has left."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from libs.errors import DeadlineExceeded, Unavailable
from services.embedding.fair_pool import FairPool
from services.embedding.fairness import Lane, Turn
from tests.support.wait import eventually

BULK = Lane.BULK


class Bench:
    """Work that notes when it is done; ``hold`` keeps a thread busy until the gate opens."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate = threading.Event()
        self.held = threading.Semaphore(0)

    def work(self, name: str) -> str:
        self.done.append(name)
        return name

    def hold(self, name: str) -> str:
        self.held.release()
        self.gate.wait(300)  # no thread may outlive a test that failed
        return self.work(name)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.gate.set()


@pytest.fixture
def pool(bench: Bench) -> Iterator[FairPool]:
    with closing(FairPool("test", 1)) as pool:
        yield pool
        bench.gate.set()


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)


async def test_scopes_take_turns(pool: FairPool, bench: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(pool.run(Turn(BULK, "a"), bench.hold, "held"))
        await asyncio.to_thread(bench.held.acquire, timeout=300)
        for name in ("a1", "a2", "a3", "b1", "b2"):
            group.create_task(pool.run(Turn(BULK, name[0]), bench.work, name))
        await until(lambda: pool.waiting(BULK) == 5)
        bench.gate.set()
    assert bench.done == ["held", "a1", "b1", "a2", "b2", "a3"]


async def test_background_work_that_runs_holds_up_nobody_else(pool: FairPool, bench: Bench) -> None:
    held = asyncio.create_task(pool.run(Turn(BULK), bench.hold, "bulk"))
    await asyncio.to_thread(bench.held.acquire, timeout=300)
    async with asyncio.timeout(60):
        assert await pool.run(Turn(), bench.work, "people") == "people"
    bench.gate.set()
    assert await held == "bulk"


async def test_people_who_wait_go_before_background_work(pool: FairPool, bench: Bench) -> None:
    def bulk() -> int:
        """How many people wait while it is worked for."""
        return pool.waiting(Lane.INTERACTIVE)

    async with asyncio.TaskGroup() as group:
        group.create_task(pool.run(Turn(), bench.hold, "held"))
        await asyncio.to_thread(bench.held.acquire, timeout=300)
        group.create_task(pool.run(Turn(), bench.work, "people"))
        await until(lambda: pool.waiting(Lane.INTERACTIVE) == 1)
        waited = group.create_task(pool.run(Turn(BULK), bulk))
        await until(lambda: pool.waiting(BULK) == 1)
        bench.gate.set()
    assert bench.done == ["held", "people"]
    assert waited.result() == 0


async def test_urgent_jobs_go_first_but_not_before_people(pool: FairPool, bench: Bench) -> None:
    bulk = pool.urgent(BULK)
    async with asyncio.TaskGroup() as group:
        group.create_task(pool.run(Turn(BULK), bench.hold, "held"))
        await asyncio.to_thread(bench.held.acquire, timeout=300)
        group.create_task(pool.run(Turn(BULK), bench.work, "decode"))
        await until(lambda: pool.waiting(BULK) == 1)
        urgent = group.create_task(bulk.run(bench.work, "infer"))
        await asyncio.sleep(0)
        assert await pool.run(Turn(), bench.work, "people") == "people"
        bench.gate.set()
    assert bench.done == ["people", "held", "infer", "decode"]
    assert urgent.result() == "infer"


async def test_who_has_left_is_not_worked_for(pool: FairPool, bench: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(pool.run(Turn(), bench.hold, "held"))
        await asyncio.to_thread(bench.held.acquire, timeout=300)
        leaving = asyncio.create_task(pool.run(Turn(), bench.work, "left"))
        soon = Turn(deadline=time.monotonic() + 0.5)
        late = asyncio.create_task(pool.run(soon, bench.work, "late"))
        group.create_task(pool.run(Turn(), bench.work, "stays"))
        await until(lambda: pool.waiting(Lane.INTERACTIVE) == 3)
        leaving.cancel()
        await until(lambda: pool.waiting(Lane.INTERACTIVE) == 2)
        await until(soon.expired)
        bench.gate.set()
    with pytest.raises(DeadlineExceeded):
        await late
    assert bench.done == ["held", "stays"]


async def test_bulk_goes_on_when_people_leave(pool: FairPool, bench: Bench) -> None:
    held = asyncio.create_task(pool.run(Turn(), bench.hold, "held"))
    await asyncio.to_thread(bench.held.acquire, timeout=300)
    leaving = asyncio.create_task(pool.run(Turn(), bench.work, "left"))
    await until(lambda: pool.waiting(Lane.INTERACTIVE) == 1)
    bulk = asyncio.create_task(pool.run(Turn(BULK), bench.work, "bulk"))
    await until(lambda: pool.waiting(BULK) == 1)
    leaving.cancel()
    async with asyncio.timeout(60):
        assert await bulk == "bulk"
    bench.gate.set()
    await held


async def test_errors_reach_their_caller(pool: FairPool) -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.run(Turn(), divmod, 1, 0)


async def test_closing_answers_who_waits(bench: Bench) -> None:
    pool = FairPool("test", 1)
    held = asyncio.create_task(pool.run(Turn(), bench.hold, "held"))
    await asyncio.to_thread(bench.held.acquire, timeout=300)
    waiting = asyncio.create_task(pool.run(Turn(), bench.work, "waits"))
    await until(lambda: pool.waiting(Lane.INTERACTIVE) == 1)
    opening = threading.Thread(target=open_when_empty, args=(pool, bench))
    opening.start()
    pool.close()
    opening.join()
    with pytest.raises(Unavailable):
        await waiting
    assert bench.done == ["held"]
    assert await held == "held"
    with pytest.raises(Unavailable):
        await pool.run(Turn(), bench.work, "later")


def open_when_empty(pool: FairPool, bench: Bench) -> None:
    while pool.waiting(Lane.INTERACTIVE):
        time.sleep(0.001)
    bench.gate.set()
