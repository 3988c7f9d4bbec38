"""What people decided about pairs of items, in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.verdict import Verdict
from services.clustering.ports.duplicates import Review
from services.clustering.repository.arrays import among
from services.clustering.tables import duplicate_reviews

_R = duplicate_reviews.c


class ReviewRepository:
    """See duplicate_ports.Reviews."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, reviews: Sequence[Review]) -> Mapping[tuple[str, str], Review]:
        rows = {(review.first, review.second): asdict(review) for review in reviews}
        # In one order everywhere, so that no two wait for each other.
        statement = insert(duplicate_reviews).values([rows[pair] for pair in sorted(rows)])
        kept = await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["first", "second"],
                set_={
                    "decision": statement.excluded.decision,
                    "create_time": statement.excluded.create_time,
                },
            ).returning(*_R)
        )
        found = [_review(row) for row in kept]
        return {(review.first, review.second): review for review in found}

    async def of(self, names: Iterable[str]) -> Sequence[Review]:
        chosen = list(names)
        either = or_(among(_R.first, chosen), among(_R.second, chosen))
        return await self._read(select(duplicate_reviews).where(either))

    async def list(self, scope: str, page: PageRequest) -> Page[Review]:
        statement = (
            select(duplicate_reviews)
            .where(_R.scope == scope)
            .order_by(_R.create_time, _R.id)
            .limit(page.size + 1)
        )
        if page.after:
            moment, id = page.after
            after = tuple_(datetime.fromisoformat(str(moment)), literal(id, _R.id.type))
            statement = statement.where(tuple_(_R.create_time, _R.id) > after)
        found = await self._read(statement)
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.create_time.isoformat(), last.id))

    async def delete(self, scope: str, id: str) -> tuple[str, str] | None:
        statement = delete(duplicate_reviews).where(_R.scope == scope, _R.id == id)
        gone = await self._connection.execute(statement.returning(_R.first, _R.second))
        row = gone.one_or_none()
        return (row.first, row.second) if row else None

    async def _read(self, statement: Select[Any]) -> Sequence[Review]:
        return [_review(row) for row in await self._connection.execute(statement)]


def _review(row: Row[Any]) -> Review:
    return Review(row.id, row.scope, row.first, row.second, Verdict(row.decision), row.create_time)
