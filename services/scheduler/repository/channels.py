"""Channels in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.errors import violated
from libs.errors import AlreadyExists
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.channel import Channel, ChannelState, Provider
from services.scheduler.domain.names import Key
from services.scheduler.domain.publication import ENDED
from services.scheduler.ports import ChannelHealth
from services.scheduler.repository.rows import as_page, one_page
from services.scheduler.tables import CHANNELS, PUBLICATIONS

_C = CHANNELS.c
_ONE = CHANNELS.select().where(
    _C.persona_id == sa.bindparam("persona"), _C.id == sa.bindparam("channel")
)
_LOCKED = _ONE.with_for_update()


class ChannelRepository:
    """See ``ports.Channels``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, channel: Channel) -> None:
        """See Channels."""
        try:
            await self._connection.execute(CHANNELS.insert().values(_values(channel)))
        except IntegrityError as error:
            match violated(error):
                case "channels_pkey":
                    text = f"there is a {channel.name} already; choose another channel_id"
                    raise AlreadyExists("channel", channel.name, text) from error
                case "channels_account_key":
                    text = f"the account {channel.account} is connected to the persona already"
                    raise AlreadyExists("channel", channel.name, text) from error
            raise

    async def get(self, key: Key) -> Channel | None:
        """See Channels."""
        return await self._one(_ONE, key)

    async def locked(self, key: Key) -> Channel | None:
        """See Channels."""
        return await self._one(_LOCKED, key)

    async def pinned(self, persona: str, ids: Collection[str] | None) -> Sequence[Channel]:
        """See Channels."""
        rows = CHANNELS.select().where(_C.persona_id == persona)
        if ids is not None:
            rows = rows.where(_C.id.in_(ids))
        # Locked in the order in which others lock the channels of a post.
        found = await self._many(rows.order_by(_C.id).with_for_update(read=True))
        return sorted(found, key=lambda channel: (channel.create_time, channel.id))

    async def of_batch(self, batch: str) -> Sequence[Channel]:
        """See Channels."""
        return await self._many(CHANNELS.select().where(_C.batch == batch))

    async def save(self, channel: Channel) -> None:
        """See Channels."""
        statement = CHANNELS.update().where(_is(channel.key)).values(_values(channel))
        await self._connection.execute(statement)

    async def delete(self, key: Key) -> None:
        """See Channels."""
        await self._connection.execute(CHANNELS.delete().where(_is(key)))

    async def is_in_use(self, key: Key) -> bool:
        """See Channels."""
        publication = PUBLICATIONS.c
        waiting = sa.exists().where(
            publication.persona_id == key.persona,
            publication.channel_id == key.id,
            publication.state.not_in(ENDED),
        )
        return bool((await self._connection.execute(sa.select(waiting))).scalar_one())

    async def page(self, persona: str, page: PageRequest) -> Page[Channel]:
        """See Channels."""
        rows = CHANNELS.select().where(_C.persona_id == persona)
        found = await self._many(one_page(rows, _C.create_time, _C.id, page, descending=False))
        return as_page(found, page.size, lambda channel: (channel.create_time, channel.id))

    async def to_check(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """See Channels."""
        return await self._due(_C.check_time, now, again_at, limit)

    async def to_renew(self, now: datetime, again_at: datetime, limit: int) -> Sequence[Key]:
        """See Channels."""
        return await self._due(_C.renew_time, now, again_at, limit)

    async def health(self) -> Sequence[ChannelHealth]:
        """See Channels."""
        rows = sa.select(
            _C.provider, _C.state, sa.func.count(), sa.func.min(_C.token_expire_time)
        ).group_by(_C.provider, _C.state)
        return [ChannelHealth(*row) for row in await self._connection.execute(rows)]

    async def _due(
        self, time: sa.Column[datetime], now: datetime, again_at: datetime, limit: int
    ) -> Sequence[Key]:
        due = (
            sa.select(_C.persona_id, _C.id)
            .where(time <= now)
            .order_by(time)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = (
            CHANNELS.update()
            .where(sa.tuple_(_C.persona_id, _C.id).in_(due))
            .values({time: again_at})
            .returning(_C.persona_id, _C.id)
        )
        return [Key(*row) for row in await self._connection.execute(statement)]

    async def _one(self, rows: sa.Select[Any], key: Key) -> Channel | None:
        named = {"persona": key.persona, "channel": key.id}
        row = (await self._connection.execute(rows, named)).one_or_none()
        return _channel(row) if row else None

    async def _many(self, rows: sa.Select[Any]) -> list[Channel]:
        return [_channel(row) for row in await self._connection.execute(rows)]


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_C.persona_id == key.persona, _C.id == key.id)


def _values(channel: Channel) -> dict[str, Any]:
    return {
        "persona_id": channel.persona,
        "id": channel.id,
        "display_name": channel.display_name,
        "provider": channel.provider,
        "endpoint": channel.endpoint,
        "account": channel.account,
        "organization": channel.organization,
        "service": channel.service,
        "sealed_token": channel.sealed_token,
        "batch": channel.batch,
        "state": channel.state,
        "state_reason": channel.state_reason,
        "check_time": channel.check_at,
        "create_time": channel.create_time,
        "update_time": channel.update_time,
        "version": channel.version,
        "limits": dict(channel.limits),
        "token_expire_time": channel.token_expires_at,
        "renew_time": channel.renew_at,
        "approval_required": channel.approval_required,
        "repeat_window_days": channel.repeat_window_days,
    }


def _channel(row: Any) -> Channel:
    return Channel(
        persona=row.persona_id,
        id=row.id,
        display_name=row.display_name,
        provider=Provider(row.provider),
        endpoint=row.endpoint,
        account=row.account,
        organization=row.organization,
        service=row.service,
        sealed_token=row.sealed_token,
        batch=row.batch,
        state=ChannelState(row.state),
        state_reason=row.state_reason,
        check_at=row.check_time,
        create_time=row.create_time,
        update_time=row.update_time,
        version=row.version,
        limits=row.limits,
        token_expires_at=row.token_expire_time,
        renew_at=row.renew_time,
        approval_required=row.approval_required,
        repeat_window_days=row.repeat_window_days,
    )
