"""Pairs of near items in PostgreSQL."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.item import Pair
from services.clustering.repository.arrays import among, rows_of
from services.clustering.tables import items, near_pairs

_COLUMNS = (near_pairs.c.first, near_pairs.c.second, near_pairs.c.score)


class PairRepository:
    """See ports.Pairs."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, collection: str, pairs: Iterable[Pair]) -> None:
        best = {(pair.first, pair.second): pair.score for pair in pairs}
        if not best:
            return
        given = rows_of("given", _COLUMNS, ((*names, best[names]) for names in sorted(best)))
        one, other = items.alias("one"), items.alias("other")
        there = (
            select(literal(collection), given.c.first, given.c.second, one.c.scope, given.c.score)
            .join_from(given, one, one.c.name == given.c.first)
            .join(other, other.c.name == given.c.second)
            .where(one.c.state == "live", other.c.state == "live")
        )
        columns = ["collection", "first", "second", "scope", "score"]
        statement = insert(near_pairs).from_select(columns, there)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["collection", "first", "second"],
                set_={"score": statement.excluded.score},
            )
        )

    async def of(self, collection: str, names: Iterable[str]) -> list[Pair]:
        chosen = list(names)
        return await self._read(
            near_pairs.c.collection == collection,
            or_(among(near_pairs.c.first, chosen), among(near_pairs.c.second, chosen)),
        )

    async def above(self, collection: str, scope: str, min_score: float) -> list[Pair]:
        return await self._read(
            near_pairs.c.collection == collection,
            near_pairs.c.scope == scope,
            near_pairs.c.score >= min_score,
        )

    async def _read(self, *conditions: ColumnElement[bool]) -> list[Pair]:
        statement = (
            select(*_COLUMNS).where(*conditions).order_by(near_pairs.c.first, near_pairs.c.second)
        )
        found = await self._connection.execute(statement)
        return [Pair(row.first, row.second, row.score) for row in found]
