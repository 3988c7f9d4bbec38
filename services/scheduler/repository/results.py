"""What posts reached, in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.counts import Counts, Reached
from services.scheduler.ports import Look, OnChannel
from services.scheduler.tables import CHANNELS, POST_RESULTS, POSTS, PUBLICATIONS, RESULT_LOOKS

_C = RESULT_LOOKS.c
_R = POST_RESULTS.c
_P = PUBLICATIONS.c
_COUNTS: Final = tuple(field.name for field in fields(Counts))
_ON_CHANNEL = sa.and_(CHANNELS.c.persona_id == _P.persona_id, CHANNELS.c.id == _P.channel_id)

# Every page of posts asks for it, so it is a constant; see ``libs.db.constants``.
_LATEST = (
    sa.select(*_R)
    .ext(distinct_on(_R.publication_id))
    .where(
        _R.publication_id
        == sa.any_(sa.bindparam("publications", type_=ARRAY(_R.publication_id.type)))
    )
    .order_by(_R.publication_id, _R.collect_time.desc())
)


class ResultRepository:
    """See ``ports.Results``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def watch(self, since: datetime, now: datetime, first: timedelta) -> None:
        """See Results."""
        due = sa.func.greatest(_P.posted_time + first, now)
        new = (
            sa.select(_P.id, due)
            .join(CHANNELS, _ON_CHANNEL)
            .join(POSTS, POSTS.c.id == _P.post_id)
            .where(
                _P.state == "posted",
                _P.posted_time >= since,
                _P.provider == CHANNELS.c.provider,
                # The external id of an imported post stands in for one that nobody told.
                _P.provider_post_id != POSTS.c.external_id,
                ~sa.exists().where(_C.publication_id == _P.id),
            )
        )
        columns = [_C.publication_id, _C.next_time]
        await self._connection.execute(
            insert(RESULT_LOOKS).from_select(columns, new).on_conflict_do_nothing()
        )

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Look]:
        """See Results."""
        due = (
            sa.select(_C.publication_id)
            .where(_C.next_time <= now)
            .order_by(_C.next_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        batch = sa.select(CHANNELS.c.batch).where(_ON_CHANNEL).scalar_subquery()
        statement = (
            RESULT_LOOKS.update()
            .where(_C.publication_id.in_(due), _P.id == _C.publication_id)
            .values(next_time=until)
            .returning(_P.id, batch.label("batch"), _P.provider_post_id, _P.posted_time)
        )
        found = await self._connection.execute(statement)
        return [Look(id, batch or "", remote, at) for id, batch, remote, at in found]

    async def keep(self, publication: str, reached: Reached) -> None:
        """See Results."""
        row = {
            "publication_id": publication,
            "collect_time": reached.collected_at,
            **asdict(reached.counts),
        }
        await self._connection.execute(insert(POST_RESULTS).values(row).on_conflict_do_nothing())

    async def postpone(self, publication: str, until: datetime | None) -> None:
        """See Results."""
        statement = RESULT_LOOKS.update().where(_C.publication_id == publication)
        await self._connection.execute(statement.values(next_time=until))

    async def latest(self, publications: Collection[str]) -> Mapping[str, Reached]:
        """See Results."""
        found = await self._connection.execute(_LATEST, {"publications": list(publications)})
        return {row.publication_id: Reached(_counts(row), row.collect_time) for row in found}

    async def of_persona(
        self, persona: str, start: datetime, end: datetime, age: timedelta, limit: int
    ) -> Sequence[OnChannel]:
        """See Results."""
        wanted = _P.posted_time + age
        off = sa.func.abs(sa.extract("epoch", _R.collect_time - wanted))
        nearest = (
            sa.select(*_R)
            .where(
                _R.publication_id == _P.id,
                _R.collect_time.between(_P.posted_time + age / 2, _P.posted_time + age * 2),
            )
            .order_by(off)
            .limit(1)
            .lateral("nearest")
        )
        rows = (
            sa.select(_P.post_id, POSTS.c.pillar, _P.posted_time, _P.channel_id, *nearest.c)
            .select_from(PUBLICATIONS)
            .join(POSTS, POSTS.c.id == _P.post_id)
            .outerjoin(nearest, sa.true())
            .where(
                _P.persona_id == persona,
                _P.state == "posted",
                _P.posted_time >= start,
                _P.posted_time < end,
            )
            .order_by(_P.posted_time.desc(), _P.id)
            .limit(limit)
        )
        return [_on_channel(row) for row in await self._connection.execute(rows)]


def _on_channel(row: Any) -> OnChannel:
    counts = None if row.publication_id is None else _counts(row)
    return OnChannel(row.post_id, row.pillar, row.posted_time, row.channel_id, counts)


def _counts(row: Any) -> Counts:
    return Counts(**{name: getattr(row, name) for name in _COUNTS})
