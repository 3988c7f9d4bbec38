"""Personas in PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.errors import AlreadyExists, FailedPrecondition
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.catalog.domain.names import PERSONA, no_persona
from services.catalog.domain.persona import (
    Cadence,
    CaptionConfig,
    HashtagStrategy,
    LibraryStats,
    Persona,
    PersonaState,
)
from services.catalog.domain.photo import EmbeddingState, PhotoState, Usage
from services.catalog.domain.texts import comparable
from services.catalog.ports import Listing
from services.catalog.repository.rows import (
    Document,
    all_of,
    compared,
    matched,
    read_page,
)
from services.catalog.tables import CANDIDATES, PERSONAS, PHOTOS, RUNS

_C = PERSONAS.c
_BY_ID = PERSONAS.select().where(_C.id == sa.bindparam("persona"))
_IN_USE = PHOTOS.c.state == PhotoState.ACTIVE
_PINNED = _BY_ID.with_for_update(read=True)
_CAPTIONS = Document(CaptionConfig)
_HASHTAGS = Document(HashtagStrategy)
_CADENCE = Document(Cadence)


class PersonaRepository:
    """See ``ports.Personas``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, persona: Persona) -> None:
        """See Personas."""
        with _names_taken(persona):
            await self._connection.execute(PERSONAS.insert().values(_values(persona)))

    async def get(self, id: str) -> Persona:
        """See Personas."""
        return _found(await self._connection.execute(_BY_ID, {"persona": id}), id)

    async def locked(self, id: str) -> Persona:
        """See Personas."""
        return await self._one(PERSONAS.select().with_for_update(key_share=True), id)

    async def pinned(self, id: str) -> Persona:
        """See Personas."""
        return _found(await self._connection.execute(_PINNED, {"persona": id}), id)

    async def save(self, persona: Persona) -> None:
        """See Personas."""
        statement = PERSONAS.update().where(_C.id == persona.id).values(_values(persona))
        with _names_taken(persona):
            await self._connection.execute(statement)

    async def delete(self, id: str) -> None:
        """See Personas."""
        try:
            await self._connection.execute(PERSONAS.delete().where(_C.id == id))
        except IntegrityError as error:
            if violated(error) != "pillars_persona_fkey":
                raise
            name = PERSONA.format(id)
            raise FailedPrecondition(
                f"{name} still has pillars; delete them first, or archive the persona",
                reason="NOT_EMPTY",
                metadata={"persona": name},
            ) from error

    async def page(self, listing: Listing) -> Page[Persona]:
        """See Personas."""
        rows = PERSONAS.select().where(*all_of(listing.conditions, _meaning))
        return await read_page(self._connection, rows, PERSONAS, listing, _persona)

    async def stats(self, id: str) -> LibraryStats:
        """See Personas."""
        of_persona = sa.and_(PHOTOS.c.persona_id == _C.id, _IN_USE)
        joined = PERSONAS.outerjoin(PHOTOS, of_persona)
        rows = sa.select(*_counts()).select_from(joined).where(_C.id == id).group_by(_C.id)
        found = (await self._connection.execute(rows)).one_or_none()
        if found is None:
            raise no_persona(id)
        return LibraryStats(**found._mapping)

    async def stats_of(self, ids: Sequence[str]) -> Mapping[str, LibraryStats]:
        """See Personas."""
        joined = PERSONAS.outerjoin(PHOTOS, sa.and_(PHOTOS.c.persona_id == _C.id, _IN_USE))
        rows = sa.select(_C.id, *_counts()).select_from(joined).where(_C.id.in_(ids))
        rows = rows.group_by(_C.id)
        found = await self._connection.execute(rows)
        return {id: LibraryStats(*counts) for id, *counts in found}

    async def _one(self, rows: sa.Select[Any], id: str) -> Persona:
        return _found(await self._connection.execute(rows.where(_C.id == id)), id)


def _counts() -> list[sa.Label[Any]]:
    photo = PHOTOS.c
    embedding, usage = photo.embedding_state, photo.usage
    counted = {
        "photos": photo.id.is_not(None),
        "embedding_pending": embedding == EmbeddingState.PENDING,
        "embedding_ready": embedding == EmbeddingState.READY,
        "embedding_failed": embedding == EmbeddingState.FAILED,
        "unused": usage == Usage.UNUSED,
        "scheduled": usage == Usage.SCHEDULED,
        "posted": usage == Usage.POSTED,
    }
    size = sa.cast(sa.func.coalesce(sa.func.sum(photo.size_bytes), 0), sa.BigInteger)
    counts = [sa.func.count().filter(which).label(name) for name, which in counted.items()]
    return [*counts, size.label("size_bytes"), *_run_counts()]


def _run_counts() -> list[sa.Label[Any]]:
    """Of the runs of a persona, by the conditions that the partial indexes have."""
    run = RUNS.c
    waiting = sa.literal_column("runs.state = 'WAITING'", sa.Boolean)
    completed = sa.literal_column("runs.state = 'COMPLETED'", sa.Boolean)
    won = sa.exists().where(CANDIDATES.c.run_id == run.id, CANDIDATES.c.state == "WINNER")
    which = {
        "awaiting_vote": waiting,
        "winners_without_photo": sa.and_(completed, run.photo_id.is_(None), won),
    }
    return [
        sa.select(sa.func.count())
        .select_from(RUNS)
        .where(run.persona_id == _C.id, condition)
        .scalar_subquery()
        .label(name)
        for name, condition in which.items()
    ]


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    if condition.field == "display_name":
        return matched(_C.display_key, condition, comparable)
    return compared(_C.state, condition)


@contextmanager
def _names_taken(persona: Persona) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        match violated(error):
            case "personas_pkey":
                text = f"there is a {persona.name} already; choose another persona_id"
                raise AlreadyExists("persona", persona.name, text) from error
            case "personas_display_key":
                text = f"there is a persona called {persona.display_name!r} already"
                raise AlreadyExists("persona", persona.display_name, text) from error
        raise


def _values(persona: Persona) -> dict[str, Any]:
    return {
        "id": persona.id,
        "display_name": persona.display_name,
        "display_key": persona.display_key,
        "time_zone": persona.time_zone,
        "voice": persona.voice,
        "caption_config": _CAPTIONS.store_some(persona.caption_config),
        "hashtag_strategy": _HASHTAGS.store_some(persona.hashtag_strategy),
        "cadence": _CADENCE.store_some(persona.cadence),
        "state": persona.state,
        "create_time": persona.create_time,
        "update_time": persona.update_time,
        "version": persona.version,
    }


def _found(rows: Any, id: str) -> Persona:
    row = rows.one_or_none()
    if row is None:
        raise no_persona(id)
    return _persona(row)


def _persona(row: Any) -> Persona:
    return Persona(
        id=row.id,
        display_name=row.display_name,
        create_time=row.create_time,
        update_time=row.update_time,
        time_zone=row.time_zone,
        voice=row.voice,
        caption_config=_CAPTIONS.load_some(row.caption_config),
        hashtag_strategy=_HASHTAGS.load_some(row.hashtag_strategy),
        cadence=_CADENCE.load_some(row.cadence),
        state=PersonaState(row.state),
        version=row.version,
    )
