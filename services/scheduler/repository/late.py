"""What is late, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.lateness import GRACE, PROVIDER_GRACE, Lateness, LatePublication
from services.scheduler.domain.names import PUBLICATION
from services.scheduler.tables import LATE_PUBLICATIONS, PUBLICATIONS

_C = PUBLICATIONS.c
_T = LATE_PUBLICATIONS.c
# As in the index publications_unfinished.
_ENDED_WELL = ("draft", "posted", "failed", "cancelled")
_REASONS = {
    Lateness.WAITING: ("ready", "retry_wait"),
    Lateness.UNKNOWN: ("submitting", "unknown", "reconciling"),
    Lateness.AT_PROVIDER: ("scheduled", "publishing"),
    Lateness.NEEDS_REVIEW: ("needs_review",),
    Lateness.MISSED: ("missed",),
}
_WHY = sa.case(
    *((_C.state.in_(states), sa.literal(why.value)) for why, states in _REASONS.items())
).label("why")


class LateRepository:
    """See ``ports.LatePublications``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def counts(self, now: datetime) -> Mapping[Lateness, int]:
        """See LatePublications."""
        rows = sa.select(_WHY, sa.func.count()).where(_is_late(now)).group_by(_WHY)
        return {Lateness(why): count for why, count in await self._connection.execute(rows)}

    async def untold(self, now: datetime, limit: int) -> Sequence[LatePublication]:
        """See LatePublications."""
        is_still_late = sa.exists().where(_C.id == _T.publication_id, _is_late(now))
        await self._connection.execute(LATE_PUBLICATIONS.delete().where(~is_still_late))
        is_told = sa.exists().where(_T.publication_id == _C.id, _T.reason == _WHY.element)
        rows = (
            sa.select(_WHY, _C.id, _C.persona_id, _C.post_id, _C.due_time, _C.state_reason)
            .where(_is_late(now), ~is_told)
            .order_by(_C.due_time, _C.id)
            .limit(limit)
        )
        late = {row.id: row for row in await self._connection.execute(rows)}
        told = await self._told({row.id: row.why for row in late.values()})
        return [_late(row) for id, row in late.items() if id in told]

    async def _told(self, reasons: Mapping[str, str]) -> set[str]:
        """Those of the publications of which nobody else told meanwhile."""
        if not reasons:
            return set()
        new = insert(LATE_PUBLICATIONS).values(
            [{"publication_id": id, "reason": why} for id, why in reasons.items()]
        )
        statement = new.on_conflict_do_update(
            index_elements=[_T.publication_id],
            set_={"reason": new.excluded.reason},
            where=_T.reason != new.excluded.reason,
        ).returning(_T.publication_id)
        return set((await self._connection.execute(statement)).scalars())


def _is_late(now: datetime) -> sa.ColumnElement[bool]:
    # People may give a post another time on the provider's own pages.
    promised = sa.func.coalesce(_C.remote_due_time, _C.due_time)
    return sa.and_(
        _C.state.not_in(_ENDED_WELL),
        _C.due_time < now - GRACE,
        sa.or_(
            _C.state.not_in(_REASONS[Lateness.AT_PROVIDER]),
            promised < now - PROVIDER_GRACE,
        ),
    )


def _late(row: Any) -> LatePublication:
    name = PUBLICATION.format(row.persona_id, row.post_id, row.id)
    return LatePublication(name, Lateness(row.why), row.due_time, row.state_reason)
