"""Gap reports and notes on unused blobs in PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import NotFound
from libs.rpc.paging import Page
from services.catalog.domain.gaps import GapReport
from services.catalog.domain.names import GAP_REPORT, Key
from services.catalog.ports import Listing
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import Document, read_page
from services.catalog.tables import CANDIDATES, GAP_REPORTS, PHOTOS, UNUSED_BLOBS

_NOTE = UNUSED_BLOBS.c
_REPORT = Document(GapReport)
_KEPT = UNUSED_BLOBS.delete().where(
    _NOTE.key.in_(
        sa.select(_NOTE.key)
        .where(_NOTE.key == sa.any_(sa.bindparam("keys", type_=ARRAY(sa.Text))))
        .order_by(_NOTE.key)
        .with_for_update()
    )
)


class GapReportRepository:
    """See ``ports.GapReports``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, report: GapReport) -> None:
        """See GapReports."""
        await self._connection.execute(
            GAP_REPORTS.insert().values(
                persona_id=report.persona,
                id=report.id,
                body=_REPORT.store(report),
                create_time=report.create_time,
            )
        )

    async def get(self, key: Key) -> GapReport:
        """See GapReports."""
        table = GAP_REPORTS.c
        rows = sa.select(table.body).where(table.persona_id == key.persona, table.id == key.id)
        body = (await self._connection.execute(rows)).scalar_one_or_none()
        if body is None:
            raise NotFound("gap report", GAP_REPORT.format(*key))
        return _REPORT.load(body)

    async def page(self, persona: str, listing: Listing) -> Page[GapReport]:
        """See GapReports."""
        rows = GAP_REPORTS.select().where(GAP_REPORTS.c.persona_id == persona)
        page = await read_page(
            self._connection, rows, GAP_REPORTS, listing, lambda row: _REPORT.load(row.body)
        )
        if not page.rows:
            await require_persona(self._connection, persona)
        return page


class UnusedBlobRepository:
    """See ``ports.UnusedBlobs``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, keys: Iterable[str]) -> None:
        """See UnusedBlobs. In one order, so that two of these cannot wait for each other."""
        await self._connection.execute(_KEPT, {"keys": list(keys)})

    async def used(self, digests: Sequence[str]) -> set[str]:
        """See UnusedBlobs."""
        columns = [c for t in (PHOTOS, CANDIDATES) for c in (t.c.sha256, t.c.thumbnail_sha256)]
        rows = sa.union(*(sa.select(c.label("digest")).where(c.in_(digests)) for c in columns))
        return set((await self._connection.execute(rows)).scalars())

    async def mark(self, keys: Sequence[str], now: datetime) -> None:
        """See UnusedBlobs. In one order, whichever the store has, for the same reason."""
        if keys:
            notes = [{"key": key, "since": now} for key in sorted(keys)]
            statement = insert(UNUSED_BLOBS).on_conflict_do_nothing()
            await self._connection.execute(statement, notes)

    async def due(self, before: datetime, count: int) -> Sequence[str]:
        """See UnusedBlobs. Keys that somebody else works on are left out."""
        rows = (
            sa.select(_NOTE.key)
            .where(_NOTE.since <= before)
            .order_by(_NOTE.key)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        return (await self._connection.execute(rows)).scalars().all()

    async def forget(self, keys: Sequence[str]) -> None:
        """See UnusedBlobs."""
        await self._connection.execute(UNUSED_BLOBS.delete().where(_NOTE.key.in_(keys)))
