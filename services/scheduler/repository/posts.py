"""Posts in PostgreSQL, with their publications."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import AlreadyExists, Conflict
from libs.rpc.filtering import Condition
from libs.rpc.paging import Page
from services.scheduler.domain.names import POST, Key, no_post
from services.scheduler.domain.photo import Snapshot
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Publication
from services.scheduler.domain.remote_check import Drift
from services.scheduler.ports import Placed, PostListing
from services.scheduler.repository.rows import (
    approval_values,
    as_page,
    compared,
    one_page,
    publication_values,
    to_post,
    to_publication,
    to_remote_check,
)
from services.scheduler.repository.statements import ROW, update_of
from services.scheduler.tables import POSTS, PUBLICATIONS, REMOTE_CHECKS, TAKES_PHOTO

_C = POSTS.c
_P = PUBLICATIONS.c
_R = REMOTE_CHECKS.c
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


def _whole(rows: sa.Select[Any], *, descending: bool = True) -> sa.Select[Any]:
    """Posts with their publications: one statement, so that they agree."""
    chosen = rows.subquery("chosen")
    time, id = chosen.c.list_time, chosen.c.id
    order = (time.desc(), id.desc()) if descending else (time.asc(), id.asc())
    joined = chosen.outerjoin(PUBLICATIONS, _P.post_id == id).outerjoin(
        REMOTE_CHECKS, _R.publication_id == _P.id
    )
    return sa.select(*chosen.c, *_P, *_R).select_from(joined).order_by(*order, _P.channel_id)


# What publishing and watchers do often are constants; see ``libs.db.constants``.
_IS_ONE = sa.and_(_C.id == sa.bindparam("id"), _C.persona_id == sa.bindparam("persona"))
_OWNS = _C.id == sa.select(_P.post_id).where(_P.id == sa.bindparam("publication")).scalar_subquery()
_ONE = _whole(POSTS.select().where(_IS_ONE))
_LOCK = sa.select(_C.id).where(_IS_ONE).with_for_update()
_OWNER = _whole(POSTS.select().where(_OWNS))
_LOCK_OWNER = sa.select(_C.id).where(_OWNS).with_for_update()
_VERSION = sa.select(_C.version).where(_IS_ONE)


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
        found = await self._found(_ONE, id=key.id, persona=key.persona)
        if not found:
            raise no_post(key)
        return found[0]

    async def locked(self, key: Key) -> Post:
        """See Posts."""
        await self._connection.execute(_LOCK, {"id": key.id, "persona": key.persona})
        return await self.get(key)

    async def of_publication(self, publication: str) -> Post | None:
        """See Posts."""
        found = await self._found(_OWNER, publication=publication)
        return found[0] if found else None

    async def locked_of_publication(self, publication: str) -> Post | None:
        """See Posts."""
        await self._connection.execute(_LOCK_OWNER, {"publication": publication})
        return await self.of_publication(publication)

    async def locked_of_photo(self, photo: str) -> Post | None:
        """See Posts."""
        row = (await self._connection.execute(_latest(photo).with_for_update())).one_or_none()
        return await self.get(Key(*row)) if row else None

    async def latest_of_photo(self, photo: str) -> Post | None:
        """See Posts."""
        row = (await self._connection.execute(_latest(photo))).one_or_none()
        return await self.get(Key(*row)) if row else None

    async def save(self, post: Post) -> None:
        """See Posts."""
        values = {
            "photo": post.photo,
            "photo_sha256": post.photo_sha256,
            "pillar": post.pillar,
            "caption": post.caption,
            "hashtags": list(post.hashtags),
            "final_text": post.final_text,
            "alt_text": post.alt_text,
            "state": post.state,
            "state_reason": post.state_reason,
            "scheduled_time": post.scheduled_time,
            "strategy": post.strategy,
            "slot_reason": post.slot_reason,
            "posted_time": post.posted_time,
            "update_time": post.update_time,
            "version": post.version,
            "repeat_reason": post.repeat_reason,
            "repeats": post.repeats,
            **approval_values(post.approval),
        }
        statement = update_of(POSTS, tuple(values))
        await self._connection.execute(statement, {**values, ROW: post.id})

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
        conditions = [_meets(condition) for condition in listing.conditions]
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
        return _posts(await self._connection.execute(_whole(rows, descending=descending)))

    async def _found(self, posts: sa.Select[Any], **parameters: str) -> list[Post]:
        return _posts(await self._connection.execute(posts, parameters))

    async def _lock(self, what: str) -> None:
        key = sa.func.hashtextextended(what, 0)
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    async def _inserted(self, table: sa.Table, row: dict[str, Any]) -> bool:
        # A conflict is no error of the database, so that the transaction can tell who was first.
        statement = insert(table).values(row).on_conflict_do_nothing().returning(table.c.id)
        return (await self._connection.execute(statement)).scalar_one_or_none() is not None

    async def _taken(self, post: Post, *same: sa.ColumnElement[bool]) -> AlreadyExists | Conflict:
        rows = sa.select(_C.persona_id, _C.id, _C.state).where(*same)
        latest = rows.order_by(_C.generation.desc()).limit(1)
        first = (await self._connection.execute(latest)).one_or_none()
        if first is None:
            return Conflict(f"{post.photo} was in another post until just now; try again")
        name = POST.format(first.persona_id, first.id)
        text = f"{post.photo} has a post already: {name}, which is {first.state}"
        if first.state == "cancelled":
            text += " but may be out; it stays taken on that channel, name other channels"
        elif first.state == "posted":
            text += "; give a repeat reason to send it again"
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
        _P.generation == publication.generation,
        sa.text(TAKES_PHOTO),
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


def _meets(condition: Condition) -> sa.ColumnElement[bool]:
    if condition.field == "remote":
        # All that differ are few, and found by the index, which does not help with "not equal".
        meant = [each for each in Drift if (each == condition.value) is (condition.op == "=")]
        is_so = sa.and_(_R.state.in_(meant), _R.check_time.is_not(None))
        return sa.exists().where(_P.post_id == _C.id, _R.publication_id == _P.id, is_so)
    return compared(_CONDITIONS[condition.field], condition)


def _latest(photo: str) -> sa.Select[Any]:
    here = sa.and_(_C.photo == photo, _C.photo != "", _IS_HELD)
    rows = sa.select(_C.persona_id, _C.id).where(here)
    return rows.order_by(_C.generation.desc()).limit(1)


def _posts(found: Iterable[Any]) -> list[Post]:
    rows = [tuple(row) for row in found]
    return [_post(list(group)) for _, group in groupby(rows, key=lambda row: row[0])]


def _post(rows: Sequence[tuple[Any, ...]]) -> Post:
    publications = [_publication(row[len(_C) :]) for row in rows]
    return to_post(
        dict(zip(_C.keys(), rows[0][: len(_C)], strict=True)),
        [publication for publication in publications if publication is not None],
    )


def _publication(row: Sequence[Any]) -> Publication | None:
    fields = dict(zip(_P.keys(), row[: len(_P)], strict=True))
    if fields["id"] is None:
        return None
    remote = dict(zip(_R.keys(), row[len(_P) :], strict=True))
    return to_publication(fields, to_remote_check(remote, fields["posted_time"]))


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
        "repeat_reason": post.repeat_reason,
        "repeats": post.repeats,
        "generation": post.generation,
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
        "generation": publication.generation,
    }
