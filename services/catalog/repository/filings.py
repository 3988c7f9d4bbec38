"""Likeness and the inbox in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain.filing import Neighbour
from services.catalog.domain.names import Key
from services.catalog.domain.photo import EmbeddingState, FilingState, PhotoState
from services.catalog.ports.filing import Near
from services.catalog.tables import PHOTO_NEIGHBOURS, PHOTOS
from services.catalog.tables.base import ID

_C = PHOTOS.c
_N = PHOTO_NEIGHBOURS.c
_FILED = (FilingState.CONFIRMED, FilingState.PROPOSED)
_WAITS = sa.and_(_C.filing_state == FilingState.REVIEW, _C.state == PhotoState.ACTIVE)


class FilingRepository:
    """See ``ports.Filings``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def note(self, key: Key, nearest: Sequence[Near]) -> None:
        """See Filings. In one order, so that two of these cannot wait for each other."""
        if not nearest:
            return
        best = {near.photo: near for near in nearest}
        given = (
            sa.func.unnest(
                sa.cast([*best], ARRAY(ID)),
                sa.cast([near.similarity for near in best.values()], ARRAY(sa.REAL)),
                sa.cast([near.distance for near in best.values()], ARRAY(sa.REAL)),
            )
            .table_valued("photo", "similarity", "distance", name="given")
            .render_derived()
        )
        rows = (
            sa.select(sa.literal(key.id, ID), _C.id, given.c.similarity, given.c.distance)
            .join_from(given, PHOTOS, _C.id == given.c.photo)
            .where(_C.persona_id == key.persona, _C.id != key.id)
            .order_by(_C.id)
        )
        statement = insert(PHOTO_NEIGHBOURS).from_select([*_N.keys()], rows)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[_N.photo_id, _N.neighbour_id],
                set_={
                    "similarity": statement.excluded.similarity,
                    "distance": statement.excluded.distance,
                },
            )
        )

    async def neighbours(self, ids: Collection[str]) -> Mapping[str, Sequence[Neighbour]]:
        """See Filings. Of two edges between the same photos, the nearer one counts."""
        asked = sa.func.unnest(sa.cast(list(ids), ARRAY(ID))).column_valued("asked")
        ends = sa.union_all(
            _edges(asked, _N.photo_id, _N.neighbour_id), _edges(asked, _N.neighbour_id, _N.photo_id)
        ).subquery("ends")
        columns = (_C.pillar_id, _C.file_name, ends.c.similarity, ends.c.distance)
        rows = (
            sa.select(ends.c.photo, *columns, _C.filing_state)
            .ext(distinct_on(ends.c.photo, ends.c.other))
            .join_from(ends, PHOTOS, _C.id == ends.c.other)
            .where(_C.filing_state.in_(_FILED))
            .order_by(ends.c.photo, ends.c.other, ends.c.distance)
        )
        found: dict[str, list[Neighbour]] = {id: [] for id in ids}
        for row in await self._connection.execute(rows):
            found[row.photo].append(
                Neighbour(
                    row.pillar_id,
                    row.file_name,
                    row.similarity,
                    row.distance,
                    row.filing_state == FilingState.CONFIRMED,
                )
            )
        return found

    async def inbox(self, persona: str, after: str, count: int) -> Sequence[str]:
        """See Filings."""
        rows = sa.select(_C.id).where(_C.persona_id == persona, _WAITS).order_by(_C.id)
        if after:
            rows = rows.where(_C.id > after)
        return (await self._connection.execute(rows.limit(count))).scalars().all()

    async def inbox_near(self, persona: str, ids: Collection[str]) -> Sequence[str]:
        """See Filings."""
        asked = sa.func.unnest(sa.cast(list(ids), ARRAY(ID))).column_valued("asked")
        near = sa.union(
            sa.select(_N.photo_id).where(_N.neighbour_id.in_(sa.select(asked))),
            sa.select(_N.neighbour_id).where(_N.photo_id.in_(sa.select(asked))),
        )
        rows = sa.select(_C.id).where(_C.persona_id == persona, _WAITS, _C.id.in_(near))
        return (await self._connection.execute(rows.order_by(_C.id))).scalars().all()

    async def waiting(self, persona: str) -> int:
        """See Filings."""
        rows = sa.select(sa.func.count()).where(_C.persona_id == persona, _WAITS)
        return int((await self._connection.execute(rows)).scalar_one())

    async def accept(self, persona: str, least: float, now: datetime) -> int:
        """See Filings."""
        statement = (
            PHOTOS.update()
            .where(_C.persona_id == persona, _WAITS)
            .where(_C.filing_confidence >= least, _C.filing_confidence > 0)
            .values(filing_state=FilingState.CONFIRMED, update_time=now, version=_C.version + 1)
        )
        return (await self._connection.execute(statement)).rowcount

    async def overlooked(self, count: int) -> Sequence[Key]:
        """See Filings."""
        rows = (
            sa.select(_C.persona_id, _C.id)
            .where(_C.filing_state == FilingState.PENDING)
            .where(_C.embedding_state != EmbeddingState.PENDING)
            .limit(count)
        )
        return [Key(*row) for row in await self._connection.execute(rows)]


def _edges(
    asked: sa.ColumnElement[str], here: sa.ColumnElement[str], there: sa.ColumnElement[str]
) -> sa.Select[tuple[str, str, float, float]]:
    return (
        sa.select(here.label("photo"), there.label("other"), _N.similarity, _N.distance)
        .select_from(PHOTO_NEIGHBOURS)
        .where(here.in_(sa.select(asked)))
    )
