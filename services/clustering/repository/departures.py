"""What the engine's memory still has of items that are gone, in PostgreSQL."""

from collections.abc import Collection, Sequence

import numpy as np
from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.edit import Place
from services.clustering.domain.history import Departure
from services.clustering.repository.arrays import among
from services.clustering.repository.clusters import in_version
from services.clustering.tables import departures, item_vectors, items, members, scopes


class DepartureRepository:
    """See ports.Departures."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def seen(self, names: Sequence[str]) -> dict[str, str]:
        memory = scopes.c.collection == item_vectors.c.collection
        found = await self._connection.execute(
            select(item_vectors.c.item, item_vectors.c.collection)
            .join(items, items.c.name == item_vectors.c.item)
            .join(scopes, and_(scopes.c.scope == items.c.scope, memory))
            .where(among(item_vectors.c.item, names), item_vectors.c.grouped)
        )
        return {row.item: row.collection for row in found}

    async def places(self, within: Collection[str], names: Sequence[str]) -> dict[str, Place]:
        here = and_(scopes.c.scope == members.c.scope, among(members.c.scope, within))
        then = in_version(members, scopes.c.memory_version)
        found = await self._connection.execute(
            select(members).join(scopes, here).where(among(members.c.item, names), then)
        )
        return {
            row.item: Place(row.item, row.cluster_id, row.similarity, row.duplicate_of, row.locked)
            for row in found
        }

    async def add(self, new: Sequence[Departure]) -> None:
        if new:
            rows = [
                {
                    "scope": departure.scope,
                    "item": departure.item,
                    "point_id": departure.point_id,
                    "collection": departure.collection,
                    "cluster_id": departure.cluster_id,
                    "vector": _bytes(departure.vector),
                    "weight": departure.weight,
                }
                for departure in new
            ]
            await self._connection.execute(insert(departures).values(rows).on_conflict_do_nothing())

    async def waiting(self, scope: str) -> list[Departure]:
        found = await self._connection.execute(
            select(departures).where(departures.c.scope == scope).order_by(departures.c.item)
        )
        return [
            Departure(
                row.scope,
                row.item,
                row.point_id,
                row.collection,
                row.cluster_id,
                None if row.vector is None else np.frombuffer(row.vector, "<f2").astype(np.float32),
                row.weight,
            )
            for row in found
        ]


def _bytes(vector: np.ndarray[tuple[int], np.dtype[np.float32]] | None) -> bytes | None:
    return None if vector is None else vector.astype("<f2").tobytes()
