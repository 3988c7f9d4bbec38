"""The items that wait for their vectors, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    column,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clustering.domain.generation import FED
from services.clustering.domain.item import Item, ItemState, Modality
from services.clustering.repository.arrays import among, rows_of
from services.clustering.repository.items import LIVE, kind_of, of_kind, standing, to_item
from services.clustering.tables import collections, item_vectors, items, near_pairs

_AT_ONCE: dict[str, Any] = {"due_time": None, "taker": ""}


class QueueRepository:
    """See ports.VectorQueue."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def anybody(self, modality: Modality) -> bool:
        found = await self._connection.execute(
            select(exists().where(of_kind(items.c.scope, modality), LIVE))
        )
        return bool(found.scalar_one())

    async def enrol_strays(self, after: str, limit: int) -> tuple[str | None, int]:
        some = (
            select(items.c.name, items.c.scope)
            .where(LIVE, items.c.name > after)
            .order_by(items.c.name)
            .limit(limit)
            .cte("some")
        )
        here = and_(
            item_vectors.c.item == some.c.name, item_vectors.c.collection == collections.c.name
        )
        strays = (
            select(collections.c.name, some.c.name, some.c.scope)
            .join_from(some, collections, collections.c.modality == kind_of(some.c.scope))
            .where(collections.c.state.in_(FED), ~exists().where(here))
        )
        added = (
            insert(item_vectors)
            .from_select(["collection", "item", "scope"], strays)
            .on_conflict_do_nothing()
            .returning(item_vectors.c.item)
            .cte("added")
        )
        last = select(func.max(some.c.name)).scalar_subquery()
        count = select(func.count()).select_from(added).scalar_subquery()
        found = (await self._connection.execute(select(last, count))).one()
        return found[0], found[1]

    async def take(
        self,
        collection: str,
        taker: str,
        after: str,
        limit: int,
        now: datetime,
        until: datetime,
        before: datetime | None = None,
    ) -> list[Item]:
        scopes = await self._scopes(collection, after, limit, now, before)
        if len(scopes) < limit and after:
            first = await self._scopes(collection, "", limit - len(scopes), now, before)
            scopes += [scope for scope in first if scope <= after]
        if not scopes:
            return []
        taken = _fair_shares(collection, scopes, limit, now, before)
        done = await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection)
            .where(item_vectors.c.item == taken.c.item)
            .where(item_vectors.c.state == ItemState.PENDING)
            .values(due_time=until, taker=taker)
            .returning(item_vectors.c.item)
        )
        names = [row.item for row in done]
        found = await self._connection.execute(
            standing(collection)
            .where(among(items.c.name, names), LIVE)
            .order_by(item_vectors.c.arrival)
        )
        return [to_item(row) for row in found]

    async def free(self, taker: str) -> None:
        await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.taker == taker, item_vectors.c.taker != "")
            .where(item_vectors.c.state == ItemState.PENDING)
            .values(_AT_ONCE)
        )

    async def give_back(
        self, collection: str, names: Sequence[str], due_time: datetime | None = None
    ) -> None:
        await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection, among(item_vectors.c.item, names))
            .where(item_vectors.c.state == ItemState.PENDING)
            .values(due_time=due_time, taker="")
        )

    async def fail(
        self, collection: str, name: str, reason: str, message: str, due_time: datetime
    ) -> None:
        await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection, item_vectors.c.item == name)
            .where(item_vectors.c.state == ItemState.PENDING)
            .values(
                attempts=item_vectors.c.attempts + 1,
                error_reason=reason,
                error_message=message,
                due_time=due_time,
                taker="",
            )
        )

    async def set_hashes(self, collection: str, hashes: Mapping[str, str]) -> None:
        given = rows_of("given", (items.c.name, item_vectors.c.text_hash), hashes.items())
        await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection)
            .where(item_vectors.c.item == given.c.name)
            .values(text_hash=given.c.text_hash)
        )

    async def hashes(self, collection: str, names: Sequence[str]) -> dict[str, str]:
        found = await self._connection.execute(
            select(item_vectors.c.item, item_vectors.c.text_hash)
            .where(item_vectors.c.collection == collection, item_vectors.c.text_hash != "")
            .where(among(item_vectors.c.item, names))
        )
        return {row.item: row.text_hash for row in found}

    async def steady(self, collection: str, hashes: Mapping[str, str]) -> set[str]:
        given = rows_of("given", (items.c.name, item_vectors.c.text_hash), hashes.items())
        found = await self._connection.execute(
            select(item_vectors.c.item)
            .join_from(item_vectors, given, item_vectors.c.item == given.c.name)
            .where(item_vectors.c.collection == collection)
            .where(item_vectors.c.text_hash == given.c.text_hash)
            # What runs were told of, they do not count as grouped any more.
            .where(or_(item_vectors.c.state == ItemState.READY, item_vectors.c.grouped))
        )
        return {*found.scalars()}

    async def ungroup(self, collection: str, names: Sequence[str]) -> None:
        await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.collection == collection, among(item_vectors.c.item, names))
            .values(grouped=False)
        )

    async def renew(self, hashes: Mapping[str, str]) -> list[str]:
        given = rows_of("given", (items.c.name, item_vectors.c.text_hash), hashes.items())
        changed = await self._connection.execute(
            update(item_vectors)
            .where(item_vectors.c.item == given.c.name)
            .where(item_vectors.c.text_hash != given.c.text_hash)
            .where(collections.c.name == item_vectors.c.collection)
            .where(collections.c.state.in_(FED))
            .values(
                _AT_ONCE
                | {
                    "state": ItemState.PENDING,
                    "attempts": 0,
                    "error_reason": "",
                    "error_message": "",
                }
            )
            .returning(item_vectors.c.collection, item_vectors.c.item)
        )
        found = changed.all()
        for name in sorted({row.collection for row in found}):
            here = [row.item for row in found if row.collection == name]
            either = or_(among(near_pairs.c.first, here), among(near_pairs.c.second, here))
            await self._connection.execute(
                delete(near_pairs).where(near_pairs.c.collection == name, either)
            )
        return sorted({row.item for row in found})

    async def _scopes(
        self, collection: str, after: str, limit: int, now: datetime, before: datetime | None
    ) -> list[str]:
        """Some scopes that wait, by name: one step in the index each, however much they have."""

        def next_after(scope: Any) -> Any:
            return (
                select(item_vectors.c.scope)
                .where(*_due(collection, now), *_made(before), item_vectors.c.scope > scope)
                .order_by(item_vectors.c.scope)
                .limit(1)
            )

        first = next_after(literal(after, Text)).subquery("first")
        walk = select(first.c.scope, literal(1).label("place")).cte("walk", recursive=True)
        step = next_after(walk.c.scope).correlate(walk).lateral("step")
        walk = walk.union_all(
            select(step.c.scope, walk.c.place + 1)
            .select_from(walk.join(step, true()))
            .where(walk.c.place < limit)
        )
        found = await self._connection.execute(select(walk.c.scope).order_by(walk.c.place))
        return [row.scope for row in found]


