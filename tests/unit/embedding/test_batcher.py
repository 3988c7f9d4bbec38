"""Batching: nobody gets another's answer, limits hold, and trouble stays with its owner."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import DeadlineExceeded, OutOfQuota, Unavailable
from services.embedding.batcher import Batcher, BatchLimits, BatchReport, lane_pools
from services.embedding.fairness import Lane, Turn
from services.embedding.session import Floats
from tests.support.wait import eventually
from tests.unit.embedding.fake_session import FakeSession, tensor


@pytest.fixture
def session() -> Iterator[FakeSession]:
    fake = FakeSession()
    yield fake
    fake.gate.set()


def stacked(session: FakeSession) -> Callable[[Sequence[Floats]], Floats]:
    return lambda tensors: session.run(np.stack(tensors))


@asynccontextmanager
async def batching(
    session: FakeSession, limits: BatchLimits | None = None, workers: int = 1
) -> AsyncIterator[Batcher[Floats, Floats]]:
    with lane_pools("test", workers) as pools:
        async with Batcher(stacked(session), pools, workers=workers, limits=limits) as batcher:
            try:
                yield batcher
            finally:
                session.gate.set()


async def until_queued(batcher: Batcher[Floats, Floats], count: int) -> None:
    async def reached() -> bool:
        return batcher.stats.queued == count

    await eventually(reached)


async def wait_until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)


async def until_running(session: FakeSession) -> None:
    async def reached() -> bool:
        return bool(session.sizes)

    await eventually(reached)


@settings(max_examples=25)
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
                turn = Turn(chance.choice(list(Lane)), chance.choice("abc"))
                if chance.random() < 0.2:
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(batcher.submit(tensor(value), turn), 0)
                    return
                row = await batcher.submit(tensor(value), turn)
                assert row.tolist() == [value, value, value, 1.0]

            await asyncio.gather(*map(call, range(callers)))
            assert max(session.sizes, default=0) <= max_batch
            assert batcher.stats.queued == 0

    asyncio.run(scenario())


async def test_many_callers_share_batches_and_gain_by_it(session: FakeSession) -> None:
    session.gate.clear()
    async with batching(session, BatchLimits(max_batch=32, max_wait=0.01)) as batcher:
        calls = [asyncio.create_task(batcher.submit(tensor(value))) for value in range(64)]
        await until_running(session)
        session.gate.set()
        await asyncio.gather(*calls)
        assert batcher.stats.mean_size > 8
        assert batcher.stats.items == 64
    # Where a run takes equally long whatever its size, as on a GPU, this is the gain.
    assert 64 / len(session.sizes) >= 3


async def test_a_lone_caller_does_not_wait_for_company(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_wait=3600.0)) as batcher:
        async with asyncio.timeout(60):
            await batcher.submit(tensor(1))


async def test_a_batch_waits_for_those_on_their_way(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_batch=3, max_wait=3600.0)) as batcher:
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
            async with asyncio.timeout(60):
                await batcher.submit(tensor(1))
    assert session.sizes == [1]


async def test_a_small_burst_keeps_every_worker_busy(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_batch=8), workers=2) as batcher:
        await asyncio.gather(*(batcher.submit(tensor(value)) for value in range(8)))
    assert session.sizes[0] == 4


async def test_bulk_goes_behind_interactive() -> None:
    people = ("running", "first", "second")
    gates = {name: threading.Event() for name in people}
    begun: list[str] = []

    def run(names: Sequence[str]) -> Sequence[str]:
        begun.extend(names)
        for name in names:
            if name in gates:
                gates[name].wait(300)  # no thread may outlive a test that failed
        return names

    with lane_pools("test", 1) as pools:
        async with (
            Batcher(run, pools, limits=BatchLimits(max_batch=1)) as batcher,
            asyncio.TaskGroup() as group,
        ):
            for name in people:
                group.create_task(batcher.submit(name))
            for name in ("bulk", "more bulk"):
                group.create_task(batcher.submit(name, Turn(Lane.BULK)))
            for number, name in enumerate(people[:-1], 1):
                await wait_until(lambda number=number: len(begun) == number)  # type: ignore[misc]
                for _ in range(10):
                    await asyncio.sleep(0)
                assert batcher.queued(Lane.BULK) == 2
                gates[name].set()
            await wait_until(lambda: begun[2:] != [])
            gates["second"].set()
    assert [name for name in begun if name in people] == [*people]
    assert [name for name in begun if name not in people] == ["bulk", "more bulk"]


async def test_bulk_that_runs_holds_up_nobody_else() -> None:
    gate = threading.Event()

    def run(values: Sequence[str]) -> Sequence[str]:
        if "bulk" in values:
            gate.wait(300)
        return values

    with lane_pools("test", 1) as pools:
        async with Batcher(run, pools) as batcher:
            bulk = asyncio.create_task(batcher.submit("bulk", Turn(Lane.BULK)))
            try:
                async with asyncio.timeout(60):
                    assert await batcher.submit("people") == "people"
                assert not bulk.done()
            finally:
                gate.set()
            assert await bulk == "bulk"


async def test_a_small_scope_does_not_wait_for_all_of_a_large_one() -> None:
    finished: list[str] = []
    started = threading.Event()
    gate = threading.Event()

    def run(names: Sequence[str]) -> Sequence[str]:
        started.set()
        gate.wait(300)
        finished.extend(names)
        return names

    limits = BatchLimits(max_batch=8, max_wait=0.0, queue_size=6000)
    with lane_pools("test", 1) as pools:
        async with Batcher(run, pools, limits=limits) as batcher, asyncio.TaskGroup() as group:
            for number in range(5000):
                turn = Turn(Lane.BULK, "personas/large")
                group.create_task(batcher.submit(f"large {number}", turn))
            await asyncio.to_thread(started.wait, 300)
            for number in range(10):
                turn = Turn(Lane.BULK, "personas/small")
                group.create_task(batcher.submit(f"small {number}", turn))
            await until_queued(batcher, 5000 - 8 + 10)
            gate.set()
    small = [place for place, name in enumerate(finished) if name.startswith("small")]
    assert len(finished) == 5010
    assert small[-1] < 8 + 20
    assert [finished[place] for place in small] == [f"small {number}" for number in range(10)]


async def test_what_comes_too_late_is_not_computed(session: FakeSession) -> None:
    session.gate.clear()
    async with batching(session, BatchLimits(max_batch=8)) as batcher:
        running = asyncio.create_task(batcher.submit(tensor(0)))
        await until_running(session)
        soon = Turn(deadline=time.monotonic() + 0.5)
        late = asyncio.create_task(batcher.submit(tensor(1), soon))
        other = asyncio.create_task(batcher.submit(tensor(2)))
        await until_queued(batcher, 2)
        await wait_until(soon.expired)
        session.gate.set()
        with pytest.raises(DeadlineExceeded):
            await late
        assert [(await running)[0], (await other)[0]] == [0, 2]
    assert session.sizes == [1, 1]


async def test_a_full_queue_refuses_with_a_hint(session: FakeSession) -> None:
    async with batching(session, BatchLimits(max_batch=1, queue_size=3)) as batcher:
        with ExitStack() as held:
            for _ in range(3):
                held.enter_context(batcher.admitted(Turn()))
            with pytest.raises(OutOfQuota) as raised, batcher.admitted(Turn()):
                pass
            with batcher.admitted(Turn(Lane.BULK)):
                pass
        assert raised.value.reason == "QUEUE_FULL"
        assert raised.value.retry_after > 0
        with batcher.admitted(Turn()):
            pass


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
    with lane_pools("test", 1) as pools:
        async with Batcher[Floats, Floats](lambda batch: batch[:0], pools) as batcher:
            with pytest.raises(ValueError, match="0 rows for 1 items"):
                await batcher.submit(tensor(1))


async def test_closing_answers_everybody(session: FakeSession) -> None:
    session.gate.clear()
    with lane_pools("test", 1) as pools:
        batcher = Batcher(stacked(session), pools, limits=BatchLimits(max_batch=1))
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
    with lane_pools("test", 1) as pools:
        async with Batcher(stacked(session), pools, name="m", observe=reports.append) as batcher:
            await asyncio.gather(*(batcher.submit(tensor(value)) for value in range(3)))
            stats = batcher.stats
    (report,) = reports
    assert (report.name, report.lane, report.queued) == ("m", Lane.INTERACTIVE, 0)
    assert (report.size, report.failed, len(report.waits)) == (3, False, 3)
    assert (stats.batches, stats.items, stats.mean_size, stats.failures) == (1, 3, 3.0, 0)
    assert stats.run_seconds == reports[0].seconds > 0
    assert stats.wait_seconds == pytest.approx(sum(reports[0].waits))
