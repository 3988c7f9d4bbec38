"""Calls to providers in PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.repository.statements import ROW, insert_of, update_of
from services.scheduler.tables import ATTEMPTS

_C = ATTEMPTS.c
_OF = ATTEMPTS.select().where(_C.publication_id == sa.bindparam("publication")).order_by(_C.number)


class AttemptRepository:
    """See ``ports.Attempts``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, attempt: Attempt) -> None:
        """See Attempts."""
        row = {
            "id": attempt.id,
            "publication_id": attempt.publication,
            "number": attempt.number,
            "fingerprint": attempt.fingerprint,
            "request_hash": attempt.request_hash,
            "due_time": attempt.due_at,
            "start_time": attempt.started_at,
            "worker": attempt.worker,
            "token": attempt.token,
        }
        await self._connection.execute(insert_of(ATTEMPTS, tuple(row)), row)

    async def note(self, attempt: str, handle: str) -> None:
        """See Attempts."""
        statement = update_of(ATTEMPTS, ("handle",))
        await self._connection.execute(statement, {"handle": handle, ROW: attempt})

    async def finish(self, attempt: str, result: AttemptResult) -> None:
        """See Attempts."""
        values = {
            "end_time": result.ended_at,
            "outcome": result.outcome,
            "message": result.message,
            "provider_post_id": result.provider_post_id,
            "answer": None if result.answer is None else dict(result.answer),
        }
        statement = update_of(ATTEMPTS, tuple(values))
        await self._connection.execute(statement, {**values, ROW: attempt})

    async def of(self, publication: str) -> Sequence[Attempt]:
        """See Attempts."""
        found = await self._connection.execute(_OF, {"publication": publication})
        return [_attempt(row) for row in found]

    async def known(self, provider_post_ids: Collection[str]) -> dict[str, str]:
        """See Attempts."""
        rows = sa.select(_C.provider_post_id, _C.publication_id).where(
            _C.provider_post_id.in_(provider_post_ids)
        )
        found = await self._connection.execute(rows)
        return {row.provider_post_id: row.publication_id for row in found}


def _attempt(row: Any) -> Attempt:
    return Attempt(
        id=row.id,
        publication=row.publication_id,
        number=row.number,
        fingerprint=row.fingerprint,
        request_hash=row.request_hash,
        due_at=row.due_time,
        started_at=row.start_time,
        worker=row.worker,
        token=row.token,
        ended_at=row.end_time,
        handle=row.handle,
    )
