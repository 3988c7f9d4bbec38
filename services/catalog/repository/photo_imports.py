"""The accounts of imports in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.rpc.paging import Page, PageRequest
from services.catalog.domain.names import Key, no_photo_import
from services.catalog.domain.photo_import import (
    Counts,
    ImportItem,
    ImportState,
    Outcome,
    PhotoImport,
)
from services.catalog.ports import Listing
from services.catalog.repository.pillars import require_persona
from services.catalog.repository.rows import all_of, compared, matched, read_page
from services.catalog.tables import PHOTO_IMPORT_ITEMS, PHOTO_IMPORTS
from services.catalog.tables.base import ID, MOMENT
from services.catalog.tables.imports import PATH_ORDER_CHARACTERS

_C = PHOTO_IMPORTS.c
_ITEM = PHOTO_IMPORT_ITEMS.c
# Written out: a prepared statement finds its index by what it says, not by what it is given.
_OPEN = _C.state == sa.literal_column(f"'{ImportState.OPEN}'")
_ONE_SOURCE = (_C.persona_id, _C.source_sha256, _C.dry_run)
_ITEM_COLUMNS: dict[str, Any] = {
    "path_sha256": sa.LargeBinary,
    "source_path": sa.Text,
    "path_order": sa.Text,
    "outcome": sa.Text,
    "photo_id": ID,
    "fingerprint": sa.Text,
    "reason": sa.Text,
    "message": sa.Text,
    "update_time": MOMENT,
}


def _noting() -> sa.Executable:
    """Many items in one statement, which holds the import open until the transaction ends."""
    arrays: list[Any] = [
        sa.bindparam(name, type_=ARRAY(kind)) for name, kind in _ITEM_COLUMNS.items()
    ]
    given = sa.func.unnest(*arrays).table_valued(*_ITEM_COLUMNS).render_derived("given")
    which = sa.and_(
        _C.persona_id == sa.bindparam("persona"),
        _C.id == sa.bindparam("photo_import"),
        _C.dry_run == sa.func.coalesce(sa.bindparam("dry_run"), _C.dry_run),
        _OPEN,
    )
    # The lock that the foreign key takes anyway; ``locked`` waits for it.
    held = sa.select(_C.id).where(which).with_for_update(read=True, key_share=True)
    target = held.cte("target")
    rows = sa.select(target.c.id, *given.c).select_from(target.join(given, sa.true()))
    statement = insert(PHOTO_IMPORT_ITEMS).from_select(["import_id", *_ITEM_COLUMNS], rows)
    new = statement.excluded
    still_new = sa.and_(
        _ITEM.outcome == Outcome.IMPORTED,
        new.outcome == Outcome.DUPLICATE,
        _ITEM.photo_id == new.photo_id,
    )
    changed: dict[str, Any] = {name: new[name] for name in _ITEM_COLUMNS if name != "path_sha256"}
    changed["outcome"] = sa.case((still_new, _ITEM.outcome), else_=new.outcome)
    return statement.on_conflict_do_update(
        index_elements=[_ITEM.import_id, _ITEM.path_sha256], set_=changed
    ).returning(_ITEM.import_id)


_NOTE = _noting()


class PhotoImportRepository:
    """See ``ports.PhotoImports``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, new: PhotoImport) -> PhotoImport:
        """See PhotoImports. A concurrent twin waits for the first to end."""
        statement = (
            insert(PHOTO_IMPORTS)
            .values(_values(new))
            .on_conflict_do_nothing(index_elements=_ONE_SOURCE, index_where=_OPEN)
            .returning(_C.id)
        )
        if (await self._connection.execute(statement)).first() is not None:
            return new
        same = (
            _C.persona_id == new.persona,
            _C.source_sha256 == _digest(new.source),
            _C.dry_run == new.dry_run,
        )
        found = await self._connection.execute(_counted().where(_OPEN, *same))
        return _import(found.one())

    async def get(self, key: Key) -> PhotoImport:
        """See PhotoImports."""
        found = await self._connection.execute(_counted().where(*_is(key)))
        row = found.one_or_none()
        if row is None:
            raise no_photo_import(*key)
        return _import(row)

    async def locked(self, key: Key) -> PhotoImport:
        """See PhotoImports. Counted in a second statement, which sees what the lock waited for."""
        await self._connection.execute(sa.select(_C.id).where(*_is(key)).with_for_update())
        return await self.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[PhotoImport]:
        """See PhotoImports."""
        conditions = all_of(
            listing.conditions,
            lambda c: matched(_C.source, c) if c.field == "source" else compared(_C.state, c),
        )
        rows = _counted().where(_C.persona_id == persona, *conditions)
        page = await read_page(self._connection, rows, PHOTO_IMPORTS, listing, _import)
        if not page.rows:
            await require_persona(self._connection, persona)
        return page

    async def complete(self, key: Key, counts: Counts, now: datetime) -> None:
        """See PhotoImports."""
        values = {"state": ImportState.COMPLETED, "complete_time": now, **asdict(counts)}
        last = sa.select(sa.func.max(_ITEM.update_time)).where(_ITEM.import_id == _C.id)
        values["update_time"] = sa.func.coalesce(last.scalar_subquery(), _C.update_time)
        await self._connection.execute(PHOTO_IMPORTS.update().where(*_is(key)).values(values))

    async def note(self, key: Key, items: Sequence[ImportItem], dry_run: bool | None) -> bool:
        """See PhotoImports. In one order, so that two of these cannot wait for each other."""
        rows = sorted(map(_item_values, items), key=lambda row: row["path_sha256"])
        columns = {name: [row[name] for row in rows] for name in _ITEM_COLUMNS}
        which = {"persona": key.persona, "photo_import": key.id, "dry_run": dry_run}
        return bool((await self._connection.execute(_NOTE, {**columns, **which})).all())

    async def items(self, key: Key, listing: Listing) -> Page[ImportItem]:
        """See PhotoImports."""
        owned = sa.exists().where(*_is(key))
        conditions = all_of(listing.conditions, lambda c: compared(_ITEM.outcome, c))
        rows = PHOTO_IMPORT_ITEMS.select().where(_ITEM.import_id == key.id, owned, *conditions)
        place, size = (_ITEM.path_order, _ITEM.path_sha256), listing.page.size
        if listing.page.after is not None:
            rows = rows.where(sa.tuple_(*place) > _position(listing.page))
        found = (await self._connection.execute(rows.order_by(*place).limit(size + 1))).all()
        if not found:
            await self._require(key)
        last = found[size - 1] if len(found) > size else None
        next_key = None if last is None else (last.path_order, last.path_sha256.hex())
        return Page([_item(row) for row in found[:size]], next_key)

    async def _require(self, key: Key) -> None:
        found = await self._connection.execute(sa.select(_C.id).where(*_is(key)))
        if found.one_or_none() is None:
            raise no_photo_import(*key)