def _due(collection: str, now: datetime) -> list[ColumnElement[bool]]:
    return [
        item_vectors.c.collection == collection,
        item_vectors.c.state == ItemState.PENDING,
        or_(item_vectors.c.due_time.is_(None), item_vectors.c.due_time <= now),
    ]


def _made(before: datetime | None) -> list[ColumnElement[bool]]:
    if before is None:
        return []
    return [exists().where(items.c.name == item_vectors.c.item, items.c.create_time < before)]


def _fair_shares(
    collection: str, scopes: Sequence[str], limit: int, now: datetime, before: datetime | None
) -> Any:
    """The first of each scope, then the second of each, and so on; no more than ``limit``."""
    listed = (
        func.unnest(literal(list(scopes), ARRAY(Text)))
        .table_valued(column("scope", Text), with_ordinality="place", name="listed")
        .render_derived()
    )
    waiting = (
        select(item_vectors.c.item, item_vectors.c.arrival)
        .where(*_due(collection, now), *_made(before), item_vectors.c.scope == listed.c.scope)
        .order_by(item_vectors.c.arrival)
        # Each of the others has one at least.
        .limit(limit - len(scopes) + 1)
        .with_for_update(skip_locked=True, of=item_vectors)
    )
    mine = waiting.correlate(listed).lateral("mine")
    turn = func.row_number().over(partition_by=listed.c.place, order_by=mine.c.arrival)
    shares = (
        select(mine.c.item, turn.label("turn"), listed.c.place)
        .select_from(listed.join(mine, true()))
        .subquery("shares")
    )
    return select(shares.c.item).order_by(shares.c.turn, shares.c.place).limit(limit).cte("chosen")
