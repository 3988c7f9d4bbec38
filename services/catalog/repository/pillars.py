"""Pillars in PostgreSQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.errors import AlreadyExists, FailedPrecondition
from libs.rpc.paging import Page
from services.catalog.domain.names import PILLAR, Key, no_persona, no_pillar
from services.catalog.domain.photo import PhotoState
from services.catalog.domain.pillar import Guidelines, Pillar, PillarState
from services.catalog.domain.strategy import DEFAULT_POSTS_PER_WEEK, Strategy
from services.catalog.ports import Listing
from services.catalog.repository.rows import (
    Document,
    all_of,
    compared,
    read_page,
)
from services.catalog.tables import PERSONAS, PHOTOS, PILLARS, RUNS

_C = PILLARS.c
_GUIDELINES = Document(Guidelines)
_BY_KEY = PILLARS.select().where(
    _C.persona_id == sa.bindparam("persona"), _C.id == sa.bindparam("pillar")
)


class PillarRepository:
    """See ``ports.Pillars``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, pillar: Pillar) -> None:
        """See Pillars."""
        with _names_taken(pillar):
            await self._connection.execute(PILLARS.insert().values(_values(pillar)))

    async def add_all(self, pillars: Sequence[Pillar]) -> None:
        """See Pillars."""
        if pillars:
            await self._connection.execute(PILLARS.insert(), [_values(p) for p in pillars])

    async def get(self, key: Key) -> Pillar:
        """See Pillars."""
        found = (await self._connection.execute(_counted().where(_is(key)))).one_or_none()
        if found is None:
            raise no_pillar(*key)
        return _pillar(found, found.photo_count)

    async def plain(self, key: Key) -> Pillar:
        """See Pillars."""
        parameters = {"persona": key.persona, "pillar": key.id}
        found = (await self._connection.execute(_BY_KEY, parameters)).one_or_none()
        if found is None:
            raise no_pillar(*key)
        return _pillar(found)

    async def save(self, pillar: Pillar) -> None:
        """See Pillars."""
        key = Key(pillar.persona, pillar.id)
        with _names_taken(pillar):
            await self._connection.execute(PILLARS.update().where(_is(key)).values(_values(pillar)))

    async def delete(self, key: Key) -> None:
        """See Pillars."""
        try:
            await self._connection.execute(PILLARS.delete().where(_is(key)))
        except IntegrityError as error:
            if violated(error) != "photos_pillar_fkey":
                raise
            name = PILLAR.format(*key)
            raise FailedPrecondition(
                f"{name} still has photos; move or delete them first, or make it inactive",
                reason="NOT_EMPTY",
                metadata={"pillar": name},
            ) from error

    async def page(self, persona: str, listing: Listing) -> Page[Pillar]:
        """See Pillars."""
        conditions = all_of(listing.conditions, lambda c: compared(_C.state, c))
        rows = _counted().where(_C.persona_id == persona, *conditions)
        page = await read_page(
            self._connection, rows, PILLARS, listing, lambda row: _pillar(row, row.photo_count)
        )
        if not page.rows:
            await require_persona(self._connection, persona)
        return page

    async def weight_beside(self, key: Key, now: datetime) -> int:
        """See Pillars."""
        rows = sa.select(sa.func.coalesce(sa.func.sum(_C.weight), 0)).where(
            _C.persona_id == key.persona,
            _C.id != key.id,
            _C.state == PillarState.ACTIVE,
            sa.or_(_C.end_time.is_(None), _C.end_time > now),
        )
        return int((await self._connection.execute(rows)).scalar_one())

    async def of_persona(self, persona: str) -> Sequence[Pillar]:
        """See Pillars."""
        rows = _counted().where(_C.persona_id == persona).order_by(_C.create_time, _C.id)
        return [_pillar(row, row.photo_count) for row in await self._connection.execute(rows)]

    async def strategy(self, persona: str) -> Strategy:
        """See Pillars."""
        return _strategy(persona, await self._connection.execute(_strategy_rows(persona)))

    async def strategy_at(
        self, persona: str, as_of: datetime
    ) -> tuple[Strategy, Mapping[str, int]]:
        """See Pillars."""
        waiting = (
            sa.select(sa.func.count())
            .select_from(RUNS)
            .where(
                RUNS.c.persona_id == _C.persona_id,
                RUNS.c.pillar_id == _C.id,
                sa.literal_column("runs.state = 'WAITING'", sa.Boolean),
                RUNS.c.create_time <= as_of,
            )
            .correlate(PILLARS)
            .scalar_subquery()
        )
        rows = _strategy_rows(persona).add_columns(waiting.label("awaiting_vote"))
        found = (await self._connection.execute(rows)).all()
        awaiting = {row.id: row.awaiting_vote for row in found if row.id is not None}
        return _strategy(persona, found), awaiting

    async def heaviest(self, persona: str) -> Pillar | None:
        """See Pillars."""
        active = _C.state == PillarState.ACTIVE
        order = (active.desc(), _C.weight.desc(), _C.create_time, _C.id)
        rows = PILLARS.select().where(_C.persona_id == persona).order_by(*order).limit(1)
        found = (await self._connection.execute(rows)).one_or_none()
        return None if found is None else _pillar(found)


