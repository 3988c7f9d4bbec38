"""Candidates in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.catalog.domain.candidate import Candidate, CandidateState
from services.catalog.domain.names import CandidateKey, Key, no_candidate
from services.catalog.ports import Listing
from services.catalog.repository.photo_rows import picture_of, picture_values
from services.catalog.repository.rows import all_of, compared, read_page
from services.catalog.tables import CANDIDATES, RUNS

_C = CANDIDATES.c
_BEST_FIRST = -_C.score


class CandidateRepository:
    """See ``ports.Candidates``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, candidate: Candidate) -> None:
        """See Candidates."""
        await self._connection.execute(CANDIDATES.insert().values(_values(candidate)))

    async def get(self, key: CandidateKey) -> Candidate:
        """See Candidates."""
        rows = _of_run(key.run_key).where(_C.id == key.id)
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise no_candidate(*key)
        return candidate_of(found, key.run_key)

    async def of_content(self, run: Key, sha256: str) -> Candidate | None:
        """See Candidates."""
        rows = _of_run(run).where(_C.sha256 == sha256)
        found = (await self._connection.execute(rows)).one_or_none()
        return None if found is None else candidate_of(found, run)

    async def locked(self, run: Key, ids: Collection[str]) -> Mapping[str, Candidate]:
        """See Candidates. In one order, so that two of these cannot wait for each other."""
        rows = _of_run(run).where(_C.id.in_(ids)).order_by(_C.id)
        found = await self._connection.execute(rows.with_for_update(of=CANDIDATES, key_share=True))
        return {row.id: candidate_of(row, run) for row in found}

    async def descendants(self, key: CandidateKey) -> Sequence[str]:
        """See Candidates."""
        grown = (
            sa.select(_C.id)
            .where(_C.run_id == key.run, _C.parent_id == key.id)
            .cte("grown", recursive=True)
        )
        further = sa.select(_C.id).where(_C.parent_id == grown.c.id)
        rows = sa.select(grown.union(further).c.id)
        return (await self._connection.execute(rows)).scalars().all()

    async def save(self, candidates: Sequence[Candidate]) -> None:
        """See Candidates. In one statement."""
        values = sa.values(
            sa.column("id", _C.id.type),
            sa.column("state", sa.Text),
            sa.column("score", sa.Integer),
            sa.column("votes", sa.Integer),
            sa.column("update_time", _C.update_time.type),
            name="new",
        ).data([(c.id, c.state, c.score, c.votes, c.update_time) for c in candidates])
        new = {
            name: sa.cast(values.c[name], _C[name].type)
            for name in ("state", "score", "votes", "update_time")
        }
        mine = _C.id == sa.cast(values.c.id, _C.id.type)
        await self._connection.execute(CANDIDATES.update().where(mine).values(new))

    async def page(self, run: Key, listing: Listing) -> Page[Candidate]:
        """See Candidates."""
        rows = _of_run(run).where(*all_of(listing.conditions, _meaning))
        leading = _BEST_FIRST if listing.order == "score" else None
        return await read_page(
            self._connection,
            rows,
            CANDIDATES,
            listing,
            lambda row: candidate_of(row, run),
            leading,
        )

    async def best(
        self, run: Key, count: int, *, by_score: bool
    ) -> tuple[Sequence[Candidate], int]:
        """See Candidates."""
        first = [_BEST_FIRST] if by_score else []
        rows = (
            _of_run(run)
            .add_columns(sa.func.count().over().label("in_all"))
            .order_by(*first, _C.create_time, _C.id)
            .limit(count)
        )
        found = (await self._connection.execute(rows)).all()
        return [candidate_of(row, run) for row in found], found[0].in_all if found else 0

    async def counted(self, run: Key) -> tuple[int, int]:
        """See Candidates."""
        active = sa.func.count().filter(_C.state == CandidateState.ACTIVE)
        rows = sa.select(sa.func.count(), active).where(_C.run_id == run.id)
        in_all, can = (await self._connection.execute(rows)).one()
        return in_all, can


def labelled(prefix: str) -> list[sa.Label[Any]]:
    """All columns of candidates, with ``prefix`` before their names."""
    return [column.label(prefix + column.name) for column in _C]


def candidate_of(row: Any, run: Key, prefix: str = "") -> Candidate:
    """The candidate of a row, whose columns have ``prefix`` before their names."""
    if prefix:
        values = row._mapping
        row = SimpleNamespace(**{column.name: values[prefix + column.name] for column in _C})
    return Candidate(
        persona=run.persona,
        run=row.run_id,
        id=row.id,
        picture=picture_of(row),
        create_time=row.create_time,
        update_time=row.update_time,
        file_name=row.file_name,
        step=row.step,
        parent=row.parent_id or "",
        state=CandidateState(row.state),
        score=row.score,
        votes=row.votes,
    )


def _of_run(run: Key) -> sa.Select[Any]:
    joined = CANDIDATES.join(RUNS, RUNS.c.id == _C.run_id)
    mine = (RUNS.c.persona_id == run.persona, RUNS.c.id == run.id)
    return sa.select(CANDIDATES).select_from(joined).where(*mine)


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    return compared(_C.state, condition)


def _values(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.id,
        "run_id": candidate.run,
        "step": candidate.step,
        "parent_id": candidate.parent or None,
        "state": candidate.state,
        "file_name": candidate.file_name,
        "score": candidate.score,
        "votes": candidate.votes,
        "create_time": candidate.create_time,
        "update_time": candidate.update_time,
        **picture_values(candidate.picture),
    }
