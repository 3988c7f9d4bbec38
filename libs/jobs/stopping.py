"""Leaving long work when the process is told to end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from libs.cancellation import cancel_and_wait


async def unless_stopping(stopping: asyncio.Event, work: Coroutine[Any, Any, object]) -> None:
    """Does ``work``, or leaves it when the process is told to end: a model may take too long."""
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait([task, stop])
    if not task.cancelled():
        task.result()
