"""Where items are, changed by people in the newest version, in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.edit import Place
from services.clustering.repository.arrays import among, rows_of
from services.clustering.tables import cluster_versions, members

_COLUMNS = (
    members.c.item,
    members.c.cluster_id,
    members.c.similarity,
    members.c.position,
    members.c.duplicate_of,
    members.c.locked,
)

_PART = 5_000


class PlaceRepository:
    """See ports.Places."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, scope: str, version: int, items: Sequence[str]) -> list[Place]:
        here = and_(members.c.scope == scope, members.c.version == version)
        return await self._read(and_(here, among(members.c.item, items)))

    async def within(self, cluster_ids: Sequence[str], version: int) -> list[Place]:
        chosen = among(members.c.cluster_id, cluster_ids)
        return await self._read(and_(chosen, members.c.version == version))

    async def put(self, scope: str, version: int, places: Sequence[Place]) -> None:
        # In parts, so that each takes far less than a statement may.
        for start in range(0, len(places), _PART):
            await self._put(scope, version, places[start : start + _PART])

    async def take(self, scope: str, version: int, items: Sequence[str]) -> None:
        if items:
            await self._connection.execute(
                delete(members)
                .where(members.c.scope == scope, members.c.version == version)
                .where(among(members.c.item, items))
            )

    async def last(self, cluster_id: str, version: int) -> int:
        found = await self._connection.execute(
            select(func.coalesce(func.max(members.c.position), 0)).where(
                members.c.cluster_id == cluster_id, members.c.version == version
            )
        )
        return int(found.scalar_one())

    async def recount(self, scope: str, version: int, cluster_ids: Sequence[str]) -> None:
        given = rows_of("given", [cluster_versions.c.cluster_id], ((id,) for id in cluster_ids))
        here = and_(
            members.c.cluster_id == given.c.cluster_id,
            members.c.scope == scope,
            members.c.version == version,
        )
        cohesion = func.greatest(0.0, func.coalesce(func.avg(members.c.similarity), 0.0))
        counted = (
            select(
                given.c.cluster_id,
                literal(version),
                literal(scope),
                func.count(members.c.item),
                cohesion,
            )
            .outerjoin_from(given, members, here)
            .group_by(given.c.cluster_id)
        )
        names = ["cluster_id", "version", "scope", "member_count", "cohesion"]
        statement = insert(cluster_versions).from_select(names, counted)
        new = statement.excluded
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["cluster_id", "version"],
                set_={"member_count": new.member_count, "cohesion": new.cohesion},
            )
        )

    async def _put(self, scope: str, version: int, places: Sequence[Place]) -> None:
        given = rows_of("given", _COLUMNS, map(_values, places))
        names = ["scope", "version", *(column.name for column in _COLUMNS)]
        statement = insert(members).from_select(
            names, select(literal(scope), literal(version), *given.c)
        )
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["scope", "version", "item"],
                set_={column.name: statement.excluded[column.name] for column in _COLUMNS[1:]},
            )
        )

    async def _read(self, where: ColumnElement[bool]) -> list[Place]:
        found = await self._connection.execute(
            select(*_COLUMNS).where(where).order_by(members.c.position, members.c.item)
        )
        return [Place(**row._mapping) for row in found]


def _values(place: Place) -> tuple[Any, ...]:
    return tuple(getattr(place, column.name) for column in _COLUMNS)
