"""Waiting for a condition with a deadline, instead of sleeping for luck."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T]], *, within: float = 120.0, every: float = 0.02
) -> T:
    """The first truthy answer of ``probe``; fails the test after ``within`` seconds without one."""
    deadline = time.monotonic() + within
    while True:
        answer = await probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s: {probe!r} answered {answer!r}")
        await asyncio.sleep(every)
