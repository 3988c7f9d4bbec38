"""Keeping blocking work off the event loop."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


# Steps of the system's scale, of which each leaves a thread about a fifth less than its rivals.
_STEPS_DOWN = 10
_LOWEST = 19


def lower_priority() -> None:
    """Lets every other thread go before this one, where threads have priorities (on Linux).

    For good: taking it back needs rights that a service does not have.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            now = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(_LOWEST, now + _STEPS_DOWN))


class BlockingPool:
    """A named, bounded pool of threads for one kind of blocking work (decoding, inference, …).

    A pool per purpose, so that a flood of one kind of work cannot starve another.
    """

    def __init__(self, name: str, threads: int, *, background: bool = False) -> None:
        """Threads of a ``background`` pool have the lower priority."""
        prepare = lower_priority if background else None
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=prepare)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args, **kwargs)`` in a thread of the pool; its exception is raised here."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Waits for what runs, drops what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)
