"""Texts of callers in PostgreSQL."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import ItemState
from services.clustering.domain.reading import text_to_embed
from services.clustering.domain.text import StoredText, TextState
from services.clustering.ports.texts import ExternalKey
from services.clustering.repository.arrays import among, inserted, list_in, rows_of
from services.clustering.repository.items import LIVE, indexed
from services.clustering.tables import collections, item_vectors, items, members, texts

_ACTIVE = select(collections.c.name).where(collections.c.state == GenerationState.ACTIVE)
_HELD = and_(item_vectors.c.item == texts.c.item, item_vectors.c.collection.in_(_ACTIVE))
_PLACED = and_(
    members.c.scope == texts.c.scope,
    members.c.item == texts.c.item,
    members.c.until.is_(None),
)
_STATE = case(
    (~LIVE, TextState.CLOSED.value),
    (item_vectors.c.state == ItemState.QUARANTINED, TextState.QUARANTINED.value),
    (item_vectors.c.state == ItemState.PENDING, TextState.PENDING.value),
    (members.c.cluster_id.is_not(None), TextState.CLUSTERED.value),
    (item_vectors.c.grouped, TextState.UNCLUSTERED.value),
    else_=TextState.PENDING.value,
)
# Columns of rows that go in as parameters.
_WORDS = Column("words", Text)  # of a JSON list
_PROSE = Column("prose", Text)
_TIMES = {
    "create_time": texts.c.create_time,
    "source_time": func.coalesce(texts.c.source_time, texts.c.create_time),
}


class TextRepository:
    """See ports.Texts."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def read(self, names: Sequence[str]) -> dict[str, str]:
        found = await self._connection.execute(
            select(texts.c.item, texts.c.title, texts.c.body).where(among(texts.c.item, names))
        )
        return {row.item: text_to_embed(row.title, row.body) for row in found}

    async def add(self, new: Sequence[StoredText]) -> set[str]:
        if not new:
            return set()
        # In one order everywhere, so that no two wait for each other.
        ordered = sorted(new, key=lambda text: (text.source, text.external_id))
        added = await self._connection.execute(
            _inserted(ordered).on_conflict_do_nothing().returning(texts.c.item)
        )
        return {row.item for row in added}

    async def of_keys(
        self, scope: str, keys: Iterable[ExternalKey]
    ) -> dict[ExternalKey, StoredText]:
        asked = rows_of("asked", (texts.c.source, texts.c.external_id), sorted(keys))
        found = await self._read(
            _standing()
            .join(
                asked,
                and_(asked.c.source == texts.c.source, asked.c.external_id == texts.c.external_id),
            )
            .where(texts.c.scope == scope)
            .order_by(texts.c.source, texts.c.external_id)
            .with_for_update(of=texts)
        )
        return {(text.source, text.external_id): text for text in found}

    async def save(self, changed: Sequence[StoredText]) -> None:
        if not changed:
            return
        statement = _inserted(changed)
        stored = (
            statement.on_conflict_do_update(
                index_elements=["item"],
                set_={name: statement.excluded[name] for name in _WRITTEN},
            )
            .returning(texts.c.item)
            .cte("stored")
        )
        given = rows_of(
            "given",
            (items.c.name, items.c.words_time, _WORDS, _PROSE),
            [
                (text.name, text.update_time, json.dumps(text.item.words), text.item.prose)
                for text in changed
            ],
        )
        await self._connection.execute(
            update(items)
            .where(items.c.name == given.c.name)
            .values(
                words=list_in(given.c.words),
                words_time=given.c.words_time,
                prose=indexed(given.c.prose),
            )
            .add_cte(stored)
        )

    async def many(self, names: Sequence[str], *, lock: bool = False) -> dict[str, StoredText]:
        statement = _standing().where(among(texts.c.item, names)).order_by(texts.c.item)
        if lock:
            statement = statement.with_for_update(of=texts)
        return {text.name: text for text in await self._read(statement)}

    async def list(
        self,
        scope: str,
        page: PageRequest,
        conditions: Sequence[Condition],
        order: tuple[str, bool],
    ) -> Page[StoredText]:
        field, descending = order
        time = _TIMES[field]
        where = [texts.c.scope == scope, *map(_where, conditions)]
        if page.after:
            moment, name = page.after
            last = tuple_(literal(_moment(moment)), literal(str(name)))
            place = tuple_(time, texts.c.item)
            where.append(place < last if descending else place > last)
        by = (time.desc(), texts.c.item.desc()) if descending else (time, texts.c.item)
        found = await self._read(_standing().where(*where).order_by(*by).limit(page.size + 1))
        if len(found) <= page.size:
            return Page(found)
        last_one = found[page.size - 1]
        at = last_one.create_time
        if field == "source_time":
            at = last_one.source_time or at
        return Page(found[: page.size], (at.isoformat(), last_one.name))

    async def delete(self, name: str) -> None:
        await self._connection.execute(delete(texts).where(texts.c.item == name))

    async def retry(self, scope: str, names: Sequence[str]) -> int:
        statement = (
            update(item_vectors)
            .where(item_vectors.c.item == texts.c.item, texts.c.scope == scope)
            .where(item_vectors.c.collection.in_(_ACTIVE))
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
        if names:
            statement = statement.where(among(texts.c.item, names))
        return (await self._connection.execute(statement)).rowcount

    async def _read(self, statement: Select[Any]) -> Sequence[StoredText]:
        return [_to_text(row) for row in await self._connection.execute(statement)]


_WRITTEN = (
    "title",
    "body",
    "url",
    "metadata",
    "repository",
    "text_hash",
    "truncated",
    "source_time",
    "update_time",
)


def _standing() -> Select[Any]:
    """The texts, and where each stands among vectors and clusters."""
    tables: FromClause = texts.join(items, items.c.name == texts.c.item)
    return select(
        texts,
        _STATE.label("state"),
        members.c.cluster_id,
        item_vectors.c.error_reason,
        item_vectors.c.error_message,
    ).select_from(tables.outerjoin(item_vectors, _HELD).outerjoin(members, _PLACED))


def _where(condition: Condition) -> ColumnElement[bool]:
    match condition.field:
        case "state":
            column: ColumnElement[Any] = _STATE
        case "cluster":
            column = members.c.cluster_id
        case field:
            column = texts.c[field]
    if condition.op == "=":
        return column == condition.value
    return column.is_distinct_from(condition.value)


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)


