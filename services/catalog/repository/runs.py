"""Runs in PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.catalog.domain.candidate import IN
from services.catalog.domain.names import Key, no_pillar, no_run
from services.catalog.domain.run import Run, RunState
from services.catalog.ports import Contest, Listing
from services.catalog.repository.candidates import candidate_of, labelled
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import all_of, compared, read_page, same
from services.catalog.tables import CANDIDATES, RUNS

_C = RUNS.c
_WINNER = (
    sa.select(CANDIDATES.c.id)
    .where(CANDIDATES.c.run_id == _C.id, CANDIDATES.c.state == sa.literal_column("'WINNER'"))
    .correlate(RUNS)
    .scalar_subquery()
)
_ROWS = sa.select(RUNS, _WINNER.label("winner_id"))
_CANDIDATE = "candidate_"


class RunRepository:
    """See ``ports.Runs``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, run: Run) -> None:
        """See Runs."""
        values = {
            "persona_id": run.persona,
            "id": run.id,
            "suggestion_id": run.suggestion or None,
            "create_time": run.create_time,
            **_changing(run),
        }
        with _pillar_gone(run):
            await self._connection.execute(RUNS.insert().values(values))

    async def get(self, key: Key) -> Run:
        """See Runs."""
        return await self._one(_ROWS.where(_is(key)), key)

    async def locked(self, key: Key) -> Run:
        """See Runs."""
        # Two statements: one that waited for the lock sees the winner as it was before the waiting.
        await self._connection.execute(
            sa.select(_C.id).where(_is(key)).with_for_update(key_share=True)
        )
        return await self.get(key)

    async def pinned(self, key: Key) -> Run:
        """See Runs."""
        return await self._one(_ROWS.where(_is(key)).with_for_update(read=True, of=RUNS), key)

    async def save(self, run: Run) -> None:
        """See Runs."""
        with _pillar_gone(run):
            await self._connection.execute(RUNS.update().where(_is(run.key)).values(_changing(run)))

    async def page(self, persona: str, listing: Listing) -> Page[Run]:
        """See Runs."""
        conditions = all_of(listing.conditions, _meaning)
        return await self._page(
            _ROWS.where(_C.persona_id == persona, *conditions), persona, listing
        )

    async def without_photo(self, persona: str, listing: Listing) -> Page[Run]:
        """See Runs."""
        completed = sa.literal_column("runs.state = 'COMPLETED'", sa.Boolean)
        rows = _ROWS.where(
            _C.persona_id == persona, completed, _C.photo_id.is_(None), _WINNER.is_not(None)
        )
        return await self._page(rows, persona, listing)

    async def contest(self, key: Key) -> Contest:
        """See Runs."""
        candidates = sa.and_(
            CANDIDATES.c.run_id == _C.id,
            CANDIDATES.c.state.in_(IN),
        )
        rows = (
            _ROWS.add_columns(*labelled(_CANDIDATE))
            .select_from(RUNS.outerjoin(CANDIDATES, candidates))
            .where(_is(key))
            .order_by(CANDIDATES.c.create_time, CANDIDATES.c.id)
        )
        found = (await self._connection.execute(rows)).all()
        if not found:
            raise no_run(*key)
        there = [candidate_of(row, key, _CANDIDATE) for row in found if row.candidate_id]
        return Contest(_run(found[0]), there)

    async def of_photo(self, photo: Key) -> Run | None:
        """See Runs."""
        rows = (
            _ROWS.where(_C.persona_id == photo.persona, _C.photo_id == photo.id)
            .order_by(_C.create_time, _C.id)
            .limit(1)
        )
        found = (await self._connection.execute(rows)).one_or_none()
        return None if found is None else _run(found)

    async def shares_photo(self, run: Run) -> bool:
        """See Runs."""
        rows = sa.select(_C.id).where(_C.photo_id == run.photo, _C.id != run.id).limit(1)
        return (await self._connection.execute(rows)).first() is not None

    async def _one(self, rows: sa.Select[Any], key: Key) -> Run:
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise no_run(*key)
        return _run(found)

    async def _page(self, rows: sa.Select[Any], persona: str, listing: Listing) -> Page[Run]:
        page = await read_page(self._connection, rows, RUNS, listing, _run)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.persona_id == key.persona, _C.id == key.id)


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    """An empty pillar stands for runs without one."""
    columns = {"pillar": _C.pillar_id, "suggestion": _C.suggestion_id}
    column = columns.get(condition.field)
    return compared(_C.state, condition) if column is None else same(column, condition)


@contextmanager
def _pillar_gone(run: Run) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if violated(error) == "runs_pillar_fkey":
            raise no_pillar(run.persona, run.pillar) from error
        raise


def _changing(run: Run) -> dict[str, Any]:
    return {
        "display_name": run.display_name,
        "pillar_id": run.pillar or None,
        "cluster": run.cluster,
        "prompt": run.prompt,
        "state": run.state,
        "photo_id": run.photo or None,
        "photo_made": run.photo_made,
        "update_time": run.update_time,
        "version": run.version,
    }


def _run(row: Any) -> Run:
    return Run(
        persona=row.persona_id,
        id=row.id,
        create_time=row.create_time,
        update_time=row.update_time,
        display_name=row.display_name,
        pillar=row.pillar_id or "",
        suggestion=row.suggestion_id or "",
        cluster=row.cluster,
        prompt=row.prompt,
        state=RunState(row.state),
        winner=row.winner_id or "",
        photo=row.photo_id or "",
        photo_made=row.photo_made,
        version=row.version,
    )
