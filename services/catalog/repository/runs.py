"""Runs in PostgreSQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import NotFound
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.catalog.domain.names import RUN, Key
from services.catalog.domain.run import Run, RunState
from services.catalog.ports import Listing
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import all_of, compared, read_page, same
from services.catalog.tables import RUNS

_C = RUNS.c


class RunRepository:
    """See ``ports.Runs``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, run: Run) -> None:
        """See Runs."""
        await self._connection.execute(
            RUNS.insert().values(
                persona_id=run.persona,
                id=run.id,
                display_name=run.display_name,
                pillar_id=run.pillar or None,
                suggestion_id=run.suggestion or None,
                prompt=run.prompt,
                state=run.state,
                create_time=run.create_time,
                update_time=run.update_time,
                version=run.version,
            )
        )

    async def get(self, key: Key) -> Run:
        """See Runs."""
        rows = RUNS.select().where(_C.persona_id == key.persona, _C.id == key.id)
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise NotFound("run", RUN.format(*key))
        return _run(found)

    async def page(self, persona: str, listing: Listing) -> Page[Run]:
        """See Runs."""
        conditions = all_of(listing.conditions, _meaning)
        rows = RUNS.select().where(_C.persona_id == persona, *conditions)
        page = await read_page(self._connection, rows, RUNS, listing, _run)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    """An empty pillar stands for runs without one."""
    columns = {"pillar": _C.pillar_id, "suggestion": _C.suggestion_id}
    column = columns.get(condition.field)
    return compared(_C.state, condition) if column is None else same(column, condition)


def _run(row: Any) -> Run:
    return Run(
        persona=row.persona_id,
        id=row.id,
        create_time=row.create_time,
        update_time=row.update_time,
        display_name=row.display_name,
        pillar=row.pillar_id or "",
        suggestion=row.suggestion_id or "",
        prompt=row.prompt,
        state=RunState(row.state),
        version=row.version,
    )
