"""How posts are at their providers, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.channel import ChannelState, Provider
from services.scheduler.domain.remote_check import (
    GATHERED_FOR,
    GIVE_UP_AFTER,
    WATCH_AFTER,
    Drift,
    RemoteCheck,
)
from services.scheduler.ports import Sent, SentPage
from services.scheduler.repository.rows import to_publication, to_remote_check
from services.scheduler.tables import CHANNELS, POSTS, PUBLICATIONS, REMOTE_CHECKS

_C = REMOTE_CHECKS.c
_P = PUBLICATIONS.c
_AT_PROVIDER = ("scheduled", "publishing")
_CAN_BE_ASKED = _P.provider.in_([provider for provider in Provider if provider.lists_posts])
# Those of imported posts were never attempted.
_IS_OURS = sa.and_(_P.state == "posted", _P.attempts > 0, _CAN_BE_ASKED)
# Another account may be connected by now under the name of one that was deleted.
_ON_CHANNEL = sa.and_(
    CHANNELS.c.persona_id == _P.persona_id,
    CHANNELS.c.id == _P.channel_id,
    CHANNELS.c.provider == _P.provider,
    CHANNELS.c.create_time <= _P.submit_time,
)


class RemoteCheckRepository:
    """See ``ports.RemoteChecks``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def watch(self, now: datetime, limit: int) -> None:
        """See RemoteChecks."""
        first, last = WATCH_AFTER[0], WATCH_AFTER[-1]
        new = (
            sa.select(_P.id, sa.literal(Drift.UNCHANGED.value), _P.posted_time + first)
            .join(CHANNELS, _ON_CHANNEL)
            .where(
                _IS_OURS,
                _P.posted_time.between(now - last, now - first),
                ~sa.exists().where(_C.publication_id == _P.id),
            )
            .limit(limit)
        )
        columns = [_C.publication_id, _C.state, _C.next_check_time]
        await self._connection.execute(
            insert(REMOTE_CHECKS).from_select(columns, new).on_conflict_do_nothing()
        )

    async def leave(self, now: datetime) -> None:
        """See RemoteChecks."""
        is_watched = sa.exists().where(
            _P.id == _C.publication_id, _P.posted_time > now - GIVE_UP_AFTER, _ON_CHANNEL
        )
        statement = REMOTE_CHECKS.update().where(_C.next_check_time <= now, ~is_watched)
        await self._connection.execute(statement.values(next_check_time=None))

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        """See RemoteChecks."""
        is_time = sa.or_(_C.next_check_time <= now - GATHERED_FOR, _C.miss_time.is_not(None))
        rows = (
            sa.select(CHANNELS.c.batch)
            .distinct()
            .select_from(REMOTE_CHECKS)
            .join(PUBLICATIONS, _P.id == _C.publication_id)
            .join(CHANNELS, _ON_CHANNEL)
            .where(_C.next_check_time <= now, is_time, _is_well())
            .limit(limit)
        )
        return (await self._connection.execute(rows)).scalars().all()

    async def claim(self, batch: str, now: datetime, until: datetime, limit: int) -> Sequence[Sent]:
        """See RemoteChecks."""
        due = (
            sa.select(_C.publication_id)
            .join(PUBLICATIONS, _P.id == _C.publication_id)
            .join(CHANNELS, _ON_CHANNEL)
            .where(CHANNELS.c.batch == batch, _C.next_check_time <= now, _is_well())
            .order_by(_C.next_check_time)
            .limit(limit)
            .with_for_update(of=REMOTE_CHECKS, skip_locked=True)
        )
        statement = (
            REMOTE_CHECKS.update()
            .where(_C.publication_id.in_(due), _P.id == _C.publication_id)
            .where(POSTS.c.id == _P.post_id)
            .values(next_check_time=until)
            .returning(*_P, *_labelled(), POSTS.c.final_text)
        )
        return [_sent(row._asdict()) for row in await self._connection.execute(statement)]

    async def of_persona(self, persona: str, since: datetime, limit: int) -> SentPage:
        """See RemoteChecks."""
        is_out = sa.and_(_P.state == "posted", _P.attempts > 0, _P.posted_time >= since)
        is_readable = sa.and_(_CAN_BE_ASKED, sa.exists().where(_ON_CHANNEL, _is_well()))
        rows = (
            sa.select(*_P, *_labelled(), POSTS.c.final_text, sa.func.count().over().label("total"))
            .join(POSTS, POSTS.c.id == _P.post_id)
            .outerjoin(REMOTE_CHECKS, _C.publication_id == _P.id)
            .where(
                _P.persona_id == persona,
                sa.or_(is_out, _P.state.in_(_AT_PROVIDER)),
            )
            .order_by(
                is_readable.desc(),
                _C.check_time.asc().nulls_first(),
                _P.posted_time.desc(),
                _P.id,
            )
            .limit(limit)
        )
        found = (await self._connection.execute(rows)).all()
        total = found[0].total if found else 0
        return SentPage([_sent(row._asdict()) for row in found], total)

    async def save(self, check: RemoteCheck) -> None:
        """See RemoteChecks."""
        values: dict[str, Any] = {
            "state": check.state,
            "text": check.text,
            "check_time": check.checked_at,
            "change_time": check.changed_at,
            "miss_time": check.missed_at,
            "next_check_time": check.next_at,
        }
        await self._connection.execute(
            insert(REMOTE_CHECKS)
            .values(publication_id=check.publication, **values)
            .on_conflict_do_update(index_elements=[_C.publication_id], set_=values)
        )


def _is_well() -> sa.ColumnElement[bool]:
    # A channel that needs attention cannot be asked; what is due waits until it is mended.
    return CHANNELS.c.state != ChannelState.NEEDS_ATTENTION.value


def _labelled() -> list[sa.Label[Any]]:
    # Both tables have a column ``state``.
    return [column.label(f"remote_{column.name}") for column in _C]


def _sent(row: Mapping[str, Any]) -> Sent:
    remote = {column.name: row[f"remote_{column.name}"] for column in _C}
    return Sent(to_publication(row, to_remote_check(remote, row["posted_time"])), row["final_text"])
