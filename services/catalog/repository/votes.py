"""Votes in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.domain.names import Key
from services.catalog.domain.vote import Vote
from services.catalog.domain.voting import Ballot, pair_of
from services.catalog.ports import Pairing
from services.catalog.tables import VOTES

_C = VOTES.c
_UNDOING = VOTES.alias("undoing")
_RETRACTED = sa.exists().where(_UNDOING.c.retracts == _C.id)
_CAST = _C.retracts.is_(None)


class VoteRepository:
    """See ``ports.Votes``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, vote: Vote) -> None:
        """See Votes."""
        await self._connection.execute(VOTES.insert().values(_values(vote)))

    async def retract(self, vote: Vote, id: str, voter: str, now: datetime) -> None:
        """See Votes."""
        entry = {"id": id, "voter": voter, "create_time": now, "retracts": vote.id}
        await self._connection.execute(VOTES.insert().values(_values(vote) | entry))

    async def get(self, run: Key, id: str) -> Vote:
        """See Votes."""
        found = await self._connection.execute(_rows(run).where(_C.id == id))
        return _vote(found.one(), run)

    async def pairing(self, one: str, other: str) -> Pairing:
        """See Votes."""
        low, high = pair_of(one, other)
        undone = sa.func.count().filter(_C.retracts.is_not(None))
        rows = sa.select(undone, sa.func.count()).where(_C.low_id == low, _C.high_id == high)
        retractions, entries = (await self._connection.execute(rows)).one()
        return Pairing(retractions, entries > 2 * retractions)

    async def last_of(self, run: Key, voter: str) -> Vote | None:
        """See Votes."""
        rows = (
            _rows(run)
            .where(_C.voter == voter, _CAST, sa.not_(_RETRACTED))
            .order_by(_C.number.desc())
            .limit(1)
        )
        found = (await self._connection.execute(rows)).one_or_none()
        return None if found is None else _vote(found, run)

    async def ballots(self, run: Key) -> Sequence[Ballot]:
        """See Votes."""
        rows = (
            sa.select(_C.winner_id, _C.loser_id)
            .where(_C.run_id == run.id, _CAST, sa.not_(_RETRACTED))
            .order_by(_C.number)
        )
        return [Ballot(*row) for row in await self._connection.execute(rows)]

    async def recent(self, run: Key, count: int) -> tuple[Sequence[Vote], int]:
        """See Votes."""
        counting = sa.func.count().filter(sa.not_(_RETRACTED)).over().label("counting")
        rows = _rows(run).where(_CAST).add_columns(counting).order_by(_C.number.desc()).limit(count)
        found = (await self._connection.execute(rows)).all()
        return [_vote(row, run) for row in found], found[0].counting if found else 0


def _rows(run: Key) -> sa.Select[Any]:
    return sa.select(VOTES, _RETRACTED.label("retracted")).where(_C.run_id == run.id)


def _values(vote: Vote) -> dict[str, Any]:
    low, high = pair_of(vote.winner, vote.loser)
    return {
        "id": vote.id,
        "run_id": vote.run,
        "winner_id": vote.winner,
        "loser_id": vote.loser,
        "low_id": low,
        "high_id": high,
        "round": vote.round,
        "points": vote.points,
        "voter": vote.voter,
        "create_time": vote.create_time,
    }


def _vote(row: Any, run: Key) -> Vote:
    return Vote(
        persona=run.persona,
        run=row.run_id,
        id=row.id,
        winner=row.winner_id,
        loser=row.loser_id,
        points=row.points,
        voter=row.voter,
        create_time=row.create_time,
        round=row.round,
        retracted=row.retracted,
    )
