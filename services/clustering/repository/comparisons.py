"""What is known of pairs of pictures, in PostgreSQL."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.verdict import Look, Verdict
from services.clustering.ports.duplicates import Comparison, Judged
from services.clustering.repository.arrays import among, rows_of
from services.clustering.tables import duplicate_pairs, duplicate_reviews, items

_P, _R = duplicate_pairs.c, duplicate_reviews.c
_LOOK = ("structure", "agreement", "overlap", "colour")
_COLUMNS = (_P.first, _P.second, _P.distance, _P.orientation, *(_P[name] for name in _LOOK))


class ComparisonRepository:
    """See duplicate_ports.Comparisons."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, scope: str, found: Iterable[Comparison]) -> None:
        new = {(each.first, each.second): each for each in found}
        if not new:
            return
        given = rows_of("given", _COLUMNS, (_row(new[pair]) for pair in sorted(new)))
        one, other = items.alias("one"), items.alias("other")
        there = (
            select(*given.c, one.c.scope)
            .join_from(given, one, one.c.name == given.c.first)
            .join(other, other.c.name == given.c.second)
            .where(one.c.state == "live", other.c.state == "live")
            .where(one.c.scope == scope, other.c.scope == scope)
        )
        names = [each.name for each in _COLUMNS]
        statement = insert(duplicate_pairs).from_select([*names, "scope"], there)
        # The orientation belongs to the look: without a new one, all stays as it is.
        newer = or_(statement.excluded.structure.is_not(None), _P.structure.is_(None))
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["first", "second"],
                set_={each.name: statement.excluded[each.name] for each in _COLUMNS[2:]},
                where=newer,
            )
        )

    async def of(self, names: Iterable[str]) -> list[Comparison]:
        chosen = list(names)
        found = await self._connection.execute(
            select(*_COLUMNS).where(or_(among(_P.first, chosen), among(_P.second, chosen)))
        )
        return [_comparison(row) for row in found]

    async def judged(self, scope: str) -> list[Judged]:
        compared = select(*_COLUMNS).where(_P.scope == scope).subquery()
        decided = select(_R.first, _R.second, _R.decision).where(_R.scope == scope).subquery()
        same = and_(compared.c.first == decided.c.first, compared.c.second == decided.c.second)
        found = await self._connection.execute(
            select(
                func.coalesce(compared.c.first, decided.c.first).label("first"),
                func.coalesce(compared.c.second, decided.c.second).label("second"),
                compared.c.first.is_not(None).label("compared"),
                *(compared.c[each.name] for each in _COLUMNS[2:]),
                decided.c.decision,
            ).select_from(compared.join(decided, same, full=True))
        )
        return [
            Judged(
                row.first,
                row.second,
                _comparison(row) if row.compared else None,
                Verdict(row.decision) if row.decision else None,
            )
            for row in found
        ]


def _row(comparison: Comparison) -> tuple[object, ...]:
    look = comparison.look
    shown = [getattr(look, name) for name in _LOOK] if look else [None] * len(_LOOK)
    names = comparison.first, comparison.second
    return (*names, comparison.distance, comparison.orientation, *shown)


def _comparison(row: Row[Any]) -> Comparison:
    look = None
    if row.structure is not None:
        look = Look(row.structure, row.agreement, row.overlap, row.colour)
    return Comparison(row.first, row.second, row.distance, row.orientation, look)
