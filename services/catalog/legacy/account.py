"""The account of a migration in the database: the rows as they were read, what became of each."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database
from libs.errors import FailedPrecondition
from libs.ids import uuid7
from services.catalog.legacy.audit import checksum, counts
from services.catalog.legacy.rows import Row, Source
from services.catalog.legacy.shape import id_of, library_of
from services.catalog.tables.legacy import LEGACY_GATES, LEGACY_MIGRATIONS, LEGACY_ROWS

_M = LEGACY_MIGRATIONS.c
_R = LEGACY_ROWS.c
_G = LEGACY_GATES.c
_BATCH = 500
# The account is ordered by the clock of the database: did anything change after the gate?
_NOW = sa.func.clock_timestamp()
_LOCK = sa.text("SELECT pg_try_advisory_lock(hashtextextended('catalog legacy', 0))")
_UNLOCK = sa.text("SELECT pg_advisory_unlock(hashtextextended('catalog legacy', 0))")


class MigrationState(StrEnum):
    """Where a migration stands."""

    STAGED = "STAGED"
    APPLYING = "APPLYING"
    APPLIED = "APPLIED"
    ROLLED_BACK = "ROLLED_BACK"
    DROPPED = "DROPPED"


class EntryState(StrEnum):
    """What became of a row. SKIPPED: there is nothing to make of it. GIVEN_UP: by a person."""

    STAGED = "STAGED"
    DONE = "DONE"
    QUARANTINED = "QUARANTINED"
    SKIPPED = "SKIPPED"
    GIVEN_UP = "GIVEN_UP"

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self in (EntryState.STAGED, EntryState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class Migration:
    """One library on its way. ``digest`` is of all that was read, ``checksum`` of its photos."""

    id: str
    source: str
    digest: str
    checksum: str
    counts: Mapping[str, int]
    state: MigrationState
    backup: str
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row.

    ``target`` is the resource that it is now; ``made``: this migration made it. ``written`` is what
    of a photo people might change later. ``reason`` (UPPER_SNAKE) and ``message`` say why it is
    where it is.
    """

    state: EntryState
    target: str = ""
    made: bool = False
    rule: str = ""
    written: Mapping[str, Any] | None = None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the older library (of the table ``kind``) in the account."""

    kind: str
    id: str
    row: Row
    outcome: Outcome
    assigned: str
    delivered: bool

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.outcome.state.open


@dataclass(frozen=True, slots=True)
class Gate:
    """The last look at a migration before its account is dropped."""

    passed: bool
    report: Mapping[str, Any]


_UNTOUCHED = Outcome(EntryState.STAGED)


class Account:
    """The accounts of all migrations; one at a time is under way."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Raises FailedPrecondition (MIGRATION_RUNNING) while another process works on it."""
        async with self._database.engine.connect() as connection:
            # In autocommit: a lock of the session, without a transaction that stays open.
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            if not (await connection.execute(_LOCK)).scalar_one():
                raise FailedPrecondition(
                    "another process works on this migration; wait for it to end",
                    reason="MIGRATION_RUNNING",
                )
            try:
                yield
            finally:
                try:
                    # Told, not left to the closing: the server would free it some time afterwards,
                    # and who comes next would find the lock taken with nobody at work.
                    with suppress(sa.exc.DBAPIError):  # a lost connection has lost its lock
                        await connection.execute(_UNLOCK)
                finally:
                    await connection.invalidate()

    async def current(self) -> Migration | None:
        """The newest migration that is not dropped."""
        rows = LEGACY_MIGRATIONS.select().where(_M.state != MigrationState.DROPPED)
        async with self._database.reading() as connection:
            found = await connection.execute(rows.order_by(_M.create_time.desc()).limit(1))
            row = found.one_or_none()
        return None if row is None else _migration(row)

    async def required(self) -> Migration:
        """Like ``current``; raises FailedPrecondition (NO_MIGRATION) if there is none."""
        migration = await self.current()
        if migration is None:
            raise FailedPrecondition(
                "no migration is under way; start one with `colonnade migrate apply --source …`",
                reason="NO_MIGRATION",
            )
        return migration

    async def stage(self, source: Source) -> Migration:
        """Takes in all rows of ``source``, whole or not at all; once, if it is there already.

        Raises FailedPrecondition: OTHER_SOURCE while a migration of something else is under way,
        ALREADY_MIGRATED for what was migrated to the end.
        """
        digest = digest_of(source)
        known = await self.current()
        if known is not None and known.digest == digest:
            return known
        if known is not None and known.state is not MigrationState.ROLLED_BACK:
            raise FailedPrecondition(
                f"a migration of {known.source} is under way, and this source differs from what "
                "was read then; roll that one back or drop it first",
                reason="OTHER_SOURCE",
                metadata={"source": known.source},
            )
        await self._require_new(digest)
        tables = {name: table.rows for name, table in source.tables.items()}
        library = library_of(tables)
        now = self._clock.now()
        made = Migration(
            id=uuid7(),
            source=source.label,
            digest=digest,
            checksum=checksum((photo.id, photo.path) for photo in library.photos),
            counts=counts(library),
            state=MigrationState.STAGED,
            backup="",
            create_time=now,
            update_time=now,
        )
        async with self._database.transaction() as connection:
            if known is not None:
                await _purge(connection, known.id)
                closed = {"state": MigrationState.DROPPED, "update_time": now}
                await connection.execute(_changed(known.id, closed))
            await connection.execute(LEGACY_MIGRATIONS.insert().values(asdict(made)))
            for kind, rows in tables.items():
                await _take_in(connection, made, kind, rows)
        return made

    async def _require_new(self, digest: str) -> None:
        ended = sa.select(_M.id).where(_M.digest == digest, _M.backup != "").limit(1)
        async with self._database.reading() as connection:
            if (await connection.execute(ended)).one_or_none() is not None:
                raise FailedPrecondition(
                    "this library was migrated to the end; doing it again would double it",
                    reason="ALREADY_MIGRATED",
                )

    async def entries(self, migration: Migration, kind: str) -> list[Entry]:
        """The rows of one table, in the order of their ids as texts."""
        rows = LEGACY_ROWS.select().where(_R.migration_id == migration.id, _R.kind == kind)
        async with self._database.reading() as connection:
            found = await connection.execute(rows.order_by(_R.id))
            return [_entry(row) for row in found]

    async def entries_of(self, migration: Migration, kind: str, ids: Sequence[str]) -> list[Entry]:
        """The rows of one table with these ids."""
        rows = LEGACY_ROWS.select().where(_R.migration_id == migration.id, _R.kind == kind)
        async with self._database.reading() as connection:
            return [_entry(row) for row in await connection.execute(rows.where(_R.id.in_(ids)))]

    async def quarantined(
        self, migration: Migration, kind: str, after: str, limit: int
    ) -> list[Entry]:
        """The rows of one table that wait for a person, by id, those behind ``after``."""
        id = _R.id.collate("C")
        rows = LEGACY_ROWS.select().where(
            _R.migration_id == migration.id,
            _R.kind == kind,
            _R.state == EntryState.QUARANTINED,
            id > after,
        )
        async with self._database.reading() as connection:
            found = await connection.execute(rows.order_by(id).limit(limit))
            return [_entry(row) for row in found]

    async def rows(self, migration: Migration) -> dict[str, list[Row]]:
        """Everything as it was read, by table."""
        columns = sa.select(_R.kind, _R.row).where(_R.migration_id == migration.id)
        found: dict[str, list[Row]] = {}
        async with self._database.reading() as connection:
            for row in await connection.execute(columns):
                found.setdefault(row.kind, []).append(row.row)
        return found

    async def note(self, migration: str, kind: str, id: str, outcome: Outcome) -> None:
        """Writes down what became of a row."""
        async with self._database.transaction() as connection:
            await self.note_in(connection, migration, kind, id, outcome)

    async def note_in(
        self, connection: AsyncConnection, migration: str, kind: str, id: str, outcome: Outcome
    ) -> None:
        """Like ``note``, in a transaction that makes what it tells of."""
        values = {**asdict(outcome), "update_time": _NOW}
        row = sa.and_(_R.migration_id == migration, _R.kind == kind, _R.id == id)
        await connection.execute(LEGACY_ROWS.update().where(row).values(values))

    async def reset(self, migration: str, kind: str, ids: Sequence[str]) -> None:
        """Puts rows back to how they were staged; what a person chose for them stays."""
        await self._mark(migration, kind, ids, **asdict(_UNTOUCHED), delivered=False)

    async def give_up(self, migration: str, kind: str, ids: Sequence[str], why: str) -> None:
        """Notes that a person does not want these migrated any more."""
        outcome = Outcome(EntryState.GIVEN_UP, reason="GIVEN_UP", message=why)
        await self._mark(migration, kind, ids, **asdict(outcome))

    async def assign(self, migration: str, kind: str, ids: Sequence[str], pillar: str) -> None:
        """Notes which pillar a person chose; the next ``apply`` files them there."""
        await self._mark(migration, kind, ids, assigned=pillar)

    async def deliver(self, migration: str, kind: str, ids: Sequence[str]) -> None:
        """Notes that another service was told."""
        await self._mark(migration, kind, ids, delivered=True)

    async def _mark(self, migration: str, kind: str, ids: Sequence[str], **values: Any) -> None:
        rows = sa.and_(_R.migration_id == migration, _R.kind == kind, _R.id.in_(ids))
        change = LEGACY_ROWS.update().where(rows)
        async with self._database.transaction() as connection:
            await connection.execute(change.values(**values, update_time=_NOW))

    async def move(self, migration: Migration, state: MigrationState) -> None:
        """Changes where the migration stands."""
        values = {"state": state, "update_time": self._clock.now()}
        async with self._database.transaction() as connection:
            await connection.execute(_changed(migration.id, values))

    async def record_gate(self, migration: Migration, gate: Gate) -> None:
        """Keeps what a gate saw."""
        row = {"migration_id": migration.id, "create_time": _NOW, **asdict(gate)}
        async with self._database.transaction() as connection:
            await connection.execute(LEGACY_GATES.insert().values(**row))

    async def last_gate(self, migration: Migration) -> Gate | None:
        """The newest gate, unless something changed since."""
        changed = sa.select(sa.func.max(_R.update_time)).where(_R.migration_id == migration.id)
        rows = (
            LEGACY_GATES.select()
            .where(_G.migration_id == migration.id, _G.create_time > changed.scalar_subquery())
            .order_by(_G.create_time.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(rows)).one_or_none()
        return None if row is None else Gate(row.passed, row.report)

    async def drop(self, migration: Migration, backup: str) -> None:
        """Removes the staged rows for good; who did so said which ``backup`` has them."""
        now = self._clock.now()
        values = {"state": MigrationState.DROPPED, "backup": backup, "update_time": now}
        async with self._database.transaction() as connection:
            await _purge(connection, migration.id)
            await connection.execute(_changed(migration.id, values))


def digest_of(source: Source) -> str:
    """SHA-256 over all rows of all tables, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(source.tables):
        rows = (json.dumps(row, sort_keys=True) for row in source.tables[name].rows)
        digest.update("\n".join([name, *sorted(rows), ""]).encode())
    return digest.hexdigest()


async def _take_in(
    connection: AsyncConnection, migration: Migration, kind: str, rows: Sequence[Row]
) -> None:
    for start in range(0, len(rows), _BATCH):
        values = [
            {
                "migration_id": migration.id,
                "kind": kind,
                "id": id_of(kind, row),
                "row": dict(row),
                "state": EntryState.STAGED,
            }
            for row in rows[start : start + _BATCH]
        ]
        await connection.execute(LEGACY_ROWS.insert().values(update_time=_NOW), values)


async def _purge(connection: AsyncConnection, migration: str) -> None:
    await connection.execute(LEGACY_ROWS.delete().where(_R.migration_id == migration))


def _changed(migration: str, values: Mapping[str, Any]) -> sa.Update:
    return LEGACY_MIGRATIONS.update().where(_M.id == migration).values(**values)


def _migration(row: Any) -> Migration:
    return Migration(
        id=row.id,
        source=row.source,
        digest=row.digest,
        checksum=row.checksum,
        counts=row.counts,
        state=MigrationState(row.state),
        backup=row.backup,
        create_time=row.create_time,
        update_time=row.update_time,
    )


def _entry(row: Any) -> Entry:
    outcome = Outcome(
        state=EntryState(row.state),
        target=row.target,
        made=row.made,
        rule=row.rule,
        written=row.written,
        reason=row.reason,
        message=row.message,
    )
    return Entry(row.kind, row.id, row.row, outcome, row.assigned, row.delivered)