def _inserted(rows: Sequence[StoredText]) -> Insert:
    json_of = {"metadata": lambda column: cast(column, JSONB)}
    return inserted(texts, [_row(text) for text in rows], json_of)


def _row(text: StoredText) -> dict[str, object]:
    return {
        "item": text.name,
        "scope": text.scope,
        "source": text.source,
        "external_id": text.external_id,
        "title": text.title,
        "body": text.body,
        "url": text.url,
        "metadata": json.dumps(dict(text.metadata)),
        "repository": text.repository,
        "text_hash": text.text_hash,
        "truncated": text.truncated,
        "source_time": text.source_time,
        "create_time": text.create_time,
        "update_time": text.update_time,
    }


def _to_text(row: Row[Any]) -> StoredText:
    state = TextState(row.state)
    return StoredText(
        name=row.item,
        scope=row.scope,
        source=row.source,
        external_id=row.external_id,
        title=row.title,
        body=row.body,
        create_time=row.create_time,
        update_time=row.update_time,
        url=row.url,
        metadata=row.metadata,
        repository=row.repository,
        truncated=row.truncated,
        source_time=row.source_time,
        state=state,
        cluster_id="" if state is TextState.CLOSED else row.cluster_id or "",
        error_reason=row.error_reason or "" if state is TextState.QUARANTINED else "",
        error_message=row.error_message or "" if state is TextState.QUARANTINED else "",
    )
