"""Photos in PostgreSQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page, PageRequest
from services.catalog.domain.measures import pending
from services.catalog.domain.names import Key, no_photo, no_pillar
from services.catalog.domain.photo import Photo, PhotoState, PostUse, TagCount
from services.catalog.domain.supply import Stock
from services.catalog.ports import Due, Listing
from services.catalog.repository.photo_rows import photo_of, photo_rows, rewritten, values_of
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import all_of, compared, matched, page_of, read_page
from services.catalog.repository.stocks import stock_of, stocks_at
from services.catalog.tables import PHOTOS, POST_USES

_C = PHOTOS.c
_BY_KEY = photo_rows().where(
    _C.persona_id == sa.bindparam("persona"), _C.id == sa.bindparam("photo")
)
_OF_CONTENT = photo_rows().where(
    _C.persona_id == sa.bindparam("persona"), _C.sha256 == sa.bindparam("sha256")
)


class PhotoRepository:
    """See ``ports.Photos``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, photo: Photo) -> bool:
        """See Photos. A concurrent twin waits for the first to end."""
        values = values_of(photo) | {"measure_due": _due_time(photo)}
        with _pillar_gone(photo):
            added = await self._connection.execute(_addition(tuple(values)), values)
            return added.one_or_none() is not None

    async def get(self, key: Key) -> Photo:
        """See Photos."""
        parameters = {"persona": key.persona, "photo": key.id}
        found = (await self._connection.execute(_BY_KEY, parameters)).one_or_none()
        if found is None:
            raise no_photo(*key)
        return photo_of(found)

    async def locked(self, key: Key) -> Photo | None:
        """See Photos."""
        return await self._find(
            photo_rows().where(_is(key)).with_for_update(of=PHOTOS, key_share=True)
        )

    async def locked_all(self, persona: str, ids: Collection[str]) -> Mapping[str, Photo]:
        """See Photos. In one order, so that two of these cannot wait for each other."""
        rows = photo_rows().where(_C.persona_id == persona, _C.id.in_(ids)).order_by(_C.id)
        found = await self._connection.execute(rows.with_for_update(of=PHOTOS, key_share=True))
        return {photo.id: photo for photo in map(photo_of, found)}

    async def existing(self, persona: str, ids: Collection[str]) -> Collection[str]:
        """See Photos."""
        rows = sa.select(_C.id).where(_C.persona_id == persona, _C.id.in_(ids))
        return {row.id for row in await self._connection.execute(rows)}

    async def of_content(self, persona: str, sha256: str) -> Photo | None:
        """See Photos."""
        parameters = {"persona": persona, "sha256": sha256}
        found = (await self._connection.execute(_OF_CONTENT, parameters)).one_or_none()
        return None if found is None else photo_of(found)

    async def of_post(self, persona: str, post: str) -> Photo | None:
        """See Photos."""
        use = POST_USES.c
        used = sa.select(use.photo_id).where(use.post == post).scalar_subquery()
        return await self._find(photo_rows().where(_C.persona_id == persona, _C.id == used))

    async def save(self, photo: Photo) -> None:
        """See Photos."""
        key = Key(photo.persona, photo.id)
        with _pillar_gone(photo):
            await self._connection.execute(PHOTOS.update().where(_is(key)).values(values_of(photo)))

    async def save_all(self, photos: Sequence[Photo]) -> None:
        """See Photos."""
        if photos:
            with _pillar_gone(photos[0]):
                await self._connection.execute(rewritten(photos))

    async def delete(self, key: Key) -> None:
        """See Photos."""
        await self._connection.execute(PHOTOS.delete().where(_is(key)))

    async def page(self, persona: str, listing: Listing) -> Page[Photo]:
        """See Photos."""
        rows, leading = _listed(persona, listing), _LEADING[listing.order]
        page = await read_page(self._connection, rows, PHOTOS, listing, photo_of, leading)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page

    async def tags(self, persona: str, prefix: str, page: PageRequest) -> Page[TagCount]:
        """See Photos."""
        rows = _tags(persona, prefix, page)
        found = [TagCount(*row) for row in await self._connection.execute(rows)]
        if not found:
            await require_persona(self._connection, persona)
        last = found[page.size - 1] if len(found) > page.size else None
        next_key = None if last is None else (last.photos, last.tag)
        return Page(found[: page.size], next_key)

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

    async def repeat_failed(self, persona: str, wanted: Collection[str], now: datetime) -> int:
        """See Photos."""
        given = {"persona": persona, "wanted": list(wanted), "now": now}
        (counted,) = await self._connection.execute(_REPEAT, given)
        return int(counted.photos)

    async def make_due(self, ids: Collection[str], now: datetime) -> None:
        """See Photos."""
        due = {"measure_due": now, "measure_attempts": 0}
        await self._connection.execute(PHOTOS.update().where(_C.id.in_(ids)).values(due))

    async def take_due(self, now: datetime, until: datetime, count: int) -> Sequence[Due]:
        """See Photos."""
        due = (
            sa.select(_C.id)
            .where(_C.measure_due <= now)
            .order_by(_C.measure_due)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        taken = {"measure_due": until, "measure_attempts": _C.measure_attempts + 1}
        statement = (
            PHOTOS.update()
            .where(_C.id.in_(due))
            .values(taken)
            .returning(PHOTOS, sa.null().label("posts"), sa.null().label("lineage"))
        )
        found = await self._connection.execute(statement)
        return [Due(photo_of(row), row.measure_attempts) for row in found]

    async def put_off(self, ids: Collection[str], until: datetime) -> None:
        """See Photos."""
        later = {"measure_due": until, "measure_attempts": _C.measure_attempts - 1}
        await self._connection.execute(PHOTOS.update().where(_C.id.in_(ids)).values(later))

    async def save_measured(self, photo: Photo) -> None:
        """See Photos."""
        values = values_of(photo)
        if not pending(photo.picture.measures):
            values |= {"measure_due": None, "measure_attempts": 0}
        await self._connection.execute(PHOTOS.update().where(_C.id == photo.id).values(values))

    async def stocks(
        self, persona: str, as_of: datetime, shares_since: datetime
    ) -> Sequence[Stock]:
        """See Photos."""
        rows = await self._connection.execute(stocks_at(persona, as_of, shares_since))
        return [stock_of(row) for row in rows]

    async def _find(self, rows: sa.Select[Any]) -> Photo | None:
        found = (await self._connection.execute(rows)).one_or_none()
        return None if found is None else photo_of(found)


# Rewrites the documents in place: there may be very many.
_REPEAT = sa.text(
    f"""
    WITH repeated AS (
        UPDATE {PHOTOS.fullname} SET
            measures = (
                SELECT jsonb_agg(
                    CASE
                        WHEN measure ->> 'state' = 'FAILED' AND measure ->> 'id' = ANY(:wanted)
                        THEN jsonb_build_object('id', measure -> 'id', 'state', 'PENDING')
                        ELSE measure
                    END
                    ORDER BY place
                )
                FROM jsonb_array_elements(measures) WITH ORDINALITY AS entry(measure, place)
            ),
            measure_due = :now, measure_attempts = 0, update_time = :now, version = version + 1
        WHERE persona_id = :persona AND EXISTS (
            SELECT FROM jsonb_array_elements(measures) AS measure
            WHERE measure ->> 'state' = 'FAILED' AND measure ->> 'id' = ANY(:wanted)
        )
        RETURNING 1
    )
    SELECT count(*) AS photos FROM repeated
    """
)

_LEADING: Mapping[str, sa.ColumnElement[Any] | None] = {
    "create_time": None,
    # As the index has it. Photos that have no quality come last.
    "quality": sa.func.coalesce(_C.quality, sa.literal_column("-1"), type_=sa.Double),
}


def listed(persona: str, listing: Listing) -> sa.Select[Any]:
    """What a page of the photos of ``persona`` is read with."""
    return page_of(_listed(persona, listing), PHOTOS, listing, _LEADING[listing.order])


def _listed(persona: str, listing: Listing) -> sa.Select[Any]:
    conditions = all_of(listing.conditions, _meaning)
    return photo_rows().where(_C.persona_id == persona, *conditions)


def _due_time(photo: Photo) -> datetime | None:
    """When what is not measured yet is to be measured: at once."""
    return photo.create_time if pending(photo.picture.measures) else None


def _tags(persona: str, prefix: str, page: PageRequest) -> sa.Select[Any]:
    """The tags of photos in use, counted, and one more than the page has."""
    given = sa.select(sa.func.unnest(_C.tags, type_=sa.Text).label("tag"))
    in_use = given.where(_C.persona_id == persona, _C.state == PhotoState.ACTIVE).subquery()
    tag, photos = in_use.c.tag, sa.func.count()
    rows = sa.select(tag, photos).group_by(tag).order_by(photos.desc(), tag).limit(page.size + 1)
    if prefix:
        rows = rows.where(tag.startswith(prefix, autoescape=True))
    if page.after is not None:
        fewer, last = page.after
        rows = rows.having(sa.or_(photos < fewer, sa.and_(photos == fewer, tag > last)))
    return rows


@cache
def _addition(columns: tuple[str, ...]) -> sa.Executable:
    """A constant, made when it is first known which columns a photo fills."""
    values: dict[str, Any] = {name: sa.bindparam(name) for name in columns}
    return (
        insert(PHOTOS)
        .values(values)
        .on_conflict_do_nothing(constraint="photos_content_key")
        .returning(_C.id)
    )


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.persona_id == key.persona, _C.id == key.id)


def _meaning(condition: Condition) -> sa.ColumnElement[Any]:
    match condition.field:
        case "tag":
            wanted = sa.cast(condition.texts, _C.tags.type)
            tagged: sa.ColumnElement[Any] = _C.tags.overlap(wanted)
            return sa.not_(tagged) if condition.op == "!=" else tagged
        case "file_name":
            return matched(_C.file_name, condition)
        case "pillar":
            return compared(_C.pillar_id, condition)
        case field:
            return compared(_C[field.replace(".", "_")], condition)


@contextmanager
def _pillar_gone(photo: Photo) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if violated(error) == "photos_pillar_fkey":
            raise no_pillar(photo.persona, photo.pillar) from error
        raise
