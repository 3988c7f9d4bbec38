"""Pairs of near items in PostgreSQL."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.item import ItemState, Pair
from services.clustering.repository.arrays import among, rows_of
from services.clustering.tables import items, near_pairs

_COLUMNS = (near_pairs.c.first, near_pairs.c.second, near_pairs.c.score)


class PairRepository:
    """See ports.Pairs."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, pairs: Iterable[Pair]) -> None:
        best = {(pair.first, pair.second): pair.score for pair in pairs}
        if not best:
            return
        given = rows_of("given", _COLUMNS, ((*names, best[names]) for names in sorted(best)))
        one, other = items.alias("one"), items.alias("other")
        there = (
            select(given.c.first, given.c.second, one.c.scope, given.c.score)
            .join_from(given, one, one.c.name == given.c.first)
            .join(other, other.c.name == given.c.second)
            .where(one.c.state != ItemState.DELETED, other.c.state != ItemState.DELETED)
        )
        statement = insert(near_pairs).from_select(["first", "second", "scope", "score"], there)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["first", "second"], set_={"score": statement.excluded.score}
            )
        )

    async def of(self, names: Iterable[str]) -> list[Pair]:
        chosen = list(names)
        return await self._read(
            or_(among(near_pairs.c.first, chosen), among(near_pairs.c.second, chosen))
        )

    async def above(self, scope: str, min_score: float) -> list[Pair]:
        return await self._read(near_pairs.c.scope == scope, near_pairs.c.score >= min_score)

    async def _read(self, *conditions: ColumnElement[bool]) -> list[Pair]:
        statement = (
            select(*_COLUMNS).where(*conditions).order_by(near_pairs.c.first, near_pairs.c.second)
        )
        found = await self._connection.execute(statement)
        return [Pair(row.first, row.second, row.score) for row in found]
