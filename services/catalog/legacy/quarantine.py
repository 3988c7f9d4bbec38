"""The photos of an older library for which a person has to name the pillar."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.errors import InvalidArgument
from libs.rpc.paging import Page, PageRequest
from services.catalog.domain.names import pillar_key
from services.catalog.legacy.account import Account, Entry
from services.catalog.legacy.desk import PHOTOS
from services.catalog.legacy.shape import library_of
from services.catalog.ports import Catalog


@dataclass(frozen=True, slots=True)
class Waiting:
    """A photo that waits. ``id`` is that of the older library, ``pillar`` what somebody chose."""

    id: str
    path: str
    reason: str
    message: str
    pillar: str


class Quarantine:
    """Lists the photos that wait, and takes the decisions."""

    def __init__(self, account: Account, catalog: Catalog) -> None:
        self._account = account
        self._catalog = catalog

    async def page(self, wanted: PageRequest) -> Page[Waiting]:
        """Those that wait, by id; none when no migration is under way."""
        migration = await self._account.current()
        if migration is None:
            return Page([])
        after = str(wanted.after[0]) if wanted.after else ""
        entries = await self._account.quarantined(migration, PHOTOS, after, wanted.size + 1)
        rows = [_waiting(entry) for entry in entries[: wanted.size]]
        return Page(rows, (rows[-1].id,) if len(entries) > wanted.size else None)

    async def assign(self, photos: Sequence[str], pillar: str) -> int:
        """Notes to which pillar photos go; the next ``apply`` takes them there.

        Raises FailedPrecondition (NO_MIGRATION, MIGRATION_RUNNING), NotFound for the pillar,
        InvalidArgument with the ids of those that do not wait.
        """
        async with self._account.exclusive():
            migration = await self._account.required()
            async with self._catalog.reading() as catalog:
                await catalog.pillars.get(pillar_key(pillar, "pillar"))
            require_open(await self._account.entries_of(migration, PHOTOS, photos), photos)
            await self._account.assign(migration.id, PHOTOS, photos, pillar)
            return len(set(photos))


def require_open(entries: Sequence[Entry], ids: Sequence[str]) -> None:
    """Raises InvalidArgument if some of ``ids`` are not among the entries that wait."""
    known = {entry.id for entry in entries if entry.open}
    if strangers := sorted(set(ids) - known):
        text = f"these do not wait for a decision: {', '.join(strangers)}"
        raise InvalidArgument.of("ids", text)


def _waiting(entry: Entry) -> Waiting:
    (photo,) = library_of({PHOTOS: [entry.row]}).photos
    outcome = entry.outcome
    return Waiting(entry.id, photo.path, outcome.reason, outcome.message, entry.assigned)
