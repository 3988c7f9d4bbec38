"""Blocking work off the event loop: results, errors, and who gives way to whom."""

import os
import sys
import threading
from contextlib import closing

import pytest

from libs.aio import BlockingPool


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def test_results_and_errors_reach_the_caller() -> None:
    with closing(BlockingPool("test", 1)) as pool:
        assert await pool.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities of their own here")
async def test_threads_of_a_background_pool_give_way_and_no_others() -> None:
    before = priority()
    with (
        closing(BlockingPool("back", 1, background=True)) as back,
        closing(BlockingPool("front", 1)) as front,
    ):
        assert await back.run(priority) == min(19, before + 10)
        assert await front.run(priority) == before
    assert priority() == before
