"""The right of one worker at a time to work on something, and how it keeps that right.

Taking, checking and giving back the lease of a row is SQL: see ``libs.db.lease``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from libs.cancellation import cancel_and_wait
from libs.errors import Conflict, Unavailable

DURATION = timedelta(seconds=60)
RENEWAL = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of ``owner`` to work on a row until ``expire_time``."""

    owner: str
    token: int
    expire_time: datetime


class LeaseLost(Conflict):
    """Somebody else holds the lease now, or nobody: stop, and write nothing more."""

    reason = "LEASE_LOST"


@asynccontextmanager
async def kept(
    renew_once: Callable[[], Awaitable[object]],
    *,
    every: timedelta = RENEWAL,
    duration: timedelta = DURATION,
) -> AsyncIterator[None]:
    """Renews a lease in the background while the block runs.

    If ``renew_once`` raises LeaseLost, or the database stays away for a whole ``duration``, the
    block is cancelled and LeaseLost is raised in its place.
    """
    body = asyncio.current_task()
    assert body is not None, "runs in a task"
    keeper = asyncio.create_task(_keep(renew_once, every, duration))

    def stop_body(done: asyncio.Task[None]) -> None:
        if not done.cancelled():
            body.cancel()

    keeper.add_done_callback(stop_body)
    try:
        yield
    except asyncio.CancelledError:
        if not keeper.done() or keeper.cancelled() or body.uncancel() > 0:
            raise
        await keeper
    finally:
        keeper.remove_done_callback(stop_body)
        await cancel_and_wait([keeper])


async def _keep(
    renew_once: Callable[[], Awaitable[object]], every: timedelta, duration: timedelta
) -> None:
    last = monotonic()
    while True:
        await asyncio.sleep(every.total_seconds())
        try:
            await renew_once()
            last = monotonic()
        except Unavailable as error:
            if monotonic() - last > duration.total_seconds():
                raise LeaseLost("the lease ran out while the database was away") from error
