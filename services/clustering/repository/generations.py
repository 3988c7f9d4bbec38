"""Generations in PostgreSQL."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.lease import acquire, free, held, release, renew
from libs.lease import Lease, LeaseLost
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.generation import (
    FED,
    Comparison,
    Counts,
    Filled,
    Generation,
    GenerationState,
)
from services.clustering.domain.item import Collection, ItemState, Modality
from services.clustering.repository.arrays import among
from services.clustering.repository.collections import to_collection
from services.clustering.repository.items import LIVE, of_kind
from services.clustering.tables import collections, item_vectors, items, near_pairs

_ONE_CHANGE = text("SELECT pg_advisory_xact_lock(hashtextextended('clustering generations', 0))")
_SHOWN = collections.c.state != GenerationState.DROPPED
# Whoever adds items waits, so that each is either there before or sees the new generation.
_STOP_ARRIVALS = text("LOCK TABLE clustering.items IN SHARE ROW EXCLUSIVE MODE")

# So many rows a statement: each has its time.
_BATCH = 5000


class GenerationRepository:
    """See ports.Generations."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        await self._connection.execute(_ONE_CHANGE)

    async def add(
        self,
        generation_id: str,
        collection: Collection,
        state: GenerationState,
        epoch: int,
        *,
        automatic: bool = False,
    ) -> bool:
        await self._connection.execute(_STOP_ARRIVALS)
        active = func.now() if state is GenerationState.ACTIVE else None
        values = asdict(collection) | {
            "id": generation_id,
            "state": state,
            "epoch": epoch,
            "automatic": automatic,
            "create_time": func.now(),
            "ready_time": active,
            "activate_time": active,
        }
        statement = insert(collections).values(values).on_conflict_do_nothing()
        added = await self._connection.execute(statement.returning(collections.c.name))
        return added.one_or_none() is not None

    async def enrol(self, collection: Collection, after: str) -> str | None:
        some = (
            select(items.c.name, items.c.scope)
            .where(LIVE, items.c.name > after, of_kind(items.c.scope, collection.modality))
            .order_by(items.c.name)
            .limit(_BATCH)
            .cte("some")
        )
        enrolled = (
            insert(item_vectors)
            .from_select(
                ["collection", "item", "scope"],
                select(literal(collection.name), some.c.name, some.c.scope),
            )
            .on_conflict_do_nothing()
            .cte("enrolled")
        )
        statement = select(func.max(some.c.name)).add_cte(enrolled)
        last: str | None = (await self._connection.execute(statement)).scalar_one()
        return last

    async def get(self, generation_id: str, *, lock: bool = False) -> Generation | None:
        statement = select(collections).where(collections.c.id == generation_id, _SHOWN)
        if lock:
            statement = statement.with_for_update()
        return await self._one(statement)

    async def of_collection(self, collection: str) -> Generation | None:
        return await self._one(select(collections).where(collections.c.name == collection))

    async def active(self, modality: Modality = Modality.PHOTOS) -> Generation | None:
        active = collections.c.state == GenerationState.ACTIVE
        return await self._one(
            select(collections).where(active, collections.c.modality == modality)
        )

    async def in_states(
        self, *states: GenerationState, modality: Modality = Modality.PHOTOS
    ) -> list[Generation]:
        found = await self._connection.execute(
            select(collections)
            .where(collections.c.state.in_(states), collections.c.modality == modality)
            .order_by(collections.c.retire_time.desc().nulls_last(), collections.c.create_time)
        )
        return [to_generation(row) for row in found]

    async def page(self, page: PageRequest) -> Page[Generation]:
        statement = (
            select(collections)
            .where(_SHOWN)
            .order_by(collections.c.create_time.desc(), collections.c.id.desc())
            .limit(page.size + 1)
        )
        if page.after:
            moment, generation_id = page.after
            after = tuple_(
                datetime.fromisoformat(str(moment)), literal(generation_id, collections.c.id.type)
            )
            statement = statement.where(tuple_(collections.c.create_time, collections.c.id) < after)
        found = [to_generation(row) for row in await self._connection.execute(statement)]
        if len(found) <= page.size:
            return Page(found)
        last = found[page.size - 1]
        return Page(found[: page.size], (last.create_time.isoformat(), last.id))

    async def filled(self, generations: list[Generation]) -> list[Filled]:
        names = [generation.collection.name for generation in generations]
        texts = of_kind(items.c.scope, Modality.TEXTS)
        living = select(
            func.count().filter(texts).label(Modality.TEXTS),
            func.count().filter(~texts).label(Modality.PHOTOS),
        ).where(LIVE)
        totals = (await self._connection.execute(living)).one()
        found = await self._connection.execute(
            select(
                item_vectors.c.collection,
                item_vectors.c.state,
                item_vectors.c.error_reason,
                func.count().label("items"),
            )
            .where(among(item_vectors.c.collection, names))
            .where(item_vectors.c.state != ItemState.PENDING)
            .group_by(item_vectors.c.collection, item_vectors.c.state, item_vectors.c.error_reason)
            .order_by(func.count().desc(), item_vectors.c.error_reason)
        )
        done = dict.fromkeys(names, 0)
        failures: dict[str, dict[str, int]] = {name: {} for name in names}
        for row in found:
            if row.state == ItemState.READY:
                done[row.collection] += row.items
            else:
                failures[row.collection][row.error_reason] = row.items
        return [
            _filled(
                generation,
                getattr(totals, generation.collection.modality),
                done[name],
                failures[name],
            )
            for generation, name in zip(generations, names, strict=True)
        ]

    async def change(self, generation_id: str, **values: object) -> None:
        await self._connection.execute(
            update(collections).where(collections.c.id == generation_id).values(**values)
        )

    async def last_epoch(self) -> int:
        found = await self._connection.execute(select(func.max(collections.c.epoch)))
        return int(found.scalar_one() or 0)

    async def take(self, generation_id: str, owner: str) -> tuple[Generation, Lease] | None:
        row = (collections.c.id == generation_id) & collections.c.state.in_(FED)
        lease = await acquire(
            self._connection, collections, row, owner, attempt=collections.c.attempt + 1
        )
        if lease is None:
            return None
        taken = await self._one(select(collections).where(collections.c.id == generation_id))
        return None if taken is None else (taken, lease)

    async def renew(self, generation: Generation, lease: Lease, attempt: int) -> Generation:
        row = collections.c.id == generation.id
        await renew(self._connection, collections, row, lease, attempt=attempt)
        found = await self._one(select(collections).where(row))
        if found is None:
            raise LeaseLost(f"{generation.name} is gone")
        return found

    async def give_back(
        self, generation: Generation, lease: Lease, delay: timedelta | None, **values: object
    ) -> None:
        if delay is None:
            row = collections.c.id == generation.id
            await release(self._connection, collections, row, lease)
            await self.change(generation.id, **values)
            return
        # An expiry without an owner: nobody takes it before that.
        await self._connection.execute(
            update(collections)
            .where(collections.c.id == generation.id, held(collections, lease))
            .values(
                lease_owner=None,
                lease_expire_time=func.clock_timestamp() + delay,
                **values,
            )
        )

    async def waiting(self) -> list[str]:
        pending = exists().where(
            item_vectors.c.collection == collections.c.name,
            item_vectors.c.state == ItemState.PENDING,
        )
        filling = collections.c.state == GenerationState.FILLING
        ready = (collections.c.state == GenerationState.READY) & pending
        found = await self._connection.execute(
            select(collections.c.id).where(free(collections), filling | ready)
        )
        return [row.id for row in found]

    async def untold(self) -> list[str]:
        told = exists().where(
            item_vectors.c.collection == collections.c.name,
            item_vectors.c.state == ItemState.READY,
            item_vectors.c.told < collections.c.epoch,
        )
        found = await self._connection.execute(
            select(collections.c.id).where(
                collections.c.state == GenerationState.ACTIVE,
                collections.c.modality == Modality.PHOTOS,
                told,
            )
        )
        return [row.id for row in found]

    async def droppable(self) -> list[Generation]:
        found = await self._connection.execute(
            select(collections).where(
                collections.c.state == GenerationState.DROPPED, free(collections)
            )
        )
        return [to_generation(row) for row in found]

    async def clear(self, collection: str) -> bool:
        dropped = select(collections.c.name).where(
            collections.c.name == collection, collections.c.state == GenerationState.DROPPED
        )
        found = False
        for table in (item_vectors, near_pairs):
            key = tuple_(*table.primary_key.columns)
            some = select(*table.primary_key.columns).where(table.c.collection.in_(dropped))
            gone = await self._connection.execute(table.delete().where(key.in_(some.limit(_BATCH))))
            found = found or gone.rowcount > 0
        return found

    async def remove(self, generation_id: str) -> None:
        await self._connection.execute(
            collections.delete().where(
                collections.c.id == generation_id,
                collections.c.state == GenerationState.DROPPED,
            )
        )

    async def sample(self, one: str, other: str, limit: int) -> list[str]:
        ours, theirs = item_vectors.alias("ours"), item_vectors.alias("theirs")
        found = await self._connection.execute(
            select(ours.c.item)
            .join(theirs, theirs.c.item == ours.c.item)
            .where(ours.c.collection == one, theirs.c.collection == other)
            .where(ours.c.state == ItemState.READY, theirs.c.state == ItemState.READY)
            .order_by(func.md5(ours.c.item))
            .limit(limit)
        )
        return [row.item for row in found]

    async def _one(self, statement: Any) -> Generation | None:
        row = (await self._connection.execute(statement)).one_or_none()
        return to_generation(row) if row else None


def _filled(generation: Generation, total: int, done: int, failures: dict[str, int]) -> Filled:
    failed = sum(failures.values())
    counts = Counts(done, failed, max(0, total - done - failed))
    return Filled(generation, counts, failures)


def to_generation(row: Row[Any]) -> Generation:
    """A generation from its row."""
    return Generation(
        id=row.id,
        collection=to_collection(row),
        state=GenerationState(row.state),
        create_time=row.create_time,
        epoch=row.epoch,
        automatic=row.automatic,
        attempt=row.attempt,
        comparison=Comparison(**row.comparison) if row.comparison else None,
        error_reason=row.error_reason,
        error_message=row.error_message,
        ready_time=row.ready_time,
        activate_time=row.activate_time,
        retire_time=row.retire_time,
    )
