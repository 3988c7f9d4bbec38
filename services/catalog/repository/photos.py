"""Photos in PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.catalog.domain.names import Key, no_photo, no_pillar
from services.catalog.domain.photo import Photo, PostUse
from services.catalog.domain.supply import Stock
from services.catalog.ports import Listing
from services.catalog.repository.photo_rows import photo_of, values_of
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import all_of, compared, matched, read_page
from services.catalog.repository.stocks import stock_of, stocks_at
from services.catalog.tables import PHOTOS, POST_USES

_C = PHOTOS.c
_BY_KEY = PHOTOS.select().where(
    _C.persona_id == sa.bindparam("persona"), _C.id == sa.bindparam("photo")
)


class PhotoRepository:
    """See ``ports.Photos``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, photo: Photo) -> bool:
        """See Photos. A concurrent twin waits for the first to end."""
        statement = (
            insert(PHOTOS)
            .values(values_of(photo))
            .on_conflict_do_nothing(constraint="photos_content_key")
            .returning(_C.id)
        )
        with _pillar_gone(photo):
            return (await self._connection.execute(statement)).first() is not None

    async def get(self, key: Key) -> Photo:
        """See Photos."""
        parameters = {"persona": key.persona, "photo": key.id}
        found = (await self._connection.execute(_BY_KEY, parameters)).one_or_none()
        if found is None:
            raise no_photo(*key)
        return photo_of(found)

    async def locked(self, key: Key) -> Photo | None:
        """See Photos."""
        return await self._find(PHOTOS.select().where(_is(key)).with_for_update())

    async def of_content(self, persona: str, sha256: str) -> Photo | None:
        """See Photos."""
        return await self._find(
            PHOTOS.select().where(_C.persona_id == persona, _C.sha256 == sha256)
        )

    async def save(self, photo: Photo) -> None:
        """See Photos."""
        key = Key(photo.persona, photo.id)
        with _pillar_gone(photo):
            await self._connection.execute(PHOTOS.update().where(_is(key)).values(values_of(photo)))

    async def delete(self, key: Key) -> None:
        """See Photos."""
        await self._connection.execute(PHOTOS.delete().where(_is(key)))

    async def page(self, persona: str, listing: Listing) -> Page[Photo]:
        """See Photos."""
        conditions = all_of(listing.conditions, _meaning)
        rows = PHOTOS.select().where(_C.persona_id == persona, *conditions)
        page = await read_page(self._connection, rows, PHOTOS, listing, photo_of)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page

    async def scene_of(self, key: Key) -> str:
        """See Photos."""
        rows = sa.select(_C.scene).where(_is(key)).with_for_update(read=True)
        found = await self._connection.execute(rows)
        return found.scalar_one_or_none() or key.id

    async def join_scenes(self, persona: str, scene: str, other: str) -> None:
        """See Photos."""
        members = sa.and_(_C.persona_id == persona, _C.scene == scene)
        moved = {"scene": other, "version": _C.version + 1}
        await self._connection.execute(PHOTOS.update().where(members).values(moved))

    async def use(self, photo: str, post: str, use: PostUse, version: int) -> bool:
        """See Photos."""
        new = {"state": use.state, "posted_time": use.posted_time, "post_version": version}
        statement = (
            insert(POST_USES)
            .values(photo_id=photo, post=post, **new)
            .on_conflict_do_update(
                index_elements=[POST_USES.c.photo_id, POST_USES.c.post],
                set_=new,
                where=POST_USES.c.post_version < version,
            )
            .returning(POST_USES.c.post)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def uses(self, photo: str) -> Sequence[PostUse]:
        """See Photos."""
        columns = (POST_USES.c.state, POST_USES.c.posted_time)
        rows = sa.select(*columns).where(POST_USES.c.photo_id == photo)
        return [PostUse(row.state, row.posted_time) for row in await self._connection.execute(rows)]

    async def stocks(
        self, persona: str, as_of: datetime, shares_since: datetime
    ) -> Sequence[Stock]:
        """See Photos."""
        rows = await self._connection.execute(stocks_at(persona, as_of, shares_since))
        return [stock_of(row) for row in rows]

    async def _find(self, rows: sa.Select[Any]) -> Photo | None:
        found = (await self._connection.execute(rows)).one_or_none()
        return None if found is None else photo_of(found)


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.persona_id == key.persona, _C.id == key.id)


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    match condition.field:
        case "tag":
            tagged = _C.tags.contains([condition.value])
            return tagged if condition.op == "=" else sa.not_(tagged)
        case "file_name":
            return matched(_C.file_name, condition, str(condition.value))
        case "pillar":
            return compared(_C.pillar_id, condition)
        case "embedding.state":
            return compared(_C.embedding_state, condition)
        case field:
            return compared(_C[field], condition)


@contextmanager
def _pillar_gone(photo: Photo) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if violated(error) == "photos_pillar_fkey":
            raise no_pillar(photo.persona, photo.pillar) from error
        raise
