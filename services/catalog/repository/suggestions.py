"""Suggestions in PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.catalog.domain.names import Key, no_pillar, no_suggestion
from services.catalog.domain.photo import PhotoState
from services.catalog.domain.seen import Seen
from services.catalog.domain.suggestion import Brief, Suggestion, SuggestionState
from services.catalog.ports import Listing
from services.catalog.ports.planning import Earlier, Known
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import all_of, compared, read_page, same
from services.catalog.tables import PHOTOS, RUNS, SUGGESTIONS

_C = SUGGESTIONS.c
_RECENT = 50
_PENDING = 500
_REJECTED = 50


class SuggestionRepository:
    """See ``ports.Suggestions``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, suggestion: Suggestion) -> None:
        """See Suggestions."""
        await self.add_all([suggestion])

    async def add_all(self, suggestions: Sequence[Suggestion]) -> None:
        """See Suggestions."""
        if suggestions:
            with _pillar_gone(suggestions):
                rows = [_values(suggestion) for suggestion in suggestions]
                await self._connection.execute(SUGGESTIONS.insert(), rows)

    async def get(self, key: Key) -> Suggestion:
        """See Suggestions."""
        return await self._one(_with_run().where(_is(key)), key)

    async def locked(self, key: Key) -> Suggestion:
        """See Suggestions."""
        # Two statements: one that waited for the lock sees the run as it was before the waiting.
        await self._connection.execute(sa.select(_C.id).where(_is(key)).with_for_update())
        return await self.get(key)

    async def save(self, suggestion: Suggestion) -> None:
        """See Suggestions."""
        statement = SUGGESTIONS.update().where(_is(suggestion.key)).values(_changing(suggestion))
        await self._connection.execute(statement)

    async def delete(self, key: Key) -> None:
        """See Suggestions."""
        await self._connection.execute(SUGGESTIONS.delete().where(_is(key)))

    async def page(self, persona: str, listing: Listing) -> Page[Suggestion]:
        """See Suggestions."""
        conditions = all_of(listing.conditions, _meaning)
        rows = _with_run().where(_C.persona_id == persona, *conditions)
        page = await read_page(self._connection, rows, SUGGESTIONS, listing, _suggestion)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page

    async def of_batch(self, batch: str, after_rank: int = 0) -> Sequence[Suggestion]:
        """See Suggestions."""
        rows = _with_run().where(_C.batch_id == batch, _C.rank > after_rank).order_by(_C.rank)
        return await self._all(rows)

    async def known(self, pillar: Key) -> Known:
        """See Suggestions."""
        rows = (
            sa.select(_C.title, _C.prompt, _C.reject_reason)
            .where(_C.persona_id == pillar.persona, _C.pillar_id == pillar.id, _C.prompt != "")
            .order_by(_C.create_time.desc(), _C.id.desc())
        )
        pending = rows.where(_C.state == SuggestionState.PENDING).limit(_PENDING)
        rejected = rows.where(_C.state == SuggestionState.REJECTED).limit(_REJECTED)
        return Known(
            recent=await self._earlier(rows.limit(_RECENT)),
            pending=await self._earlier(pending),
            rejected=await self._earlier(rejected),
        )

    async def seen(self, pillar: Key, count: int) -> Sequence[Seen]:
        """See Suggestions."""
        photo = PHOTOS.c
        columns = (
            photo.id,
            photo.tags,
            photo.caption,
            photo.alt_text,
            photo.file_name,
            photo.source_path,
            photo.width,
            photo.height,
        )
        rows = (
            sa.select(*columns)
            .where(
                photo.persona_id == pillar.persona,
                photo.pillar_id == pillar.id,
                photo.state == PhotoState.ACTIVE,
            )
            .order_by(photo.create_time.desc(), photo.id.desc())
            .limit(count)
        )
        return [_seen(row) for row in await self._connection.execute(rows)]

    async def _one(self, rows: sa.Select[Any], key: Key) -> Suggestion:
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise no_suggestion(*key)
        return _suggestion(found)

    async def _earlier(self, rows: sa.Select[Any]) -> list[Earlier]:
        return [Earlier(*row) for row in await self._connection.execute(rows)]

    async def _all(self, rows: sa.Select[Any]) -> list[Suggestion]:
        return [_suggestion(row) for row in await self._connection.execute(rows)]


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.persona_id == key.persona, _C.id == key.id)


def _with_run() -> sa.Select[Any]:
    joined = SUGGESTIONS.outerjoin(RUNS, RUNS.c.suggestion_id == _C.id)
    return sa.select(SUGGESTIONS, RUNS.c.id.label("run_id")).select_from(joined)


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    columns = {"suggestion_batch": _C.batch_id, "campaign": _C.campaign_id, "pillar": _C.pillar_id}
    column = columns.get(condition.field)
    return compared(_C.state, condition) if column is None else same(column, condition)


@contextmanager
def _pillar_gone(suggestions: Sequence[Suggestion]) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if violated(error) == "suggestions_pillar_fkey":
            raise no_pillar(suggestions[0].persona, suggestions[0].pillar) from error
        raise


def _values(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "persona_id": suggestion.persona,
        "id": suggestion.id,
        "pillar_id": suggestion.pillar,
        "batch_id": suggestion.batch or None,
        "gap_report_id": suggestion.gap_report or None,
        "campaign_id": suggestion.campaign or None,
        "reason": suggestion.reason,
        "gap": suggestion.gap,
        "rank": suggestion.rank,
        "nearest": list(suggestion.nearest),
        "source": suggestion.source,
        "inputs": suggestion.inputs,
        "create_time": suggestion.create_time,
        **_changing(suggestion),
    }


def _changing(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "title": suggestion.brief.title,
        "description": suggestion.brief.description,
        "prompt": suggestion.brief.prompt,
        "keywords": list(suggestion.brief.keywords),
        "state": suggestion.state,
        "reject_reason": suggestion.reject_reason,
        "update_time": suggestion.update_time,
        "version": suggestion.version,
    }


def _suggestion(row: Any) -> Suggestion:
    return Suggestion(
        persona=row.persona_id,
        id=row.id,
        pillar=row.pillar_id,
        brief=Brief(row.title, row.description, row.prompt, tuple(row.keywords)),
        create_time=row.create_time,
        update_time=row.update_time,
        source=row.source,
        batch=row.batch_id or "",
        gap_report=row.gap_report_id or "",
        campaign=row.campaign_id or "",
        reason=row.reason,
        gap=row.gap,
        rank=row.rank,
        nearest=tuple(row.nearest),
        state=SuggestionState(row.state),
        reject_reason=row.reject_reason,
        inputs=row.inputs,
        run=row.run_id or "",
        version=row.version,
    )


def _seen(row: Any) -> Seen:
    return Seen(
        id=row.id,
        tags=tuple(row.tags),
        caption=row.caption,
        alt_text=row.alt_text,
        path=row.source_path or row.file_name,
        width=row.width,
        height=row.height,
    )
