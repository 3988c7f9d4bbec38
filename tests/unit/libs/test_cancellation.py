import asyncio
from contextlib import suppress

import pytest

from libs.cancellation import cancel_and_wait, heed_cancellation, see_through


async def test_insists_with_a_task_that_loses_cancellations() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(cancel_and_wait([task]), 60)
    assert task.cancelled()
    assert lost == 3


async def test_finished_tasks_are_left_alone() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    await task
    await cancel_and_wait([task])
    await cancel_and_wait([])
    assert task.result() == "done"


async def test_a_lost_cancellation_is_heeded_later() -> None:
    async def loses() -> None:
        heed_cancellation()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        heed_cancellation()
        raise AssertionError("went on")

    task = asyncio.create_task(loses())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_seen_through_is_not_cut_short_but_the_cancellation_counts() -> None:
    done: list[str] = []

    async def tidy() -> None:
        await asyncio.sleep(0.3)
        done.append("tidied")

    task = asyncio.create_task(see_through(tidy()))
    await asyncio.sleep(0)
    await cancel_and_wait([task])
    assert done == ["tidied"]
    assert task.cancelled()


async def test_a_failure_of_what_is_seen_through_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await see_through(fail())
