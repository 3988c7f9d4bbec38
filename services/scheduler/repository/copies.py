"""What is known of photos that show the same picture, in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.names import POST, Key
from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.repeat import Appearance, Likeness
from services.scheduler.tables import PHOTO_COPIES, PHOTO_RIGHTS, POSTS, PUBLICATIONS, TAKES_PHOTO

_C = PHOTO_COPIES.c
_S = PublicationState
_WAITING = (_S.DRAFT, _S.READY, _S.RETRY_WAIT)
_THERE = sa.select(PUBLICATIONS).where(sa.text(TAKES_PHOTO)).subquery("there")
_PAIR = sa.func.jsonb_each_text(_C.copies).table_valued("key", "value").lateral("pair")
_ON = sa.select(
    sa.func.unnest(sa.bindparam("personas", type_=ARRAY(sa.Text))),
    sa.func.unnest(sa.bindparam("channels", type_=ARRAY(sa.Text))),
)
# Every post asks for it as it goes out, so it is a constant; see ``libs.db.constants``.
_SEEN = (
    sa.select(
        _C.photo,
        _PAIR.c.key.label("copy"),
        _PAIR.c.value.label("likeness"),
        POSTS.c.persona_id,
        POSTS.c.id.label("post_id"),
        POSTS.c.repeats,
        _THERE.c.id,
        _THERE.c.channel_id,
        _THERE.c.due_time,
        sa.func.coalesce(_THERE.c.posted_time, _THERE.c.due_time).label("at"),
        _THERE.c.state,
        _THERE.c.was_unknown,
    )
    .select_from(PHOTO_COPIES)
    .join(_PAIR, sa.true())
    .join(POSTS, sa.and_(POSTS.c.photo == _PAIR.c.key, POSTS.c.photo != ""))
    .join(_THERE, _THERE.c.post_id == POSTS.c.id)
    .where(
        _C.photo == sa.any_(sa.bindparam("photos", type_=ARRAY(sa.Text))),
        sa.tuple_(_THERE.c.persona_id, _THERE.c.channel_id).in_(_ON),
    )
)


class CopyRepository:
    """See ``ports.PhotoCopies``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, persona: str, photos: Collection[str]) -> None:
        """See PhotoCopies."""
        if not await self.of(photos):
            return
        key = sa.func.hashtextextended(f"copies of {persona}", 0)
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    async def note(self, photo: str, copies: Mapping[str, Likeness], version: int) -> bool:
        """See PhotoCopies."""
        rows = sa.select(_C.copies).where(_C.photo == photo)
        known = (await self._connection.execute(rows)).scalar_one_or_none() or {}
        gone = await self._deleted(known.keys() - copies.keys())
        kept = {**{name: known[name] for name in gone}, **copies}
        statement = insert(PHOTO_COPIES).values(photo=photo, version=version, copies=kept)
        excluded = statement.excluded
        stored = await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[_C.photo],
                set_={"version": excluded.version, "copies": excluded.copies},
                where=_C.version < version,
            ).returning(_C.photo)
        )
        return stored.first() is not None

    async def forget(self, photo: str) -> None:
        """See PhotoCopies."""
        await self._connection.execute(PHOTO_COPIES.delete().where(_C.photo == photo))

    async def of(self, photos: Collection[str]) -> Mapping[str, Collection[str]]:
        """See PhotoCopies."""
        if not photos:
            return {}
        rows = sa.select(_C.photo, _C.copies).where(_C.photo.in_(photos))
        found = await self._connection.execute(rows)
        return {row.photo: frozenset(row.copies) for row in found if row.copies}

    async def seen(
        self, photos: Collection[str], channels: Collection[Key]
    ) -> Sequence[Appearance]:
        """See PhotoCopies."""
        if not photos or not channels:
            return ()
        named = {
            "photos": list(photos),
            "personas": [channel.persona for channel in channels],
            "channels": [channel.id for channel in channels],
        }
        return [
            Appearance(
                photo=row.photo,
                copy=row.copy,
                likeness=Likeness(row.likeness),
                post=POST.format(row.persona_id, row.post_id),
                repeats=row.repeats,
                publication=row.id,
                persona=row.persona_id,
                channel=row.channel_id,
                due_at=row.due_time,
                at=row.at,
                waits=row.state in _WAITING,
                was_unknown=row.was_unknown,
            )
            for row in await self._connection.execute(_SEEN, named)
        ]

    async def _deleted(self, photos: Collection[str]) -> Sequence[str]:
        if not photos:
            return ()
        rights = PHOTO_RIGHTS.c
        rows = sa.select(rights.photo).where(rights.photo.in_(photos), rights.deleted)
        return (await self._connection.execute(rows)).scalars().all()
