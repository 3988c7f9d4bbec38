"""Items in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.item import Item, ItemKey, ItemState
from services.clustering.repository.arrays import among, rows_of
from services.clustering.tables import items, near_pairs

_LIVE = items.c.state != ItemState.DELETED
_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('clustering/' || scope, 0)) "
    "FROM unnest(CAST(:scopes AS text[])) AS scope"
)


class ItemRepository:
    """See ports.Items."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, scopes: Iterable[str]) -> None:
        # In one order everywhere, so that no two wait for each other.
        await self._connection.execute(_LOCK, {"scopes": sorted(set(scopes))})

    async def add(self, new: Sequence[Item]) -> set[str]:
        if not new:
            return set()
        statement = insert(items).values([_item_row(item) for item in new])
        added = await self._connection.execute(
            statement.on_conflict_do_nothing().returning(items.c.name)
        )
        return {row.name for row in added}

    async def get(self, name: str) -> Item | None:
        return (await self.many([name])).get(name)

    async def many(self, names: Iterable[str]) -> dict[str, Item]:
        found = await self._read(select(items).where(among(items.c.name, names), _LIVE))
        return {item.name: item for item in found}

    async def by_points(self, point_ids: Sequence[str]) -> dict[str, Item]:
        found = await self._read(select(items).where(among(items.c.point_id, point_ids), _LIVE))
        return {item.point_id: item for item in found}

    async def ready(self, scope: str, collection: str) -> list[Item]:
        return await self._read(
            select(items)
            .where(items.c.scope == scope, items.c.state == ItemState.READY)
            .where(items.c.collection == collection)
            .order_by(items.c.name)
        )

    async def pending(self, before: datetime, after: str, limit: int) -> list[Item]:
        return await self._read(
            select(items)
            .where(items.c.state == ItemState.PENDING)
            .where(items.c.create_time < before, items.c.name > after)
            .order_by(items.c.name)
            .limit(limit)
        )

    async def count_missing(self, scope: str, collection: str) -> int:
        elsewhere = and_(items.c.state == ItemState.READY, items.c.collection != collection)
        statement = (
            select(func.count())
            .select_from(items)
            .where(items.c.scope == scope, or_(items.c.state == ItemState.PENDING, elsewhere))
        )
        return int((await self._connection.execute(statement)).scalar_one())

    async def set_ready(self, collection: str, scenes: Mapping[str, str]) -> set[str]:
        given = rows_of("given", (items.c.name, items.c.scene), scenes.items())
        done = await self._connection.execute(
            update(items)
            .where(items.c.name == given.c.name, items.c.state == ItemState.PENDING)
            .values(state=ItemState.READY, collection=collection, scene=given.c.scene)
            .returning(items.c.name)
        )
        return {row.name for row in done}

    async def quarantine(self, name: str, reason: str, message: str) -> bool:
        done = await self._connection.execute(
            update(items)
            .where(items.c.name == name, items.c.state == ItemState.PENDING)
            .values(state=ItemState.QUARANTINED, error_reason=reason, error_message=message)
        )
        return done.rowcount == 1

    async def set_words(self, name: str, words: Sequence[str], time: datetime) -> None:
        await self._connection.execute(
            update(items)
            .where(items.c.name == name, _LIVE, items.c.words_time <= time)
            .values(words=list(words), words_time=time)
        )

    async def delete(self, key: ItemKey) -> None:
        # The row stays: what comes late to it, such as a repeated photo.created, finds it.
        nothing: dict[str, object] = {
            "state": ItemState.DELETED,
            "blob_key": "",
            "words": [],
            "collection": "",
            "scene": "",
            "error_reason": "",
            "error_message": "",
        }
        identity = {"name": key.name, "scope": key.scope, "point_id": key.point_id}
        times = {"create_time": func.now(), "words_time": func.now()}
        statement = insert(items).values(identity | times | nothing | {"pixels": 0})
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_=nothing)
        )
        either = or_(near_pairs.c.first == key.name, near_pairs.c.second == key.name)
        await self._connection.execute(delete(near_pairs).where(either))

    async def is_deleted(self, name: str) -> bool:
        statement = select(literal(True)).where(items.c.name == name, ~_LIVE)
        return (await self._connection.execute(statement)).scalar_one_or_none() is not None

    async def gone(self, names: Sequence[str]) -> list[str]:
        asked = rows_of("asked", [items.c.name], ((name,) for name in names))
        found = await self._connection.execute(
            select(asked.c.name)
            .outerjoin_from(asked, items, and_(items.c.name == asked.c.name, _LIVE))
            .where(items.c.name.is_(None))
        )
        return [row.name for row in found]

    async def _read(self, statement: Select[Any]) -> list[Item]:
        return [_item(row) for row in await self._connection.execute(statement)]


def _item_row(item: Item) -> dict[str, object]:
    return {
        "name": item.name,
        "point_id": item.point_id,
        "scope": item.scope,
        "blob_key": item.blob_key,
        "words": list(item.words),
        "words_time": item.words_time,
        "pixels": item.pixels,
        "quality": item.quality,
        "create_time": item.create_time,
    }


def _item(row: Row[Any]) -> Item:
    return Item(
        name=row.name,
        point_id=row.point_id,
        scope=row.scope,
        blob_key=row.blob_key,
        words=tuple(row.words),
        words_time=row.words_time,
        pixels=row.pixels,
        quality=row.quality,
        create_time=row.create_time,
        state=ItemState(row.state),
        collection=row.collection,
        scene=row.scene,
    )
