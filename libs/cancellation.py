"""Cancelling tasks whose libraries may lose a cancellation.

redis-py writes within ``asyncio.wait_for``, which before Python 3.12 drops a cancellation that
comes just when the write is over: the task goes on as if nobody had asked it to end.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels the tasks, more than once if need be, and returns when they have ended."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.1)


async def see_through(work: Coroutine[Any, Any, None]) -> None:
    """Runs ``work`` to its end however often this task is cancelled meanwhile; then heeds that.

    For tidying up that ``cancel_and_wait`` would else cut short. ``work`` must bound its own time.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError


def heed_cancellation() -> None:
    """Raises CancelledError if this task has been cancelled and did not notice. For long loops."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
