"""Assignments of clusters to pillars in PostgreSQL."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.pillars import Assignment
from services.clustering.tables import cluster_pillars

_PLACE = (cluster_pillars.c.create_time, cluster_pillars.c.cluster_id, cluster_pillars.c.pillar)


class PillarRepository:
    """See ports.Pillars."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, assignment: Assignment) -> Assignment:
        statement = insert(cluster_pillars).values(asdict(assignment))
        kept = await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["cluster_id", "pillar"],
                set_={"primary": assignment.primary, "notes": assignment.notes},
            ).returning(*cluster_pillars.c)
        )
        return _assignment(kept.one())

    async def delete(self, cluster_id: str, pillar: str) -> bool:
        done = await self._connection.execute(
            delete(cluster_pillars).where(
                cluster_pillars.c.cluster_id == cluster_id, cluster_pillars.c.pillar == pillar
            )
        )
        return done.rowcount == 1

    async def get(self, cluster_id: str, pillar: str) -> Assignment | None:
        return await self._one(
            cluster_pillars.c.cluster_id == cluster_id, cluster_pillars.c.pillar == pillar
        )

    async def primary(self, cluster_id: str) -> Assignment | None:
        return await self._one(
            cluster_pillars.c.cluster_id == cluster_id, cluster_pillars.c.primary
        )

    async def list(
        self, scope: str, cluster_id: str, pillar: str, page: PageRequest
    ) -> Page[Assignment]:
        statement = (
            select(cluster_pillars)
            .where(cluster_pillars.c.scope == scope)
            .order_by(*_PLACE)
            .limit(page.size + 1)
        )
        if cluster_id:
            statement = statement.where(cluster_pillars.c.cluster_id == cluster_id)
        if pillar:
            statement = statement.where(cluster_pillars.c.pillar == pillar)
        if page.after:
            moment, id, name = page.after
            after = tuple_(
                datetime.fromisoformat(str(moment)),
                literal(id, cluster_pillars.c.cluster_id.type),
                str(name),
            )
            statement = statement.where(tuple_(*_PLACE) > after)
        found = [_assignment(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        key = (last.create_time.isoformat(), last.cluster_id, last.pillar)
        return Page(found[: page.size], key)

    async def _one(self, *where: Any) -> Assignment | None:
        found = await self._connection.execute(select(cluster_pillars).where(*where))
        row = found.one_or_none()
        return _assignment(row) if row else None


def _assignment(row: Row[Any]) -> Assignment:
    return Assignment(**row._mapping)
