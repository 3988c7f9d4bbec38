"""Why photos were chosen, in PostgreSQL."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import NotFound
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.names import PLAN_DECISION, POST, Key, post_key
from services.scheduler.domain.plan_record import PlanRecord
from services.scheduler.domain.planning import Decision, Score, Strategy, VarietyRule
from services.scheduler.domain.slots import Slot
from services.scheduler.tables import PLAN_DECISIONS

_C = PLAN_DECISIONS.c


class DecisionRepository:
    """See ``ports.PlanDecisions``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: PlanRecord) -> None:
        """See PlanDecisions."""
        row = {
            "id": record.id,
            "persona_id": record.persona,
            "post_id": post_key(record.post).id,
            "strategy": record.strategy,
            "decision": _stored(record.decision),
            "create_time": record.create_time,
        }
        await self._connection.execute(PLAN_DECISIONS.insert().values(row))

    async def get(self, key: Key) -> PlanRecord:
        """See PlanDecisions."""
        rows = PLAN_DECISIONS.select().where(_C.id == key.id, _C.persona_id == key.persona)
        row = (await self._connection.execute(rows)).one_or_none()
        if row is None:
            raise NotFound("plan decision", PLAN_DECISION.format(*key))
        return _record(row)

    async def page(self, persona: str, page: PageRequest) -> Page[PlanRecord]:
        """See PlanDecisions."""
        rows = PLAN_DECISIONS.select().where(_C.persona_id == persona)
        if page.after is not None:
            time, id = page.after
            after = sa.tuple_(
                sa.literal(datetime.fromisoformat(str(time))), sa.literal(id, _C.id.type)
            )
            rows = rows.where(sa.tuple_(_C.create_time, _C.id) < after)
        rows = rows.order_by(_C.create_time.desc(), _C.id.desc()).limit(page.size + 1)
        found = [_record(row) for row in await self._connection.execute(rows)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.create_time.isoformat(), last.id))


def _stored(decision: Decision) -> dict[str, Any]:
    return {
        "at": decision.slot.at.isoformat(),
        "slot_reason": decision.slot.reason,
        "photo": decision.photo,
        "file_name": decision.file_name,
        "pillar": decision.pillar,
        "scene": decision.scene,
        "reason": decision.reason,
        "relaxed": decision.relaxed,
        "scores": [[s.pillar, s.weight, s.share, s.score, s.stock] for s in decision.scores],
        "refused": dict(decision.refused),
    }


def _record(row: Any) -> PlanRecord:
    kept = row.decision
    decision = Decision(
        slot=Slot(datetime.fromisoformat(kept["at"]), kept["slot_reason"]),
        photo=kept["photo"],
        file_name=kept["file_name"],
        pillar=kept["pillar"],
        scene=kept["scene"],
        reason=kept["reason"],
        relaxed=kept["relaxed"],
        scores=tuple(Score(*score) for score in kept["scores"]),
        refused={VarietyRule(rule): count for rule, count in kept["refused"].items()},
    )
    return PlanRecord(
        persona=row.persona_id,
        id=row.id,
        post=POST.format(row.persona_id, row.post_id),
        strategy=Strategy(row.strategy),
        decision=decision,
        create_time=row.create_time,
    )
