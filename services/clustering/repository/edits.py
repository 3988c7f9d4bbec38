"""What people changed, in PostgreSQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, literal, null, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.edit import Before, Edit, EditKind
from services.clustering.tables import cluster_edits

_SHOWN = [column for column in cluster_edits.c if column is not cluster_edits.c.before]
_PLACE = (cluster_edits.c.create_time, cluster_edits.c.id)


class EditRepository:
    """See ports.Edits."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, scope: str, edit_id: str) -> Edit | None:
        found = await self._connection.execute(
            select(*_SHOWN).where(cluster_edits.c.id == edit_id, cluster_edits.c.scope == scope)
        )
        row = found.one_or_none()
        return _edit(row) if row else None

    async def to_undo(self, scope: str, edit_id: str) -> tuple[Edit, Before, str | None] | None:
        after = cluster_edits.alias("after")
        overlaid = (
            select(after.c.id)
            .where(after.c.scope == cluster_edits.c.scope, after.c.undo_time.is_(None))
            .where(tuple_(after.c.create_time, after.c.id) > tuple_(*_PLACE))
            .where(after.c.clusters.overlap(cluster_edits.c.clusters))
            .order_by(after.c.create_time.desc(), after.c.id.desc())
            .limit(1)
        )
        found = await self._connection.execute(
            select(cluster_edits, overlaid.scalar_subquery().label("later")).where(
                cluster_edits.c.id == edit_id, cluster_edits.c.scope == scope
            )
        )
        row = found.one_or_none()
        if row is None:
            return None
        before = Before() if row.before is None else Before.from_json(row.before)
        return _edit(row), before, row.later

    async def list(self, scope: str, cluster_id: str, page: PageRequest) -> Page[Edit]:
        statement = (
            select(*_SHOWN)
            .where(cluster_edits.c.scope == scope)
            .order_by(*(column.desc() for column in _PLACE))
            .limit(page.size + 1)
        )
        if cluster_id:
            statement = statement.where(cluster_edits.c.clusters.contains(_ids([cluster_id])))
        if page.after:
            moment, edit_id = page.after
            after = tuple_(
                datetime.fromisoformat(str(moment)), literal(edit_id, cluster_edits.c.id.type)
            )
            statement = statement.where(tuple_(*_PLACE) < after)
        found = [_edit(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.create_time.isoformat(), last.id))

    async def forget(self, older: datetime) -> None:
        await self._connection.execute(
            update(cluster_edits)
            .where(cluster_edits.c.before.is_not(None), cluster_edits.c.create_time < older)
            .values(before=null())
        )


def _ids(ids: Any) -> Any:
    return literal(list(ids), cluster_edits.c.clusters.type)


def _edit(row: Row[Any]) -> Edit:
    return Edit(
        id=row.id,
        scope=row.scope,
        kind=EditKind(row.kind),
        clusters=tuple(row.clusters),
        item_count=row.item_count,
        create_time=row.create_time,
        undo_time=row.undo_time,
    )
