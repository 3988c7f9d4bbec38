"""Leases on rows: one worker at a time, and a number that exposes a worker that was too slow.

A lease (``libs.lease``) lasts 60 s and is renewed every 20 s. Each acquisition raises the row's
``lease_token`` (a fencing token): a worker adds ``held(table, lease)`` to the WHERE of every write,
so that one whose lease went to somebody else changes nothing. Times are those of the database
server.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, DateTime, Table, Text, and_, func, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.lease import DURATION, Lease, LeaseLost


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
