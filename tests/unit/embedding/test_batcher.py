"""Batching: nobody gets another's answer, limits hold, and trouble stays with its owner."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.aio import BlockingPool
from libs.errors import OutOfQuota, Unavailable
from services.embedding.batcher import Batcher, BatchLimits, BatchReport, Lane
from tests.support.wait import eventually
from tests.unit.embedding.fake_session import FakeSession, tensor


@pytest.fixture
def session() -> Iterator[FakeSession]:
    fake = FakeSession()
    yield fake
    fake.gate.set()


@asynccontextmanager
async def batching(
    session: FakeSession, limits: BatchLimits | None = None, workers: int = 1
) -> AsyncIterator[Batcher]:
    with closing(BlockingPool("test", workers)) as pool:
        async with Batcher(session.run, pool, workers=workers, limits=limits) as batcher:
            try:
                yield batcher
            finally:
                session.gate.set()


async def until_queued(batcher: Batcher, count: int) -> None:
    async def reached() -> bool:
        return batcher.stats.queued == count

    await eventually(reached)


async def until_running(session: FakeSession) -> None:
    async def reached() -> bool:
        return bool(session.sizes)

    await eventually(reached)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    callers=st.integers(1, 60),
    max_batch=st.integers(1, 12),
    workers=st.integers(1, 3),
)
def test_every_caller_gets_its_own_answer(
    seed: int, callers: int, max_batch: int, workers: int
) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        session = FakeSession(seconds=0.0002)
        limits = BatchLimits(max_batch, chance.choice([0.0, 0.001]))
        async with batching(session, limits, workers) as batcher:

            async def call(value: int) -> None:
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
                lane = chance.choice(list(Lane))
                if chance.random() < 0.2:
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(batcher.submit(tensor(value), lane), 0)
                    return
                row = await batcher.submit(tensor(value), lane)
                assert row.tolist() == [value, value, value, 1.0]

            await asyncio.gather(*map(call, range(callers)))
            assert max(session.sizes, default=0) <= max_batch
            assert batcher.stats.queued == 0

    asyncio.run(scenario())


async def test_many_callers_share_batches_and_gain_by_it() -> None:
    cost = 0.01
    session = FakeSession(seconds=cost)
    async with batching(session, BatchLimits(max_batch=32, max_wait=0.01)) as batcher:
        started = time.perf_counter()
        await asyncio.gather(*(batcher.submit(tensor(value)) for value in range(64)))
        seconds = time.perf_counter() - started
        assert batcher.stats.mean_size > 8
        assert batcher.stats.items == 64
    assert 64 * cost / seconds > 3


async def test_a_lone_caller_does_not_wait_for_company(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_wait=30.0)) as batcher:
        async with asyncio.timeout(5):
            await batcher.submit(tensor(1))


async def test_a_batch_waits_for_those_on_their_way(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_batch=3, max_wait=30.0)) as batcher:
        with batcher.expecting():
            first = asyncio.create_task(batcher.submit(tensor(1)))
            second = asyncio.create_task(batcher.submit(tensor(2)))
            await until_queued(batcher, 2)
            assert session.sizes == []
        await asyncio.gather(first, second)
    assert session.sizes == [2]


async def test_a_batch_does_not_wait_longer_than_allowed(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_wait=0.02)) as batcher:
        with batcher.expecting():
            async with asyncio.timeout(5):
                await batcher.submit(tensor(1))
    assert session.sizes == [1]


async def test_a_small_burst_keeps_every_worker_busy(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_batch=8), workers=2) as batcher:
        await asyncio.gather(*(batcher.submit(tensor(value)) for value in range(8)))
    assert session.sizes[0] == 4


async def test_bulk_goes_behind_interactive(session: FakeSession) -> None:
    session.gate.clear()
    order: list[str] = []

    async def call(name: str, lane: Lane) -> None:
        await batcher.submit(tensor(1), lane)
        order.append(name)

    async with batching(session, BatchLimits(max_batch=1)) as batcher, asyncio.TaskGroup() as group:
        group.create_task(call("running", Lane.BULK))
        await until_running(session)
        group.create_task(call("bulk", Lane.BULK))
        await until_queued(batcher, 1)
        group.create_task(call("interactive", Lane.INTERACTIVE))
        await until_queued(batcher, 2)
        session.gate.set()
    assert order == ["running", "interactive", "bulk"]


async def test_a_full_queue_refuses_with_a_hint(session: FakeSession) -> None:
    session.gate.clear()
    async with batching(session, BatchLimits(max_batch=1, queue_size=3)) as batcher:
        running = asyncio.create_task(batcher.submit(tensor(0)))
        await until_running(session)
        waiting = [asyncio.create_task(batcher.submit(tensor(value))) for value in (1, 2, 3)]
        await until_queued(batcher, 3)
        with pytest.raises(OutOfQuota) as raised:
            await batcher.submit(tensor(4))
        assert raised.value.reason == "QUEUE_FULL"
        assert raised.value.retry_after > 0
        session.gate.set()
        rows = await asyncio.gather(running, *waiting)
        assert [row[0] for row in rows] == [0, 1, 2, 3]


async def test_a_cancelled_caller_leaves_the_queue(session: FakeSession) -> None:
    session.gate.clear()
    async with batching(session, BatchLimits(max_batch=8)) as batcher:
        running = asyncio.create_task(batcher.submit(tensor(0)))
        await until_running(session)
        leaving, staying = (asyncio.create_task(batcher.submit(tensor(value))) for value in (1, 2))
        await until_queued(batcher, 2)
        leaving.cancel()
        await until_queued(batcher, 1)
        session.gate.set()
        assert [(await running)[0], (await staying)[0]] == [0, 2]
    assert leaving.cancelled()
    assert session.sizes == [1, 1]


async def test_a_caller_cancelled_while_computed_harms_nobody(session: FakeSession) -> None:
    session.gate.clear()
    async with batching(session, BatchLimits(max_batch=2)) as batcher:
        leaving, staying = (asyncio.create_task(batcher.submit(tensor(value))) for value in (1, 2))
        await until_running(session)
        leaving.cancel()
        session.gate.set()
        assert (await staying)[0] == 2
        assert (await batcher.submit(tensor(3)))[0] == 3
    assert session.sizes == [2, 1]


async def test_one_bad_item_fails_alone() -> None:
    session = FakeSession(poison=13.0)
    async with batching(session, BatchLimits(max_batch=8)) as batcher:
        calls = (batcher.submit(tensor(value)) for value in (11, 12, 13, 14))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(answers[2], RuntimeError)
        good = [row[0] for row in answers if isinstance(row, np.ndarray)]
        assert good == [11, 12, 14]
        assert (batcher.stats.failures, batcher.stats.items) == (2, 3)
    assert session.sizes == [4, 1, 1, 1, 1]


async def test_a_model_that_loses_rows_is_an_error() -> None:
    with closing(BlockingPool("test", 1)) as pool:
        async with Batcher(lambda batch: batch[:0], pool) as batcher:
            with pytest.raises(ValueError, match="0 rows for 1 images"):
                await batcher.submit(tensor(1))


async def test_closing_answers_everybody(session: FakeSession) -> None:
    session.gate.clear()
    with closing(BlockingPool("test", 1)) as pool:
        batcher = Batcher(session.run, pool, limits=BatchLimits(max_batch=1))
        async with batcher:
            calls = [asyncio.create_task(batcher.submit(tensor(value))) for value in range(5)]
            await until_running(session)
        session.gate.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable] * 5
        with pytest.raises(Unavailable):
            await batcher.submit(tensor(9))


async def test_each_batch_is_reported(session: FakeSession) -> None:
    reports: list[BatchReport] = []
    with closing(BlockingPool("test", 1)) as pool:
        async with Batcher(session.run, pool, observe=reports.append) as batcher:
            await asyncio.gather(*(batcher.submit(tensor(value)) for value in range(3)))
            stats = batcher.stats
    assert [(report.size, report.failed, len(report.waits)) for report in reports] == [
        (3, False, 3)
    ]
    assert (stats.batches, stats.items, stats.mean_size, stats.failures) == (1, 3, 3.0, 0)
    assert stats.run_seconds == reports[0].seconds > 0
    assert stats.wait_seconds == pytest.approx(sum(reports[0].waits))
