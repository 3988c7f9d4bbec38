"""Suggestion batches in PostgreSQL, for those who ask and for those who work."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import acquire, free, held, renew
from libs.lease import Lease, LeaseLost
from libs.rpc.paging import Page
from services.catalog.domain.names import Key, no_suggestion_batch
from services.catalog.domain.suggestion import Batch, BatchState, Trouble
from services.catalog.ports import Listing
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import read_page
from services.catalog.tables import SUGGESTION_BATCHES

_C = SUGGESTION_BATCHES.c
_ACTIVE = _C.state.in_((BatchState.QUEUED, BatchState.RUNNING))
_AGAIN_AFTER = timedelta(seconds=60)
_SWEPT_AT_ONCE = 100


class SuggestionBatchRepository:
    """See ``ports.SuggestionBatches``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, batch: Batch) -> None:
        """See SuggestionBatches."""
        await self._connection.execute(
            SUGGESTION_BATCHES.insert().values(
                persona_id=batch.persona,
                id=batch.id,
                count=batch.count,
                pillars=list(batch.pillars),
                gap_report_id=batch.gap_report,
                attempt=batch.attempt,
                written=batch.written,
                create_time=batch.create_time,
                **_outcome(batch),
            )
        )

    async def get(self, key: Key) -> Batch:
        """See SuggestionBatches."""
        rows = SUGGESTION_BATCHES.select().where(_C.persona_id == key.persona, _C.id == key.id)
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise no_suggestion_batch(*key)
        return _batch(found)

    async def page(self, persona: str, listing: Listing) -> Page[Batch]:
        """See SuggestionBatches."""
        rows = SUGGESTION_BATCHES.select().where(_C.persona_id == persona)
        page = await read_page(self._connection, rows, SUGGESTION_BATCHES, listing, _batch)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page


class BatchLedgerRepository:
    """See ``ports.BatchLedger``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, batch: str, owner: str, max_attempts: int) -> tuple[Batch, Lease] | None:
        """See BatchLedger."""
        row = sa.and_(_C.id == batch, _ACTIVE, _C.attempt < max_attempts)
        lease = await acquire(
            self._connection,
            SUGGESTION_BATCHES,
            row,
            owner,
            state=BatchState.RUNNING,
            attempt=_C.attempt + 1,
            trouble_reason="",
            trouble_message="",
        )
        if lease is None:
            return None
        found = await self._connection.execute(SUGGESTION_BATCHES.select().where(_C.id == batch))
        return _batch(found.one()), lease

    async def renew(self, batch: Batch, lease: Lease) -> None:
        """See BatchLedger."""
        await renew(self._connection, SUGGESTION_BATCHES, _C.id == batch.id, lease)

    async def count_one(self, batch: Batch, lease: Lease) -> Batch:
        """See BatchLedger."""
        return await self._write(batch, lease, {"written": _C.written + 1})

    async def end(self, batch: Batch, lease: Lease) -> None:
        """See BatchLedger."""
        # An expiry without an owner: nobody takes it before that.
        again = sa.func.clock_timestamp() + _AGAIN_AFTER
        expiry = again if batch.state is BatchState.QUEUED else None
        back = {"lease_owner": None, "lease_expire_time": expiry}
        await self._write(batch, lease, {**_outcome(batch), **back})

    async def give_back(self, batch: Batch, lease: Lease) -> None:
        """See BatchLedger."""
        untaken = {"state": BatchState.QUEUED, "attempt": _C.attempt - 1}
        await self._write(batch, lease, {**untaken, "lease_owner": None, "lease_expire_time": None})

    async def waiting(self, max_attempts: int) -> Sequence[str]:
        """See BatchLedger."""
        unheld = sa.and_(free(SUGGESTION_BATCHES), _ACTIVE)
        await self._connection.execute(
            SUGGESTION_BATCHES.update()
            .where(unheld, _C.attempt >= max_attempts)
            .values(
                state=BatchState.FAILED,
                trouble_reason="WORKER_LOST",
                trouble_message=f"its worker was lost; it was tried {max_attempts} times",
                end_time=sa.func.now(),
                # A worker that is only slow must find that the batch is no longer its own.
                lease_owner=None,
                lease_expire_time=None,
            )
        )
        rows = sa.select(_C.id).where(unheld).order_by(_C.create_time).limit(_SWEPT_AT_ONCE)
        return (await self._connection.execute(rows)).scalars().all()

    async def _write(self, batch: Batch, lease: Lease, values: dict[str, Any]) -> Batch:
        statement = (
            SUGGESTION_BATCHES.update()
            .where(_C.id == batch.id, held(SUGGESTION_BATCHES, lease))
            .values(values)
            .returning(*_C)
        )
        written = (await self._connection.execute(statement)).one_or_none()
        if written is None:
            raise LeaseLost(f"{lease.owner} lost its lease {lease.token}")
        return _batch(written)


def _outcome(batch: Batch) -> dict[str, Any]:
    return {
        "state": batch.state,
        "exhausted": batch.exhausted,
        "trouble_reason": batch.trouble.reason if batch.trouble else "",
        "trouble_message": batch.trouble.message if batch.trouble else "",
        "end_time": batch.end_time,
    }


def _batch(row: Any) -> Batch:
    trouble = Trouble(row.trouble_reason, row.trouble_message) if row.trouble_reason else None
    return Batch(
        persona=row.persona_id,
        id=row.id,
        create_time=row.create_time,
        gap_report=row.gap_report_id,
        count=row.count,
        pillars=tuple(row.pillars),
        state=BatchState(row.state),
        written=row.written,
        exhausted=row.exhausted,
        trouble=trouble,
        attempt=row.attempt,
        end_time=row.end_time,
    )
