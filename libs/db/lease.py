"""Leases on rows: one worker at a time, and a number that exposes a worker that was too slow.

A lease lasts 60 s and is renewed every 20 s. Each acquisition raises the row's ``lease_token`` (a
fencing token): a worker adds ``held(table, lease)`` to the WHERE of every write, so that one whose
lease went to somebody else changes nothing. Times are those of the database server.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, DateTime, Table, Text, and_, func, or_
from sqlalchemy.ext.asyncio import AsyncConnection

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


def lease_columns() -> tuple[Column[Any], ...]:
    """The columns of leased rows: ``Table("runs", metadata, ..., *lease_columns())``."""
    return (
        Column("lease_owner", Text),
        Column("lease_token", BigInteger, nullable=False, server_default="0"),
        Column("lease_expire_time", DateTime(timezone=True)),
    )


def free(table: Table) -> ColumnElement[bool]:
    """Rows that nobody holds: never leased, released, or expired."""
    expires = table.c.lease_expire_time
    return or_(expires.is_(None), expires <= func.clock_timestamp())


def held(table: Table, lease: Lease) -> ColumnElement[bool]:
    """Rows that ``lease`` still covers: the fence in the WHERE of each of the worker's writes."""
    return and_(table.c.lease_token == lease.token, table.c.lease_owner == lease.owner)


async def acquire(
    connection: AsyncConnection,
    table: Table,
    row: ColumnElement[bool],
    owner: str,
    *,
    duration: timedelta = DURATION,
    **values: object,
) -> Lease | None:
    """Takes the lease on the one row that ``row`` selects, and sets ``values`` with it.

    None if there is no such row or somebody holds it.
    """
    statement = (
        table.update()
        .where(row, free(table))
        .values(
            lease_owner=owner,
            lease_token=table.c.lease_token + 1,
            lease_expire_time=func.clock_timestamp() + duration,
            **values,
        )
        .returning(table.c.lease_token, table.c.lease_expire_time)
    )
    taken = (await connection.execute(statement)).one_or_none()
    return Lease(owner, taken.lease_token, taken.lease_expire_time) if taken else None


async def renew(
    connection: AsyncConnection,
    table: Table,
    row: ColumnElement[bool],
    lease: Lease,
    *,
    duration: timedelta = DURATION,
    **values: object,
) -> Lease:
    """The same lease, longer; sets ``values`` (a heartbeat, progress) with it. Raises LeaseLost."""
    statement = (
        table.update()
        .where(row, held(table, lease))
        .values(lease_expire_time=func.clock_timestamp() + duration, **values)
        .returning(table.c.lease_expire_time)
    )
    expire_time = (await connection.execute(statement)).scalar_one_or_none()
    if expire_time is None:
        raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")
    return Lease(lease.owner, lease.token, expire_time)


async def release(
    connection: AsyncConnection,
    table: Table,
    row: ColumnElement[bool],
    lease: Lease,
    **values: object,
) -> None:
    """Gives the lease back and sets ``values`` (the final state) with it. Raises LeaseLost."""
    statement = (
        table.update()
        .where(row, held(table, lease))
        .values(lease_owner=None, lease_expire_time=None, **values)
    )
    if (await connection.execute(statement)).rowcount == 0:
        raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")


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
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(every.total_seconds())
        try:
            await renew_once()
            last = loop.time()
        except Unavailable as error:
            if loop.time() - last > duration.total_seconds():
                raise LeaseLost("the lease ran out while the database was away") from error
