"""Looks before the time, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.timing import PRECHECK_BEFORE
from services.scheduler.tables import PRECHECKS, PUBLICATIONS

_C = PRECHECKS.c
_P = PUBLICATIONS.c
# Spelled as in the index, which no parameter matches.
_WAITING: list[sa.ColumnElement[Any]] = [
    sa.literal_column(f"'{state}'")
    for state in (PublicationState.READY, PublicationState.RETRY_WAIT)
]


class PrecheckRepository:
    """See ``ports.Prechecks``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(self, now: datetime, limit: int) -> Sequence[str]:
        """See Prechecks."""
        due = (
            sa.select(_P.id, _P.due_time)
            .outerjoin(PRECHECKS, _C.publication_id == _P.id)
            .where(
                _P.state.in_(_WAITING),
                _P.due_time > now,
                _P.due_time <= now + max(PRECHECK_BEFORE),
                sa.or_(
                    _C.check_time.is_(None),
                    *(
                        sa.and_(_P.due_time <= now + before, _C.check_time < _P.due_time - before)
                        for before in PRECHECK_BEFORE
                    ),
                ),
            )
            .order_by(_P.due_time)
            .limit(limit)
            .with_for_update(skip_locked=True, of=PUBLICATIONS)
            .cte("due")
        )
        looked = insert(PRECHECKS).from_select(
            ["publication_id", "check_time"],
            sa.select(due.c.id, sa.literal(now, _C.check_time.type)),
        )
        looked = looked.on_conflict_do_update(
            index_elements=[_C.publication_id], set_={"check_time": looked.excluded.check_time}
        )
        noted = looked.returning(_C.publication_id).cte("noted")
        rows = (
            sa.select(due.c.id)
            .join(noted, noted.c.publication_id == due.c.id)
            .order_by(due.c.due_time, due.c.id)
        )
        return (await self._connection.execute(rows)).scalars().all()