def _is(key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    return _C.persona_id == key.persona, _C.id == key.id


def _position(page: PageRequest) -> Any:
    assert page.after is not None
    path, digest = page.after
    return sa.tuple_(
        sa.literal(str(path), _ITEM.path_order.type),
        sa.literal(bytes.fromhex(str(digest)), sa.LargeBinary),
    )


def _counted() -> sa.Select[Any]:
    """Imports with their counts: kept with a complete one, counted for an open one."""
    counts = [
        sa.func.count().filter(_ITEM.outcome == outcome).label(outcome.lower())
        for outcome in Outcome
    ]
    last = sa.func.max(_ITEM.update_time).label("last")
    live = sa.select(*counts, last).where(_ITEM.import_id == _C.id, _OPEN).lateral("live")
    return sa.select(
        *(_C[name] for name in ("persona_id", "id", "source", "pillar_id", "dry_run", "state")),
        *(_C[name] for name in ("create_time", "complete_time")),
        sa.func.greatest(_C.update_time, live.c.last).label("update_time"),
        *(
            sa.func.coalesce(_C[count.name], live.c[count.name]).label(count.name)
            for count in counts
        ),
    ).select_from(PHOTO_IMPORTS.join(live, sa.true()))


def _values(new: PhotoImport) -> dict[str, Any]:
    return {
        "persona_id": new.persona,
        "id": new.id,
        "source": new.source,
        "source_sha256": _digest(new.source),
        "pillar_id": new.pillar,
        "dry_run": new.dry_run,
        "state": new.state,
        "create_time": new.create_time,
        "update_time": new.update_time,
    }


def _item_values(item: ImportItem) -> dict[str, Any]:
    return {
        "path_sha256": _digest(item.source_path),
        "source_path": item.source_path,
        "path_order": item.source_path[:PATH_ORDER_CHARACTERS],
        "outcome": item.outcome,
        "photo_id": item.photo or None,
        "fingerprint": item.fingerprint,
        "reason": item.reason,
        "message": item.message,
        "update_time": item.update_time,
    }


def _import(row: Any) -> PhotoImport:
    return PhotoImport(
        persona=row.persona_id,
        id=row.id,
        source=row.source,
        create_time=row.create_time,
        update_time=row.update_time,
        pillar=row.pillar_id,
        dry_run=row.dry_run,
        state=ImportState(row.state),
        counts=Counts(row.imported, row.duplicate, row.skipped, row.failed),
        complete_time=row.complete_time,
    )


def _item(row: Any) -> ImportItem:
    return ImportItem(
        source_path=row.source_path,
        outcome=Outcome(row.outcome),
        update_time=row.update_time,
        photo=row.photo_id or "",
        fingerprint=row.fingerprint,
        reason=row.reason,
        message=row.message,
    )


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
