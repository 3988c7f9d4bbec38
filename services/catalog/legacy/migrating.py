"""The steps of a migration, in the order in which people take them."""

from typing import Any

from libs.clock import Clock
from libs.errors import FailedPrecondition, InvalidArgument
from services.catalog.legacy.account import Account, Migration, MigrationState
from services.catalog.legacy.arrivals import TakeIn
from services.catalog.legacy.audit import audit
from services.catalog.legacy.delivery import Delivery
from services.catalog.legacy.desk import Desk, Progress, Tools
from services.catalog.legacy.frame import MakeFrame
from services.catalog.legacy.gate import GateKeeper, Verdict
from services.catalog.legacy.history import KeepPosts, KeepRuns
from services.catalog.legacy.media import Media
from services.catalog.legacy.quarantine import Quarantine, require_open
from services.catalog.legacy.report import plan_of, progress_of, quarantine_of
from services.catalog.legacy.rollback import Rollback
from services.catalog.legacy.rows import Source
from services.catalog.legacy.shape import fit_of, library_of
from services.catalog.legacy.translation import translate


def audit_of(source: Source, clock: Clock) -> dict[str, Any]:
    """What there is in ``source``, and what of it needs a look. Raises InvalidArgument."""
    fit = fit_of(source)
    library = library_of({name: table.rows for name, table in source.tables.items()})
    return audit(library, fit, source.label, clock.now())


def planned(source: Source, clock: Clock) -> dict[str, Any]:
    """What would become of everything in ``source``. Raises InvalidArgument."""
    report = audit_of(source, clock)
    library = library_of({name: table.rows for name, table in source.tables.items()})
    now = clock.now()
    return {"audit": report, **plan_of(library, translate(library, now), now)}


class Migrating:
    """Migrates one library at a time. Every step can be taken again."""

    def __init__(self, tools: Tools, delivery: Delivery, progress: Progress) -> None:
        self._tools = tools
        self._delivery = delivery
        self._progress = progress
        self._account = Account(tools.database, tools.clock)

    async def apply(self, source: Source | None, media: Media) -> dict[str, Any]:
        """Takes everything in that is not there yet; without ``source``, of what was staged.

        Raises FailedPrecondition (NO_MIGRATION, OTHER_SOURCE, MIGRATION_RUNNING).
        """
        async with self._account.exclusive():
            if source is None:
                migration = await self._account.required()
            else:
                fit_of(source)
                migration = await self._account.stage(source)
            desk = await self._desk(migration)
            await self._account.move(migration, MigrationState.APPLYING)
            frame = MakeFrame(desk, self._progress)
            await frame.run()
            await TakeIn(desk, media, self._progress).run()
            await KeepPosts(desk, self._progress).run()
            await KeepRuns(desk, self._progress).run()
            undelivered = await self._delivery.run(desk, self._progress)
            await frame.put_away()
            await self._account.move(migration, MigrationState.APPLIED)
            return {**await progress_of(await self._again()), "undelivered": undelivered}

    async def status(self) -> dict[str, Any]:
        """Where the migration stands. Raises FailedPrecondition (NO_MIGRATION)."""
        return await progress_of(await self._again())

    async def quarantine(self) -> list[dict[str, Any]]:
        """The photos that wait for a person. Raises FailedPrecondition (NO_MIGRATION)."""
        return quarantine_of(await self.status())

    async def assign(self, photos: list[str], pillar: str) -> int:
        """See Quarantine."""
        return await Quarantine(self._account, self._tools.catalog).assign(photos, pillar)

    async def give_up(self, kind: str, ids: list[str], why: str) -> int:
        """Leaves rows behind that cannot be migrated; the account keeps them and the reason."""
        async with self._account.exclusive():
            migration = await self._account.required()
            require_open(await self._account.entries(migration, kind), ids)
            await self._account.give_up(migration.id, kind, ids, why)
            return len(ids)

    async def gate(self, source: Source | None) -> Verdict:
        """Looks whether everything is there. Raises FailedPrecondition (NO_MIGRATION)."""
        async with self._account.exclusive():
            return await GateKeeper(await self._again(), self._progress).look(source)

    async def rollback(self) -> list[str]:
        """Takes everything back; what stays. Raises FailedPrecondition (NO_MIGRATION)."""
        async with self._account.exclusive():
            desk = await self._again()
            left = await Rollback(desk, self._progress).run()
            return [*left, *await self._delivery.take_back(desk, self._progress)]

    async def drop(self, backup: str) -> Migration:
        """Removes the account of a migration that passed the gate; there is no way back then.

        Raises InvalidArgument, FailedPrecondition (NO_MIGRATION, NO_GATE).
        """
        if not backup.strip():
            raise InvalidArgument.of("confirm-backup", "name the backup that you made before")
        async with self._account.exclusive():
            migration = await self._account.required()
            gate = await self._account.last_gate(migration)
            if gate is None or not gate.passed:
                raise FailedPrecondition(
                    "nothing is dropped before a gate has passed and nothing changed since; run "
                    "`colonnade migrate gate`",
                    reason="NO_GATE",
                )
            await self._account.drop(migration, backup.strip())
            return migration

    async def _again(self) -> Desk:
        return await self._desk(await self._account.required())

    async def _desk(self, migration: Migration) -> Desk:
        library = library_of(await self._account.rows(migration))
        return Desk(self._tools, self._account, migration, library)
