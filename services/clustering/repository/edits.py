"""What people changed, in PostgreSQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, literal, null, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
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

    async def add(self, edit: Edit, before: Before) -> None:
        await self._connection.execute(
            insert(cluster_edits).values(
                id=edit.id,
                scope=edit.scope,
                kind=edit.kind,
                clusters=list(edit.clusters),
                item_count=edit.item_count,
                create_time=edit.create_time,
                before=before.to_json(),
            )
        )

    async def get(self, scope: str, edit_id: str) -> Edit | None:
        found = await self._connection.execute(
            select(*_SHOWN).where(cluster_edits.c.id == edit_id, cluster_edits.c.scope == scope)
        )
        row = found.one_or_none()
        return _edit(row) if row else None

    async def before(self, edit: Edit) -> Before:
        found = await self._connection.execute(
            select(cluster_edits.c.before).where(cluster_edits.c.id == edit.id)
        )
        return Before.from_json(found.scalar_one())

    async def later(self, edit: Edit) -> str | None:
        after = tuple_(literal(edit.create_time), literal(edit.id, cluster_edits.c.id.type))
        found = await self._connection.execute(
            select(cluster_edits.c.id)
            .where(cluster_edits.c.scope == edit.scope, cluster_edits.c.undo_time.is_(None))
            .where(tuple_(*_PLACE) > after)
            .where(cluster_edits.c.clusters.overlap(_ids(edit.clusters)))
            .order_by(*(column.desc() for column in _PLACE))
            .limit(1)
        )
        id: str | None = found.scalar_one_or_none()
        return id

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

    async def set_undone(self, edit: Edit) -> None:
        await self._connection.execute(
            update(cluster_edits)
            .where(cluster_edits.c.id == edit.id)
            .values(undo_time=edit.undo_time, before=null())
        )

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