async def require_persona(connection: AsyncConnection, persona: str) -> None:
    """Raises NotFound for an unknown persona."""
    rows = sa.select(PERSONAS.c.id).where(PERSONAS.c.id == persona)
    if (await connection.execute(rows)).one_or_none() is None:
        raise no_persona(persona)


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.persona_id == key.persona, _C.id == key.id)


def _counted() -> sa.Select[Any]:
    """Pillars with their photos counted in the same statement, for the rows of the page only."""
    photo = PHOTOS.c
    same = sa.and_(photo.persona_id == _C.persona_id, photo.pillar_id == _C.id)
    in_use = photo.state == PhotoState.ACTIVE
    count = sa.select(sa.func.count()).select_from(PHOTOS).where(same, in_use).scalar_subquery()
    return sa.select(PILLARS, count.label("photo_count"))


@contextmanager
def _names_taken(pillar: Pillar) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        match violated(error):
            case "pillars_pkey":
                text = f"there is a {pillar.name} already; choose another pillar_id"
                raise AlreadyExists("pillar", pillar.name, text) from error
            case "pillars_display_key":
                text = f"the persona has a pillar called {pillar.display_name!r} already"
                raise AlreadyExists("pillar", pillar.display_name, text) from error
        raise


def _values(pillar: Pillar) -> dict[str, Any]:
    return {
        "persona_id": pillar.persona,
        "id": pillar.id,
        "display_name": pillar.display_name,
        "display_key": pillar.display_key,
        "description": pillar.description,
        "weight": pillar.weight,
        "priority": pillar.priority,
        "posts_per_week": pillar.posts_per_week,
        "start_time": pillar.start_time,
        "end_time": pillar.end_time,
        "guidelines": _GUIDELINES.store_some(pillar.guidelines),
        "state": pillar.state,
        "create_time": pillar.create_time,
        "update_time": pillar.update_time,
        "version": pillar.version,
    }


def _pillar(row: Any, photo_count: int = 0) -> Pillar:
    return Pillar(
        persona=row.persona_id,
        id=row.id,
        display_name=row.display_name,
        create_time=row.create_time,
        update_time=row.update_time,
        description=row.description,
        weight=row.weight,
        priority=row.priority,
        posts_per_week=row.posts_per_week,
        start_time=row.start_time,
        end_time=row.end_time,
        guidelines=_GUIDELINES.load_some(row.guidelines),
        state=PillarState(row.state),
        photo_count=photo_count,
        version=row.version,
    )


def _strategy_rows(persona: str) -> sa.Select[Any]:
    """The persona, beside each of its pillars if it has any."""
    target = PERSONAS.c.cadence["posts_per_week"].as_integer().label("in_all")
    return (
        sa.select(target, PILLARS)
        .select_from(PERSONAS.outerjoin(PILLARS, _C.persona_id == PERSONAS.c.id))
        .where(PERSONAS.c.id == persona)
    )


def _strategy(persona: str, rows: Iterable[Any]) -> Strategy:
    found = list(rows)
    if not found:
        raise no_persona(persona)
    pillars = tuple(_pillar(row) for row in found if row.id is not None)
    return Strategy(persona, pillars, found[0].in_all or DEFAULT_POSTS_PER_WEEK)
