"""The collections of vectors in PostgreSQL."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.generation import KEPT, GenerationState
from services.clustering.domain.item import Collection, Modality
from services.clustering.tables import collections

_FIELDS = tuple(Collection.__dataclass_fields__)
_KEPT = collections.c.state.in_(KEPT)


class CollectionRepository:
    """See ports.Collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, name: str) -> Collection | None:
        return await self._one(collections.c.name == name)

    async def active(self, modality: Modality = Modality.PHOTOS) -> Collection | None:
        active = collections.c.state == GenerationState.ACTIVE
        return await self._one(active & (collections.c.modality == modality))

    async def hold(self, name: str) -> bool:
        found = await self._connection.execute(
            select(collections.c.name)
            .where(collections.c.name == name, _KEPT)
            .with_for_update(read=True)
        )
        return found.scalar_one_or_none() is not None

    async def names(self) -> list[str]:
        # The dropped ones, too: what is in them is there until they are gone.
        found = await self._connection.execute(select(collections.c.name))
        return [row.name for row in found]

    async def kept(self, modality: Modality | None = None) -> list[Collection]:
        statement = select(collections).where(_KEPT)
        if modality is not None:
            statement = statement.where(collections.c.modality == modality)
        found = await self._connection.execute(statement)
        return [to_collection(row) for row in found]

    async def _one(self, condition: Any) -> Collection | None:
        found = await self._connection.execute(select(collections).where(condition))
        row = found.one_or_none()
        return to_collection(row) if row else None


def to_collection(row: Row[Any]) -> Collection:
    """A collection from its row."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return Collection(**values | {"modality": Modality(row.modality)})
