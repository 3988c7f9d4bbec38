"""Posts in PostgreSQL, with their publications."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import AlreadyExists, Conflict
from libs.rpc.paging import Page
from services.scheduler.domain.names import POST, Key, no_post
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Publication
from services.scheduler.ports import Placed, PostListing
from services.scheduler.repository.rows import (
    approval_values,
    as_page,
    compared,
    one_page,
    publication_values,
    to_post,
    to_publication,
)
from services.scheduler.tables import POSTS, PUBLICATIONS

_C = POSTS.c
_P = PUBLICATIONS.c
_CONDITIONS = {
    "state": _C.state,
    "photo": _C.photo,
    "pillar": _C.pillar,
    "campaign": _C.campaign,
    "suggestion": _C.suggestion,
    "scheduled_time": _C.scheduled_time,
}
# See the index posts_photo_key.
_IS_HELD = _C.state != "cancelled"
# Watchers ask it often, so it is a constant; see ``Database.reading``.
_VERSION = sa.select(_C.version).where(
    _C.id == sa.bindparam("id"), _C.persona_id == sa.bindparam("persona")
)


class PostRepository:
    """See ``ports.Posts``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, post: Post, prepare_at: datetime) -> None:
        """See Posts."""
        row = {**_new_post(post), "prepare_time": prepare_at}
        if not await self._inserted(POSTS, row):
            raise await self._taken(post, _C.photo == post.photo, _C.state != "cancelled")
        await self.add_publications(post)

    async def add_publications(self, post: Post) -> None:
        """See Posts."""
        for publication in sorted(post.publications, key=lambda p: p.channel):
            if not await self._inserted(PUBLICATIONS, _new_publication(publication)):
                raise await self._taken(post, _C.id.in_(_posts_on_channel(publication)))

    async def imported(self, persona: str, external_ids: Collection[str]) -> Mapping[str, Post]:
        """See Posts."""
        found = await self._read(
            POSTS.select().where(_C.persona_id == persona, _C.external_id.in_(external_ids))
        )
        return {post.external_id: post for post in found}

    async def taken(self, photos: Collection[str]) -> Collection[str]:
        """See Posts."""
        rows = sa.select(_C.photo).where(_C.photo.in_(photos), _C.photo != "", _IS_HELD)
        return set((await self._connection.execute(rows)).scalars())

    async def captions(self, persona: str, limit: int) -> Sequence[str]:
        """See Posts."""
        found = await self._connection.execute(
            sa.select(_C.caption)
            .where(_C.persona_id == persona, _C.caption != "", _IS_HELD)
            .order_by(_C.list_time.desc(), _C.id.desc())
            .limit(limit)
        )
        return list(found.scalars())

    async def lock_calendar(self, persona: str) -> None:
        """See Posts."""
        await self._lock(f"calendar of {persona}")

    async def times(self, persona: str, start: datetime, end: datetime) -> Sequence[datetime]:
        """See Posts."""
        rows = sa.select(_C.scheduled_time).where(
            _C.persona_id == persona,
            _C.list_time.between(start, end),
            _C.scheduled_time.is_not(None),
            _C.state.not_in(("cancelled", "failed")),
        )
        return (await self._connection.execute(rows)).scalars().all()

    async def placed(self, persona: str, start: datetime, end: datetime) -> Sequence[Placed]:
        """See Posts."""
        at = sa.func.coalesce(_C.posted_time, _C.scheduled_time)
        rows = sa.select(at, _C.photo, _C.pillar).where(
            _C.persona_id == persona,
            _C.list_time.between(start, end),
            _C.scheduled_time.is_not(None),
            _C.photo != "",
            _C.state.not_in(("cancelled", "failed")),
        )
        return [Placed(*row) for row in await self._connection.execute(rows)]

    async def suggestions_of(self, campaign: str) -> Collection[str]:
        """See Posts."""
        rows = sa.select(_C.suggestion).where(_C.campaign == campaign)
        return (await self._connection.execute(rows)).scalars().all()

    async def awaiting(self, suggestion: str) -> Key | None:
        """See Posts."""
        here = sa.and_(_C.suggestion == suggestion, _C.state == "awaiting_image")
        rows = sa.select(_C.persona_id, _C.id).where(here).order_by(_C.create_time, _C.id).limit(1)
        row = (await self._connection.execute(rows)).one_or_none()
        return Key(*row) if row else None

    async def get(self, key: Key) -> Post:
        """See Posts."""
        found = await self._read(POSTS.select().where(_is(key)))
        if not found:
            raise no_post(key)
        return found[0]

    async def locked(self, key: Key) -> Post:
        """See Posts."""
        await self._connection.execute(sa.select(_C.id).where(_is(key)).with_for_update())
        return await self.get(key)

    async def of_publication(self, publication: str) -> Post | None:
        """See Posts."""
        found = await self._read(POSTS.select().where(_C.id == _owner_of(publication)))
        return found[0] if found else None

    async def locked_of_publication(self, publication: str) -> Post | None:
        """See Posts."""
        rows = sa.select(_C.id).where(_C.id == _owner_of(publication)).with_for_update()
        await self._connection.execute(rows)
        return await self.of_publication(publication)

    async def locked_of_photo(self, photo: str) -> Post | None:
        """See Posts."""
        here = sa.and_(_C.photo == photo, _C.photo != "", _IS_HELD)
        rows = sa.select(_C.persona_id, _C.id).where(here).with_for_update()
        row = (await self._connection.execute(rows)).one_or_none()
        return await self.get(Key(*row)) if row else None

    async def save(self, post: Post) -> None:
        """See Posts."""
        statement = (
            POSTS.update()
            .where(_C.id == post.id)
            .values(
                photo=post.photo,
                photo_sha256=post.photo_sha256,
                pillar=post.pillar,
                caption=post.caption,
                hashtags=list(post.hashtags),
                final_text=post.final_text,
                alt_text=post.alt_text,
                state=post.state,
                state_reason=post.state_reason,
                scheduled_time=post.scheduled_time,
                strategy=post.strategy,
                slot_reason=post.slot_reason,
                posted_time=post.posted_time,
                update_time=post.update_time,
                version=post.version,
                **approval_values(post.approval),
            )
        )
        await self._connection.execute(statement)

    async def keep_media(self, post: str, snapshot: Snapshot) -> None:
        """See Posts."""
        statement = (
            POSTS.update()
            .where(_C.id == post)
            .values(
                media_key=snapshot.key,
                media_sha256=snapshot.sha256,
                media_type=snapshot.mime_type,
                media_bytes=snapshot.size_bytes,
                media_width=snapshot.width,
                media_height=snapshot.height,
            )
        )
        await self._connection.execute(statement)

    async def lock_media(self, key: str) -> None:
        """See Posts."""
        await self._lock(f"media {key}")

    async def spent_media(self, before: datetime, limit: int) -> Sequence[str]:
        """See Posts."""
        rows = sa.select(_C.media_key).where(_C.media_key != "").group_by(_C.media_key)
        spent = rows.having(~sa.func.bool_or(_needs_media(before))).limit(limit)
        return (await self._connection.execute(spent)).scalars().all()

    async def forget_media(self, key: str, before: datetime) -> bool:
        """See Posts."""
        is_needed = sa.exists().where(_C.media_key == key, _needs_media(before))
        if (await self._connection.execute(sa.select(is_needed))).scalar_one():
            return False
        forget = POSTS.update().where(_C.media_key == key).values(media_key="")
        await self._connection.execute(forget)
        return True

    async def page(self, listing: PostListing) -> Page[Post]:
        """See Posts."""
        conditions = [compared(_CONDITIONS[c.field], c) for c in listing.conditions]
        rows = POSTS.select().where(*conditions)
        if listing.persona is not None:
            rows = rows.where(_C.persona_id == listing.persona)
        page, descending = listing.page, listing.descending
        limited = one_page(rows, _C.list_time, _C.id, page, descending=descending)
        found = await self._read(limited, descending=descending)
        return as_page(found, page.size, lambda post: (post.list_time, post.id))

    async def version(self, key: Key) -> int:
        """See Posts."""
        found = await self._connection.execute(_VERSION, {"id": key.id, "persona": key.persona})
        row = found.one_or_none()
        if row is None:
            raise no_post(key)
        return int(row.version)

    async def unprepared(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """See Posts."""
        due = (
            sa.select(_C.id)
            .where(_C.prepare_time <= now, _C.media_key == "", _C.state == "scheduled")
            .order_by(_C.prepare_time)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = (
            POSTS.update()
            .where(_C.id.in_(due))
            .values(prepare_time=again_at)
            .returning(_C.persona_id, _C.id)
        )
        return [Key(*row) for row in await self._connection.execute(statement)]

    async def _read(self, rows: sa.Select[Any], *, descending: bool = True) -> list[Post]:
        # One statement, so that a post and its publications agree.
        chosen = rows.subquery("chosen")
        time, id = chosen.c.list_time, chosen.c.id
        order = (time.desc(), id.desc()) if descending else (time.asc(), id.asc())
        joined = chosen.outerjoin(PUBLICATIONS, _P.post_id == id)
        statement = sa.select(*chosen.c, *_P).select_from(joined).order_by(*order, _P.channel_id)
        found = [tuple(row) for row in await self._connection.execute(statement)]
        return [_post(list(group)) for _, group in groupby(found, key=lambda row: row[0])]

    async def _lock(self, what: str) -> None:
        key = sa.func.hashtextextended(what, 0)
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    async def _inserted(self, table: sa.Table, row: dict[str, Any]) -> bool:
        # A conflict is no error of the database, so that the transaction can tell who was first.
        statement = insert(table).values(row).on_conflict_do_nothing().returning(table.c.id)
        return (await self._connection.execute(statement)).scalar_one_or_none() is not None

    async def _taken(self, post: Post, *same: sa.ColumnElement[bool]) -> AlreadyExists | Conflict:
        rows = sa.select(_C.persona_id, _C.id, _C.state).where(*same).limit(1)
        first = (await self._connection.execute(rows)).one_or_none()
        if first is None:
            return Conflict(f"{post.photo} was in another post until just now; try again")
        name = POST.format(first.persona_id, first.id)
        text = f"{post.photo} has a post already: {name}, which is {first.state}"
        if first.state == "cancelled":
            text += " but may be out; it stays taken on that channel, name other channels"
        return AlreadyExists(
            "post",
            name,
            text,
            reason="PHOTO_ALREADY_SCHEDULED",
            metadata={"existing_post": name, "state": first.state.upper()},
        )


def _posts_on_channel(publication: Publication) -> sa.Select[Any]:
    """The post that has the same bytes on the channel, or is the same post at the provider.

    See the indexes publications_photo_key and publications_provider_post_key.
    """
    has_photo = sa.and_(
        _P.persona_id == publication.persona,
        _P.channel_id == publication.channel,
        _P.photo_sha256 == publication.photo_sha256,
        sa.or_(_P.state != "cancelled", _P.in_doubt),
        _P.state != "missed",
        sa.or_(_P.state != "failed", _P.provider_post_id != ""),
    )
    is_same = sa.and_(
        _P.provider_post_id != "",
        _P.provider == publication.provider,
        _P.provider_post_id == publication.provider_post_id,
    )
    return sa.select(_P.post_id).where(sa.or_(has_photo, is_same))


def _needs_media(before: datetime) -> sa.ColumnElement[bool]:
    """Whether a publication of the post has not ended, or not before that moment."""
    has_not_ended = sa.or_(_P.end_time.is_(None), _P.end_time >= before)
    return sa.exists().where(_P.post_id == _C.id, has_not_ended)


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.id == key.id, _C.persona_id == key.persona)


def _owner_of(publication: str) -> Any:
    return sa.select(_P.post_id).where(_P.id == publication).scalar_subquery()


def _post(rows: Sequence[tuple[Any, ...]]) -> Post:
    columns = len(_C)
    publications = [dict(zip(_P.keys(), row[columns:], strict=True)) for row in rows]
    return to_post(
        dict(zip(_C.keys(), rows[0][:columns], strict=True)),
        [to_publication(row) for row in publications if row["id"] is not None],
    )


def _new_post(post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "persona_id": post.persona,
        "photo": post.photo,
        "photo_sha256": post.photo_sha256,
        "pillar": post.pillar,
        "caption": post.caption,
        "hashtags": list(post.hashtags),
        "final_text": post.final_text,
        "alt_text": post.alt_text,
        "scheduled_time": post.scheduled_time,
        "state": post.state,
        "strategy": post.strategy,
        "slot_reason": post.slot_reason,
        "state_reason": post.state_reason,
        "suggestion": post.suggestion,
        "campaign": post.campaign,
        "external_id": post.external_id,
        "posted_time": post.posted_time,
        "create_time": post.create_time,
        "update_time": post.update_time,
        "version": post.version,
    }


def _new_publication(publication: Publication) -> dict[str, Any]:
    return {
        **publication_values(publication),
        "id": publication.id,
        "post_id": publication.post,
        "persona_id": publication.persona,
        "channel_id": publication.channel,
        "provider": publication.provider,
        "photo_sha256": publication.photo_sha256,
        "media_token": publication.media_token,
    }
