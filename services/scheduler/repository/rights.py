"""What is known of photos' rights, in PostgreSQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.photo import Rights
from services.scheduler.tables import PHOTO_RIGHTS

_C = PHOTO_RIGHTS.c
_KNOWN = PHOTO_RIGHTS.select().where(_C.photo == sa.bindparam("photo"))
# Below that of any event.
_ASKED = 0


class RightsRepository:
    """See ``ports.PhotoRights``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def known(self, photo: str) -> Rights:
        """See PhotoRights."""
        row = (await self._connection.execute(_KNOWN, {"photo": photo})).one_or_none()
        if row is None:
            return Rights()
        return Rights(row.embargo_time, row.expire_time, row.held, row.archived, row.deleted)

    async def remembered(self, photo: str, rights: Rights) -> Rights:
        """See PhotoRights."""
        await self._store(photo, rights, _ASKED, _C.version == _ASKED)
        return await self.known(photo)

    async def note(self, photo: str, rights: Rights, version: int) -> bool:
        """See PhotoRights."""
        return await self._store(photo, rights, version, _C.version <= version)

    async def _store(
        self, photo: str, rights: Rights, version: int, unless_newer: sa.ColumnElement[bool]
    ) -> bool:
        values: dict[str, Any] = {
            "version": version,
            "embargo_time": rights.embargo_time,
            "expire_time": rights.expire_time,
            "held": rights.held,
            "archived": rights.archived,
            "deleted": rights.deleted,
        }
        statement = (
            insert(PHOTO_RIGHTS)
            .values(photo=photo, **values)
            .on_conflict_do_update(index_elements=[_C.photo], set_=values, where=unless_newer)
            .returning(_C.photo)
        )
        return (await self._connection.execute(statement)).first() is not None
