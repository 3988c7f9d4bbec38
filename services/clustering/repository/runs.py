"""Clustering runs in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.run import (
    ACTIVE,
    ENDED,
    Algorithm,
    Mode,
    Run,
    RunFilter,
    RunParams,
    RunReport,
    RunState,
    Stats,
    Trigger,
)
from services.clustering.tables import runs


class RunRepository:
    """See ports.Runs."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, run: Run) -> Run:
        values = {
            "id": run.id,
            "scope": run.scope,
            "mode": run.mode,
            "algorithm": run.algorithm,
            "params": {
                name: value for name, value in asdict(run.params).items() if value is not None
            },
            "filter": _filter_row(run.filter),
            "shadow": run.shadow,
            "trigger": run.trigger,
            "state": run.state,
            "create_time": run.create_time,
        }
        statement = insert(runs).values(values).on_conflict_do_nothing().returning(*runs.c)
        while True:
            # The one in the way may end just before it is read; then ours has room.
            row = (await self._connection.execute(statement)).one_or_none()
            row = row or await self._active(run.scope)
            if row is not None:
                return to_run(row)

    async def forget(self, before: datetime, limit: int) -> int:
        old = (
            select(runs.c.id).where(runs.c.state.in_(ENDED), runs.c.end_time < before).limit(limit)
        )
        done = await self._connection.execute(delete(runs).where(runs.c.id.in_(old)))
        return done.rowcount

    async def _active(self, scope: str) -> Row[Any] | None:
        found = await self._connection.execute(
            select(runs).where(runs.c.scope == scope, runs.c.state.in_(ACTIVE))
        )
        return found.one_or_none()

    async def get(self, scope: str, run_id: str, *, lock: bool = False) -> Run | None:
        statement = select(runs).where(runs.c.id == run_id, runs.c.scope == scope)
        if lock:
            statement = statement.with_for_update()
        row = (await self._connection.execute(statement)).one_or_none()
        return to_run(row) if row else None

    async def list(
        self, scope: str, page: PageRequest, conditions: Sequence[Condition] = ()
    ) -> Page[Run]:
        statement = (
            select(runs)
            .where(runs.c.scope == scope, *(_clause(condition) for condition in conditions))
            .order_by(runs.c.create_time.desc(), runs.c.id.desc())
            .limit(page.size + 1)
        )
        if page.after:
            moment, run_id = page.after
            after = tuple_(datetime.fromisoformat(str(moment)), literal(run_id, runs.c.id.type))
            statement = statement.where(tuple_(runs.c.create_time, runs.c.id) < after)
        found = [to_run(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.create_time.isoformat(), last.id))

    async def cancel(self, run: Run) -> Run:
        ended = func.now() if run.state is RunState.CANCELLED else None
        changed = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run.id)
            .values(state=run.state, end_time=ended)
            .returning(*runs.c)
        )
        return to_run(changed.one())


def _clause(condition: Condition) -> ColumnElement[bool]:
    column = runs.c[condition.field]
    if condition.op == "=":
        return column == condition.value
    return column != condition.value


def _filter_row(chosen: RunFilter) -> dict[str, Any]:
    row: dict[str, Any] = {"sources": chosen.sources} if chosen.sources else {}
    return row | ({"since": chosen.since.isoformat()} if chosen.since else {})


def _filter_of(row: dict[str, Any]) -> RunFilter:
    since = row.get("since")
    moment = datetime.fromisoformat(since) if since else None
    return RunFilter(tuple(row.get("sources", ())), moment)


def _report_of(row: dict[str, Any] | None) -> RunReport | None:
    return None if row is None else RunReport(**{**row, "sizes": tuple(row["sizes"])})


def to_run(row: Row[Any]) -> Run:
    """A run from its row."""
    return Run(
        id=row.id,
        scope=row.scope,
        mode=Mode(row.mode),
        create_time=row.create_time,
        algorithm=Algorithm(row.algorithm),
        params=RunParams(**row.params),
        filter=_filter_of(row.filter),
        shadow=row.shadow,
        trigger=Trigger(row.trigger),
        state=RunState(row.state),
        done=row.done,
        total=row.total,
        phase=row.phase,
        error_reason=row.error_reason,
        error_message=row.error_message,
        stats=Stats(**row.stats),
        report=_report_of(row.report),
        version=row.version,
        attempt=row.attempt,
        start_time=row.start_time,
        end_time=row.end_time,
    )
