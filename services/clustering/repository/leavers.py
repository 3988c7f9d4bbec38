"""Items on their way out, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.generation import FED
from services.clustering.domain.item import ItemState, Modality
from services.clustering.repository.arrays import among
from services.clustering.tables import (
    collections,
    item_vectors,
    items,
    leavers,
    near_pairs,
    scopes,
)

_NOTHING: Mapping[str, Any] = {"words": [], "prose": text("''::tsvector")}


class LeaverRepository:
    """See ports.Leavers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def close(self, names: Sequence[str]) -> None:
        await self._leave(names, {"state": "closed"})

    async def delete(self, names: Sequence[str]) -> None:
        await self._leave(names, {"state": "deleted", **_NOTHING})

    async def reopen(self, names: Sequence[str]) -> None:
        opened = (
            update(items)
            .where(among(items.c.name, names), items.c.state == "closed")
            .values(state="live")
            .returning(items.c.name, items.c.scope)
            .cte("opened")
        )
        waiting = (
            insert(item_vectors)
            .from_select(
                ["collection", "item", "scope"],
                select(collections.c.name, opened.c.name, opened.c.scope)
                .select_from(collections.join(opened, literal(True)))
                .where(collections.c.modality == Modality.TEXTS)
                .where(collections.c.state.in_(FED)),
            )
            .on_conflict_do_nothing()
            .cte("waiting")
        )
        await self._connection.execute(select(opened.c.name).add_cte(waiting))

    async def waiting(self, limit: int) -> Mapping[str, str]:
        found = await self._connection.execute(
            select(leavers.c.item, leavers.c.collection)
            .order_by(leavers.c.create_time, leavers.c.item)
            .limit(limit)
        )
        return {row.item: row.collection for row in found}

    async def of(self, names: Sequence[str]) -> Mapping[str, str]:
        found = await self._connection.execute(
            select(leavers.c.item, leavers.c.collection).where(
                among(leavers.c.item, names), leavers.c.collection != ""
            )
        )
        return {row.item: row.collection for row in found}

    async def within(self, scope: str) -> set[str]:
        found = await self._connection.execute(
            select(leavers.c.item)
            .join_from(leavers, items, items.c.name == leavers.c.item)
            .where(items.c.scope == scope)
        )
        return {*found.scalars()}

    async def set_left(self, names: Sequence[str]) -> None:
        await self._connection.execute(
            update(leavers).where(among(leavers.c.item, names)).values(collection="")
        )

    async def done(self, names: Sequence[str], removed: Sequence[str]) -> None:
        await self._connection.execute(delete(leavers).where(among(leavers.c.item, names)))
        await self._connection.execute(
            update(item_vectors)
            .where(among(item_vectors.c.item, removed))
            .values(state=ItemState.PENDING, text_hash="", due_time=None, taker="")
        )

    async def _leave(self, names: Sequence[str], values: Mapping[str, Any]) -> None:
        gone = (
            update(items)
            .where(among(items.c.name, names))
            .values(values)
            .returning(items.c.name, items.c.scope)
            .cte("gone")
        )
        held = (
            delete(item_vectors)
            .where(item_vectors.c.item == gone.c.name)
            .returning(
                item_vectors.c.item,
                item_vectors.c.collection,
                item_vectors.c.grouped,
            )
            .cte("held")
        )
        memory = (
            select(held.c.collection)
            .join(scopes, scopes.c.collection == held.c.collection)
            .where(held.c.item == gone.c.name, held.c.grouped, scopes.c.scope == gone.c.scope)
            .scalar_subquery()
        )
        new = insert(leavers).from_select(
            ["item", "collection"], select(gone.c.name, func.coalesce(memory, ""))
        )
        await self._connection.execute(new.on_conflict_do_nothing())
        either = or_(among(near_pairs.c.first, names), among(near_pairs.c.second, names))
        await self._connection.execute(delete(near_pairs).where(either))
