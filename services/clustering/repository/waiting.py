"""What waits for a run, in PostgreSQL."""

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.item import Item, ItemState
from services.clustering.domain.run import RunFilter
from services.clustering.ports.intake import Standing
from services.clustering.repository.arrays import among
from services.clustering.repository.items import LIVE, standing, to_item
from services.clustering.tables import item_vectors, items, members, texts


class WaitingRepository:
    """See ports.Waiting."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def items(self, scope: str, collection: str, chosen: RunFilter) -> list[Item]:
        statement = (
            standing(collection)
            .where(items.c.scope == scope, LIVE, item_vectors.c.scope == scope)
            .where(item_vectors.c.state == ItemState.READY, ~item_vectors.c.grouped)
            .order_by(items.c.name)
        )
        if chosen.since is not None:
            statement = statement.where(items.c.create_time >= chosen.since)
        if chosen.sources:
            told = select(texts.c.item).where(among(texts.c.source, chosen.sources))
            statement = statement.where(items.c.name.in_(told))
        return [to_item(row) for row in await self._connection.execute(statement)]

    async def standing(self, scope: str, collection: str) -> Standing:
        found = await self._connection.execute(
            select(item_vectors.c.state, item_vectors.c.grouped, func.count().label("number"))
            .where(item_vectors.c.scope == scope, item_vectors.c.collection == collection)
            .group_by(item_vectors.c.state, item_vectors.c.grouped)
        )
        numbers = {(row.state, row.grouped): row.number for row in found}

        def count(state: ItemState) -> int:
            return sum(number for (one, _), number in numbers.items() if one == state)

        return Standing(
            missing=count(ItemState.PENDING),
            failed_embeddings=await self._failed(scope, collection),
            quarantined=count(ItemState.QUARANTINED),
            grouped=numbers.get((ItemState.READY.value, True), 0),
            waiting=numbers.get((ItemState.READY.value, False), 0),
        )

    async def _failed(self, scope: str, collection: str) -> int:
        here = and_(item_vectors.c.scope == scope, item_vectors.c.collection == collection)
        failed = and_(item_vectors.c.state == ItemState.PENDING, item_vectors.c.attempts > 0)
        found = await self._connection.execute(select(func.count()).where(here, failed))
        return int(found.scalar_one())

    async def copies(self, scope: str) -> int:
        here = and_(members.c.scope == scope, members.c.until.is_(None))
        found = await self._connection.execute(
            select(func.count()).select_from(members).where(here, members.c.duplicate_of != "")
        )
        return int(found.scalar_one())
