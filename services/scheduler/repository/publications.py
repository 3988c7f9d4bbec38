"""Publications in PostgreSQL: what is to be done, by whom, and what came of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.errors import AlreadyExists, Conflict
from services.scheduler.domain.names import Key
from services.scheduler.domain.publication import CHANNEL_HELD, Publication, PublicationState
from services.scheduler.ports import Claim, ServedMedia
from services.scheduler.repository.rows import publication_values, to_publication, to_snapshot
from services.scheduler.repository.statements import ROW, update_of
from services.scheduler.tables import CHANNELS, POSTS, PUBLICATIONS

_C = PUBLICATIONS.c
_UNCLAIMED = {"lease_owner": None, "lease_expire_time": None}
_AT_PROVIDER = (PublicationState.SCHEDULED, PublicationState.PUBLISHING)
_WAITING = (PublicationState.READY, PublicationState.RETRY_WAIT)
_SERVED = (
    sa.select(*POSTS.c, _C.end_time)
    .join(PUBLICATIONS, _C.post_id == POSTS.c.id)
    .where(_C.media_token == sa.bindparam("token"))
)


def _is_on_channel() -> sa.ColumnElement[bool]:
    return sa.and_(CHANNELS.c.persona_id == _C.persona_id, CHANNELS.c.id == _C.channel_id)


# The clock of the use cases counts, not the database's: a claim only keeps messages from doubling,
# and what two workers would do twice is decided by the state of the row.
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=_C.next_attempt_time.type)
_DUE = (
    sa.select(_C.id)
    .where(
        _C.next_attempt_time <= _NOW,
        sa.or_(_C.lease_expire_time.is_(None), _C.lease_expire_time <= _NOW),
    )
    .order_by(_C.next_attempt_time)
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    PUBLICATIONS.update()
    .where(_C.id.in_(_DUE))
    .values(lease_owner="tick", lease_expire_time=sa.bindparam("until"))
    .returning(
        _C.id,
        _C.state,
        sa.select(CHANNELS.c.batch).where(_is_on_channel()).scalar_subquery().label("batch"),
        _C.next_attempt_time,
        _C.due_time,
    )
)


class PublicationRepository:
    """See ``ports.Publications``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(self, publication: Publication) -> None:
        """See Publications."""
        values = {**publication_values(publication), **_UNCLAIMED}
        statement = update_of(PUBLICATIONS, tuple(values))
        try:
            await self._connection.execute(statement, {**values, ROW: publication.id})
        except IntegrityError as error:
            match violated(error):
                case "publications_photo_key":
                    raise AlreadyExists(
                        "publication",
                        publication.name,
                        "another post has the same picture on the channel by now",
                        reason="PHOTO_ALREADY_SCHEDULED",
                    ) from error
                case "publications_provider_post_key":
                    raise Conflict(
                        "the provider's post belongs to another publication",
                        reason="ADOPTED_TWICE",
                    ) from error
            raise

    async def postpone(self, publication: str, until: datetime) -> None:
        """See Publications."""
        values = {"next_attempt_time": until, **_UNCLAIMED}
        statement = update_of(PUBLICATIONS, tuple(values))
        await self._connection.execute(statement, {**values, ROW: publication})

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """See Publications."""
        times = {"now": now, "until": until, "limit": limit}
        found = (await self._connection.execute(_CLAIM, times)).all()
        ordered = sorted(found, key=lambda row: (row.next_attempt_time, row.id))
        return [
            Claim(row.id, PublicationState(row.state), row.batch or "", row.due_time)
            for row in ordered
        ]

    async def overdue(self, before: datetime, limit: int) -> Sequence[str]:
        """See Publications."""
        rows = (
            sa.select(_C.id)
            .where(_C.state.in_(_WAITING), _C.due_time < before)
            .order_by(_C.due_time)
            .limit(limit)
        )
        return (await self._connection.execute(rows)).scalars().all()

    async def to_confirm(self, batch: str, now: datetime, limit: int) -> Sequence[Publication]:
        """See Publications."""
        rows = (
            sa.select(*_C)
            .join(CHANNELS, _is_on_channel())
            .where(
                CHANNELS.c.batch == batch,
                _C.state.in_(_AT_PROVIDER),
                _C.next_attempt_time <= now,
            )
            .order_by(_C.next_attempt_time, _C.id)
            .limit(limit)
        )
        found = await self._connection.execute(rows)
        return [to_publication(row._asdict()) for row in found]

    async def release_held(
        self,
        channel: Key,
        now: datetime,
        lead: timedelta,
        reason: str = CHANNEL_HELD,
        photos: Collection[str] | None = None,
    ) -> None:
        """See Publications."""
        of_photos = sa.select(POSTS.c.id).where(POSTS.c.photo.in_(photos or ()))
        first = sa.func.greatest(now, _C.due_time - lead)
        statement = (
            PUBLICATIONS.update()
            .where(
                _C.persona_id == channel.persona,
                _C.channel_id == channel.id,
                _C.state.in_(_WAITING),
                _C.error_reason == reason,
                sa.true() if photos is None else _C.post_id.in_(of_photos),
            )
            .values(
                next_attempt_time=first,
                state_reason="",
                error_reason="",
                error_message="",
                error_retryable=False,
            )
        )
        await self._connection.execute(statement)

    async def served(self, token: str) -> ServedMedia | None:
        """See Publications."""
        row = (await self._connection.execute(_SERVED, {"token": token})).one_or_none()
        snapshot = to_snapshot(row._asdict()) if row else None
        return ServedMedia(snapshot, row.end_time) if row and snapshot else None
