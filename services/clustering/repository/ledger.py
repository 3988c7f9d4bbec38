"""Clustering runs in PostgreSQL, as workers see them."""

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import acquire, free, held, release, renew
from libs.lease import Lease, LeaseLost
from services.clustering.domain.run import ACTIVE, Run, RunState, Stats, Trigger
from services.clustering.repository.runs import to_run
from services.clustering.tables import runs


class LedgerRepository:
    """See ports.RunLedger."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, run_id: str, owner: str, max_attempts: int) -> tuple[Run, Lease] | None:
        lease = await acquire(
            self._connection,
            runs,
            (runs.c.id == run_id) & runs.c.state.in_(ACTIVE) & (runs.c.attempt < max_attempts),
            owner,
            state=_unless_cancelling(RunState.RUNNING),
            attempt=runs.c.attempt + 1,
            start_time=func.coalesce(runs.c.start_time, func.now()),
            error_reason="",
            error_message="",
        )
        return None if lease is None else (await self._read(run_id), lease)

    async def find(self, run_id: str) -> Run | None:
        found = await self._connection.execute(select(runs).where(runs.c.id == run_id))
        row = found.one_or_none()
        return to_run(row) if row else None

    async def renew(self, run: Run, lease: Lease) -> Run:
        await renew(
            self._connection,
            runs,
            runs.c.id == run.id,
            lease,
            done=run.done,
            total=run.total,
            phase=run.phase,
        )
        return await self._read(run.id)

    async def end(self, run: Run, lease: Lease) -> Run:
        run = await self._as_asked(run, lease)
        await release(
            self._connection,
            runs,
            runs.c.id == run.id,
            lease,
            state=run.state,
            stats=asdict(run.stats),
            report=None if run.report is None else asdict(run.report),
            version=run.version,
            done=run.done,
            total=run.total,
            phase=run.phase,
            error_reason=run.error_reason,
            error_message=run.error_message,
            end_time=func.now(),
        )
        return await self._read(run.id)

    async def put_back(
        self, run: Run, lease: Lease, delay: timedelta, *, counts: bool = True
    ) -> None:
        # An expiry without an owner: nobody takes it before that.
        done = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run.id, held(runs, lease))
            .values(
                state=_unless_cancelling(RunState.QUEUED),
                attempt=runs.c.attempt if counts else runs.c.attempt - 1,
                error_reason=run.error_reason,
                error_message=run.error_message,
                lease_owner=None,
                lease_expire_time=func.clock_timestamp() + delay,
            )
        )
        if done.rowcount == 0:
            raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")

    async def waiting(self, max_attempts: int) -> list[str]:
        unheld = free(runs) & runs.c.state.in_(ACTIVE)
        await self._connection.execute(
            update(runs)
            .where(unheld, runs.c.attempt >= max_attempts)
            .values(
                state=case(
                    (runs.c.state == RunState.CANCELLING, RunState.CANCELLED.value),
                    else_=RunState.FAILED.value,
                ),
                error_reason="WORKER_LOST",
                error_message=f"its worker was lost; it was tried {max_attempts} times",
                end_time=func.now(),
                # A worker that is only slow must find that the run is no longer its own.
                lease_owner=None,
                lease_expire_time=None,
            )
        )
        found = await self._connection.execute(
            select(runs.c.id)
            .where(unheld)
            # Somebody waits for those that were asked for.
            .order_by(runs.c.trigger != Trigger.DEMAND, runs.c.create_time)
            .limit(100)
        )
        return [row.id for row in found]

    async def _as_asked(self, run: Run, lease: Lease) -> Run:
        """The run as it is to end: cancelled, if somebody asked for that before the very end."""
        found = await self._connection.execute(
            select(runs.c.state).where(runs.c.id == run.id, held(runs, lease)).with_for_update()
        )
        if found.scalar_one_or_none() != RunState.CANCELLING:
            return run
        return replace(
            run,
            state=RunState.CANCELLED,
            version=0,
            stats=Stats(),
            report=None,
            error_reason="",
            error_message="",
        )

    async def _read(self, run_id: str) -> Run:
        found = await self._connection.execute(select(runs).where(runs.c.id == run_id))
        return to_run(found.one())


def _unless_cancelling(state: RunState) -> Any:
    """``state``, unless the run is to be cancelled: its next worker finds that out and ends it."""
    asked = runs.c.state == RunState.CANCELLING
    return case((asked, literal(RunState.CANCELLING.value)), else_=literal(state.value))
