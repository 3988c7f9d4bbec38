"""Items, their pairs, and the collections of their vectors, in PostgreSQL."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.item import Collection, Item, ItemState, Pair
from services.clustering.tables import collections, items, near_pairs


class ItemRepository:
    """See ports.Items."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, new: Sequence[Item]) -> None:
        if new:
            statement = insert(items).on_conflict_do_nothing()
            await self._connection.execute(statement, [_item_row(item) for item in new])

    async def get(self, name: str) -> Item | None:
        return next(iter(await self._read(select(items).where(items.c.name == name))), None)

    async def many(self, names: Sequence[str]) -> dict[str, Item]:
        found = await self._read(select(items).where(items.c.name.in_(names)))
        return {item.name: item for item in found}

    async def by_points(self, point_ids: Sequence[str]) -> dict[str, Item]:
        found = await self._read(select(items).where(items.c.point_id.in_(point_ids)))
        return {item.point_id: item for item in found}

    async def ready(self, scope: str, collection: str) -> list[Item]:
        return await self._read(
            select(items)
            .where(items.c.scope == scope, items.c.state == ItemState.READY)
            .where(items.c.collection == collection)
            .order_by(items.c.name)
        )

    async def count_pending(self, scope: str) -> int:
        statement = (
            select(func.count())
            .select_from(items)
            .where(items.c.scope == scope, items.c.state == ItemState.PENDING)
        )
        return int((await self._connection.execute(statement)).scalar_one())

    async def mark_ready(self, name: str, collection: str, scene: str) -> bool:
        return await self._set(
            name,
            state=ItemState.READY,
            collection=collection,
            scene=scene,
            error_reason="",
            error_message="",
        )

    async def quarantine(self, name: str, reason: str, message: str) -> bool:
        return await self._set(
            name, state=ItemState.QUARANTINED, error_reason=reason, error_message=message
        )

    async def set_words(self, name: str, words: Sequence[str]) -> None:
        await self._set(name, words=list(words))

    async def delete(self, name: str) -> Item | None:
        statement = delete(items).where(items.c.name == name).returning(*items.c)
        row = (await self._connection.execute(statement)).one_or_none()
        return _item(row) if row else None

    async def add_pairs(self, scope: str, pairs: Iterable[Pair]) -> None:
        for pair in sorted(set(pairs), key=lambda p: (p.first, p.second)):
            there = and_(
                exists().where(items.c.name == pair.first),
                exists().where(items.c.name == pair.second),
            )
            row = (pair.first, pair.second, scope, pair.score)
            values = select(*(literal(value) for value in row)).where(there)
            statement = insert(near_pairs).from_select(
                ["first", "second", "scope", "score"], values
            )
            await self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["first", "second"], set_={"score": pair.score}
                )
            )

    async def pairs(self, scope: str, min_score: float) -> list[Pair]:
        found = await self._connection.execute(
            select(near_pairs.c.first, near_pairs.c.second, near_pairs.c.score)
            .where(near_pairs.c.scope == scope, near_pairs.c.score >= min_score)
            .order_by(near_pairs.c.first, near_pairs.c.second)
        )
        return [Pair(row.first, row.second, row.score) for row in found]

    async def _read(self, statement: Select[Any]) -> list[Item]:
        return [_item(row) for row in await self._connection.execute(statement)]

    async def _set(self, name: str, **values: object) -> bool:
        done = await self._connection.execute(
            update(items).where(items.c.name == name).values(**values)
        )
        return done.rowcount == 1


class CollectionRepository:
    """See ports.Collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, collection: Collection) -> None:
        values = {name: getattr(collection, name) for name in _COLLECTION_FIELDS}
        statement = insert(collections).values(**values, create_time=func.now())
        await self._connection.execute(statement.on_conflict_do_nothing())

    async def get(self, name: str) -> Collection | None:
        return await self._one(select(collections).where(collections.c.name == name))

    async def newest(self) -> Collection | None:
        return await self._one(
            select(collections).order_by(collections.c.create_time.desc()).limit(1)
        )

    async def _one(self, statement: Select[Any]) -> Collection | None:
        row = (await self._connection.execute(statement)).one_or_none()
        return Collection(*(getattr(row, name) for name in _COLLECTION_FIELDS)) if row else None


_COLLECTION_FIELDS = tuple(Collection.__dataclass_fields__)


def _item_row(item: Item) -> dict[str, object]:
    return {
        "name": item.name,
        "point_id": item.point_id,
        "scope": item.scope,
        "blob_key": item.blob_key,
        "words": list(item.words),
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
        pixels=row.pixels,
        quality=row.quality,
        create_time=row.create_time,
        state=ItemState(row.state),
        collection=row.collection,
        scene=row.scene,
    )
