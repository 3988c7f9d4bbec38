"""Items in PostgreSQL."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.facts import Usage, prose_of
from services.clustering.domain.generation import FED, GenerationState
from services.clustering.domain.item import Item, ItemKey, ItemState, Modality
from services.clustering.repository.arrays import among, inserted, list_in, rows_of
from services.clustering.tables import collections, item_posts, item_vectors, items, near_pairs

LIVE = items.c.state == "live"
_ACTIVE = select(collections.c.name).where(collections.c.state == GenerationState.ACTIVE)
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
        added = (
            inserted(items, [_item_row(item) for item in new], _MADE)
            .on_conflict_do_nothing()
            .returning(items.c.name, items.c.scope)
            .cte("added")
        )
        waiting = (
            insert(item_vectors)
            .from_select(
                ["collection", "item", "scope"],
                select(collections.c.name, added.c.name, added.c.scope)
                .select_from(collections)
                .join(added, collections.c.modality == kind_of(added.c.scope))
                .where(collections.c.state.in_(FED)),
            )
            .cte("waiting")
        )
        found = await self._connection.execute(select(added.c.name).add_cte(waiting))
        return {row.name for row in found}

    async def get(self, name: str) -> Item | None:
        return (await self.many([name])).get(name)

    async def many(self, names: Iterable[str], collection: str | None = None) -> dict[str, Item]:
        found = await self._read(standing(collection).where(among(items.c.name, names), LIVE))
        return {item.name: item for item in found}

    async def by_points(
        self, point_ids: Sequence[str], collection: str | None = None
    ) -> dict[str, Item]:
        chosen = among(items.c.point_id, point_ids)
        found = await self._read(standing(collection).where(chosen, LIVE))
        return {item.point_id: item for item in found}

    async def ready(self, scope: str, collection: str) -> list[Item]:
        return await self._read(
            standing(collection)
            .where(items.c.scope == scope, item_vectors.c.state == ItemState.READY)
            .order_by(items.c.name)
        )

    async def pending(
        self, collection: str, after: str, limit: int, before: datetime | None = None
    ) -> list[Item]:
        statement = (
            standing(collection)
            .where(item_vectors.c.collection == collection)
            .where(item_vectors.c.state == ItemState.PENDING, item_vectors.c.item > after)
            .order_by(item_vectors.c.item)
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(items.c.create_time < before)
        return await self._read(statement)

    async def count_ready(self, scope: str, collection: str) -> int:
        found = await self._connection.execute(
            select(func.count())
            .select_from(item_vectors)
            .join(items, items.c.name == item_vectors.c.item)
            .where(items.c.scope == scope, LIVE, item_vectors.c.collection == collection)
            .where(item_vectors.c.state == ItemState.READY)
        )
        return int(found.scalar_one())

    async def has_vectors(self, scope: str, collection: str) -> bool:
        found = await self._connection.execute(
            select(literal(True))
            .join_from(items, item_vectors, item_vectors.c.item == items.c.name)
            .where(items.c.scope == scope, item_vectors.c.collection == collection)
            .where(item_vectors.c.state == ItemState.READY)
            .limit(1)
        )
        return found.scalar_one_or_none() is not None

    async def count_missing(self, scope: str, collection: str) -> int:
        here = and_(item_vectors.c.item == items.c.name, item_vectors.c.collection == collection)
        state = func.coalesce(item_vectors.c.state, ItemState.PENDING.value)
        statement = (
            select(func.count())
            .select_from(items)
            .outerjoin(item_vectors, here)
            .where(items.c.scope == scope, LIVE, state == ItemState.PENDING)
        )
        return int((await self._connection.execute(statement)).scalar_one())

    async def set_ready(self, collection: str, scenes: Mapping[str, str]) -> dict[str, bool]:
        given = rows_of("given", (items.c.name, item_vectors.c.scene), scenes.items())
        active = collections.c.state == GenerationState.ACTIVE
        done = await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection)
            .where(collections.c.name == item_vectors.c.collection)
            .where(item_vectors.c.item == given.c.name)
            .where(item_vectors.c.state == ItemState.PENDING)
            .values(
                state=ItemState.READY,
                scene=given.c.scene,
                error_reason="",
                error_message="",
                due_time=None,
                taker="",
                told=case((active, collections.c.epoch), else_=item_vectors.c.told),
            )
            .returning(item_vectors.c.item, active.label("active"))
        )
        return {row.item: row.active for row in done}

    async def quarantine(self, collection: str, name: str, reason: str, message: str) -> bool:
        done = await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection, item_vectors.c.item == name)
            .where(item_vectors.c.state == ItemState.PENDING)
            .values(
                state=ItemState.QUARANTINED,
                attempts=item_vectors.c.attempts + 1,
                error_reason=reason,
                error_message=message,
                due_time=None,
                taker="",
            )
        )
        return done.rowcount == 1

    async def retry(self, collection: str, scope: str, reasons: Sequence[str]) -> int:
        statement = (
            update(item_vectors)
            .where(item_vectors.c.collection == collection, items.c.name == item_vectors.c.item)
            .where(item_vectors.c.state == ItemState.QUARANTINED)
            .values(
                state=ItemState.PENDING,
                error_reason="",
                error_message="",
                attempts=0,
                due_time=None,
                taker="",
            )
        )
        if scope:
            statement = statement.where(items.c.scope == scope)
        if reasons:
            statement = statement.where(among(item_vectors.c.error_reason, reasons))
        return (await self._connection.execute(statement)).rowcount

    async def untold(self, collection: str, epoch: int, limit: int) -> list[Item]:
        # Those that others gather around come first.
        return await self._read(
            standing(collection)
            .where(item_vectors.c.collection == collection)
            .where(item_vectors.c.state == ItemState.READY, item_vectors.c.told < epoch)
            .order_by(item_vectors.c.scene != item_vectors.c.item, item_vectors.c.item)
            .limit(limit)
        )

    async def set_told(self, collection: str, names: Sequence[str], epoch: int) -> None:
        await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection, among(item_vectors.c.item, names))
            .values(told=epoch)
        )

    async def describe(self, item: Item) -> None:
        await self._connection.execute(
            update(items)
            .where(items.c.name == item.name, LIVE, items.c.words_time <= item.words_time)
            .values(
                words=list(item.words),
                words_time=item.words_time,
                prose=indexed(prose_of(item.words)),
                pillar=item.pillar,
                tags=list(item.tags),
                archived=item.archived,
                sharpness=item.sharpness,
                exposure=item.exposure,
                described=True,
                facts=items.c.facts + case((_is_news(item), 1), else_=0),
            )
        )

    async def use(self, name: str, post: str, usage: Usage, version: int) -> bool:
        statement = insert(item_posts).values(item=name, post=post, usage=usage, version=version)
        newer = statement.on_conflict_do_update(
            index_elements=["item", "post"],
            set_={"usage": usage, "version": version},
            where=item_posts.c.version < version,
        )
        changed = await self._connection.execute(newer.returning(item_posts.c.item))
        return changed.one_or_none() is not None

    async def uses(self, name: str) -> list[Usage]:
        statement = select(item_posts.c.usage).where(item_posts.c.item == name)
        return [Usage(row.usage) for row in await self._connection.execute(statement)]

    async def posted(self, names: Iterable[str]) -> set[str]:
        out = among(item_posts.c.item, names), item_posts.c.usage == Usage.POSTED
        found = await self._connection.execute(select(item_posts.c.item).where(*out).distinct())
        return {row.item for row in found}

    async def set_usage(self, name: str, usage: Usage) -> None:
        await self._connection.execute(
            update(items)
            .where(items.c.name == name, LIVE, items.c.usage != usage)
            .values(usage=usage, facts=items.c.facts + 1)
        )

    async def unsynced(self, limit: int) -> list[Item]:
        return await self._read(
            standing(None)
            .where(items.c.synced < items.c.facts, LIVE)
            .order_by(items.c.name)
            .limit(limit)
        )

    async def set_synced(self, copied: Iterable[Item]) -> None:
        columns = items.c.name, items.c.facts, items.c.synced
        read = sorted((item.name, item.facts, item.synced) for item in copied)
        given = rows_of("given", columns, read)
        alone = items.c.synced.in_([given.c.synced, given.c.facts])
        await self._connection.execute(
            update(items)
            .where(items.c.name == given.c.name)
            .values(synced=case((alone, given.c.facts), else_=0))
        )

    async def set_unsynced(self, names: Sequence[str]) -> None:
        await self._connection.execute(
            update(items).where(among(items.c.name, names)).values(synced=0)
        )

    async def undescribed(self, limit: int) -> list[Item]:
        return await self._read(
            standing(None)
            .where(~items.c.described, LIVE)
            .order_by(items.c.scope, items.c.name)
            .limit(limit)
        )

    async def delete(self, key: ItemKey) -> None:
        # The row stays: what comes late to it, such as a repeated photo.created, finds it.
        nothing: dict[str, object] = {
            "state": "deleted",
            "blob_key": "",
            "words": [],
            "prose": text("''::tsvector"),
            "tags": [],
            "pillar": "",
        }
        identity = {"name": key.name, "scope": key.scope, "point_id": key.point_id}
        times = {"create_time": func.now(), "words_time": func.now()}
        statement = insert(items).values(identity | times | nothing | {"pixels": 0})
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_=nothing)
        )
        either = or_(near_pairs.c.first == key.name, near_pairs.c.second == key.name)
        await self._connection.execute(delete(near_pairs).where(either))
        here = item_vectors.c.item == key.name
        await self._connection.execute(delete(item_vectors).where(here))
        await self._connection.execute(delete(item_posts).where(item_posts.c.item == key.name))

    async def is_deleted(self, name: str) -> bool:
        statement = select(literal(True)).where(items.c.name == name, ~LIVE)
        return (await self._connection.execute(statement)).scalar_one_or_none() is not None

    async def gone(self, names: Sequence[str]) -> list[str]:
        asked = rows_of("asked", [items.c.name], ((name,) for name in names))
        found = await self._connection.execute(
            select(asked.c.name)
            .outerjoin_from(asked, items, and_(items.c.name == asked.c.name, LIVE))
            .where(items.c.name.is_(None))
        )
        return [row.name for row in found]

    async def _read(self, statement: Select[Any]) -> list[Item]:
        return [to_item(row) for row in await self._connection.execute(statement)]


def of_kind(scope: ColumnElement[str], modality: Modality) -> ColumnElement[bool]:
    """Whether a scope has items of this kind."""
    texts = scope.startswith("projects/")
    return texts if modality is Modality.TEXTS else ~texts


def kind_of(scope: ColumnElement[str]) -> ColumnElement[str]:
    """What kind of items a scope has."""
    texts = of_kind(scope, Modality.TEXTS)
    return case((texts, Modality.TEXTS.value), else_=Modality.PHOTOS.value)


def _is_news(item: Item) -> ColumnElement[bool]:
    """Whether the index keeps anything else beside the vectors from now on."""
    return or_(
        items.c.pillar != item.pillar,
        items.c.tags != literal(list(item.tags), items.c.tags.type),
        items.c.archived != item.archived,
    )


def standing(collection: str | None) -> Select[Any]:
    """The items and where they stand in a generation, in the active one of their kind for None."""
    held = item_vectors.c.collection
    which = held.in_(_ACTIVE) if collection is None else held == literal(collection)
    here = and_(item_vectors.c.item == items.c.name, which)
    return select(
        items,
        func.coalesce(item_vectors.c.state, ItemState.PENDING.value).label("standing"),
        func.coalesce(item_vectors.c.collection, "").label("collection"),
        func.coalesce(item_vectors.c.scene, "").label("scene"),
        func.coalesce(item_vectors.c.attempts, 0).label("attempts"),
    ).select_from(items.outerjoin(item_vectors, here))


def indexed(prose: Any) -> Any:
    """A text as it is, and what English makes of it."""
    return func.to_tsvector("simple", prose).op("||")(func.to_tsvector("english", prose))


# What is made of columns that go in as texts.
_MADE = {"words": list_in, "tags": list_in, "prose": indexed}


def _item_row(item: Item) -> dict[str, object]:
    return {
        "name": item.name,
        "point_id": item.point_id,
        "scope": item.scope,
        "blob_key": item.blob_key,
        "words": json.dumps(item.words),
        "words_time": item.words_time,
        "pixels": item.pixels,
        "quality": item.quality,
        "create_time": item.create_time,
        "prose": f"{prose_of(item.words)} {item.prose}",
        "pillar": item.pillar,
        "tags": json.dumps(item.tags),
        "described": item.described,
        "taken_time": item.taken_time,
        "sharpness": item.sharpness,
        "exposure": item.exposure,
        # Its vector comes with what is known now.
        "synced": item.facts,
    }


def to_item(row: Row[Any]) -> Item:
    """An item from a row of ``standing``."""
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
        state=ItemState(row.standing),
        collection=row.collection if row.standing == ItemState.READY else "",
        scene=row.scene,
        pillar=row.pillar,
        tags=tuple(row.tags),
        usage=Usage(row.usage),
        archived=row.archived,
        facts=row.facts,
        synced=row.synced,
        described=row.described,
        taken_time=row.taken_time,
        sharpness=row.sharpness,
        exposure=row.exposure,
        attempts=row.attempts,
    )
