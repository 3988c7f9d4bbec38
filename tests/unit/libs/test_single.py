import asyncio

import pytest

from libs.jobs.single import one_at_a_time


async def test_a_call_beside_another_returns_at_once_and_a_later_one_works() -> None:
    started: list[str] = []
    release = asyncio.Event()

    @one_at_a_time
    async def work(name: str) -> None:
        started.append(name)
        await release.wait()

    first = asyncio.create_task(work("first"))
    await asyncio.sleep(0)
    await asyncio.wait_for(work("second"), 60)
    assert started == ["first"]
    release.set()
    await first
    await work("third")
    assert started == ["first", "third"]


async def test_a_failure_does_not_lock_out_the_next() -> None:
    calls = 0

    @one_at_a_time
    async def work() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await work()
    assert calls == 2
