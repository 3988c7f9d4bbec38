"""The collections of vectors in PostgreSQL."""

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.item import Collection, ItemState
from services.clustering.tables import collections, items

_FIELDS = tuple(Collection.__dataclass_fields__)


class CollectionRepository:
    """See ports.Collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, collection: Collection) -> None:
        values = {name: getattr(collection, name) for name in _FIELDS}
        statement = insert(collections).values(**values, create_time=func.now())
        await self._connection.execute(statement.on_conflict_do_nothing())

    async def get(self, name: str) -> Collection | None:
        return await self._one(select(collections).where(collections.c.name == name))

    async def in_use(self, scope: str) -> Collection | None:
        # Not the newest of all: after a change of model, the vectors of a scope are of the old one
        # until most of them are made anew, and its clusters must not vanish meanwhile.
        counts = (
            select(items.c.collection, func.count().label("vectors"))
            .where(items.c.scope == scope, items.c.state == ItemState.READY)
            .group_by(items.c.collection)
            .subquery()
        )
        return await self._one(
            select(collections)
            .join(counts, counts.c.collection == collections.c.name)
            .order_by(counts.c.vectors.desc(), collections.c.create_time.desc())
            .limit(1)
        )

    async def names(self) -> list[str]:
        found = await self._connection.execute(select(collections.c.name))
        return [row.name for row in found]

    async def _one(self, statement: Select[Any]) -> Collection | None:
        row = (await self._connection.execute(statement)).one_or_none()
        return Collection(*(getattr(row, name) for name in _FIELDS)) if row else None
