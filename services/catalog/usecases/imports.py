"""The accounts of imports: open, read, note, complete."""

from collections.abc import Sequence

from libs.clock import Clock
from libs.errors import InvalidArgument
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import Key, photo_import_key
from services.catalog.domain.persona import require_active
from services.catalog.domain.photo_import import (
    ImportItem,
    ImportState,
    PhotoImport,
    check_reported,
    each_path_once,
    require_open,
    require_same,
)
from services.catalog.ports import Catalog, Changing, Listing
from services.catalog.usecases.requests import answered, finish


class ImportCases:
    """What can be done with the accounts of imports."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def create(self, wanted: PhotoImport, request: RequestKey) -> PhotoImport:
        """Opens an import, or answers the one that is open for the same source.

        Raises NotFound, AlreadyExists (it files photos elsewhere), FailedPrecondition (ARCHIVED).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.imports.get(photo_import_key(known))
            require_active(await tx.personas.pinned(wanted.persona))
            if wanted.pillar:
                await tx.pillars.plain(Key(wanted.persona, wanted.pillar))
            found = await tx.imports.open(wanted)
            require_same(found, wanted)
            await finish(tx, request, found.name)
        return found

    async def get(self, key: Key) -> PhotoImport:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.imports.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[PhotoImport]:
        """One page, newest first. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.imports.page(persona, listing)

    async def items(self, key: Key, listing: Listing) -> Page[ImportItem]:
        """One page, by path. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.imports.items(key, listing)

    async def record(self, key: Key, items: Sequence[ImportItem]) -> PhotoImport:
        """Notes what became of files that no upload noted.

        Raises NotFound, InvalidArgument, FailedPrecondition (IMPORT_COMPLETED).
        """
        check_reported(items)
        async with self._catalog.changing() as tx:
            await note(tx, key, each_path_once(items))
            after = await tx.imports.get(key)
            await tx.commit()
        return after

    async def complete(self, key: Key) -> PhotoImport:
        """Ends an import; one that has ended stays as it is. Raises NotFound."""
        async with self._catalog.changing() as tx:
            before = await tx.imports.locked(key)
            if before.state is ImportState.COMPLETED:
                return before
            await tx.imports.complete(key, before.counts, self._clock.now())
            after = await tx.imports.get(key)
            await tx.commit()
        return after


async def note(
    tx: Changing, key: Key, items: Sequence[ImportItem], *, dry_run: bool | None = None
) -> None:
    """Notes ``items``, in a dry run or in none if it matters.

    Raises NotFound, FailedPrecondition (IMPORT_COMPLETED), InvalidArgument where a dry run and
    one that is none are mixed.
    """
    if await tx.imports.note(key, items, dry_run):
        return
    found = await tx.imports.get(key)
    require_open(found)
    kind = "a dry run" if found.dry_run else "no dry run"
    raise InvalidArgument.of("header.validate_only", f"{found.name} is {kind}")
