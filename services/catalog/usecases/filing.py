"""Filing photos that came without a pillar, and the inbox of those that a person should look at."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.clock import Clock
from libs.rpc.requests import RequestKey
from services.catalog.domain.filing import looked_at
from services.catalog.domain.photo import FilingState, Photo
from services.catalog.domain.pillar import Pillar
from services.catalog.ports import Catalog, Changing
from services.catalog.usecases.requests import answered, finish, touched

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Sorted:
    """How many photos were filed, and how many still wait in the inbox."""

    filed: int
    waiting: int


class FilingCases:
    """Files photos by what they show. ``enough`` is the confidence, 0..1, that needs no person."""

    def __init__(self, catalog: Catalog, clock: Clock, enough: float) -> None:
        self._catalog = catalog
        self._clock = clock
        self._enough = enough

    async def look(
        self, tx: Changing, photos: Sequence[Photo]
    ) -> tuple[list[Photo], Sequence[Pillar]]:
        """These photos of one persona as they are to be filed, and its pillars; stores nothing."""
        near = await tx.filings.neighbours([photo.id for photo in photos])
        pillars = (await tx.pillars.strategy(photos[0].persona)).pillars
        now = self._clock.now()
        return [looked_at(p, near[p.id], pillars, self._enough, now) for p in photos], pillars

    async def propose(self, persona: str, request: RequestKey) -> Sorted:
        """Looks again at all of the inbox, for as long as that files photos. Raises NotFound.

        Each batch is a transaction; broken off anywhere, what was filed stays, and the same call
        again does the rest.
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return _read(known)
            await tx.personas.get(persona)
        settled = await self._look_at_all(persona)
        filed = len(settled)
        while settled:
            settled = await self._look_near(persona, settled)
            filed += len(settled)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return _read(known)
            answer = Sorted(filed, await tx.filings.waiting(persona))
            await finish(tx, request, f"{answer.filed} {answer.waiting}")
        return answer

    async def accept(self, persona: str, least: float, request: RequestKey) -> int:
        """Settles all of the inbox that is ``least`` sure or more. Raises NotFound."""
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return int(known)
            await tx.personas.get(persona)
            filed = await tx.filings.accept(persona, least, self._clock.now())
            await finish(tx, request, str(filed))
        return filed

    async def file_overlooked(self) -> int:
        """Looks at photos whose embedding was told of when nobody listened; answers how many."""
        async with self._catalog.reading() as catalog:
            keys = await catalog.filings.overlooked(_BATCH)
        ids: dict[str, list[str]] = {}
        for persona, id in keys:
            ids.setdefault(persona, []).append(id)
        for persona, some in ids.items():
            await self._look_again(persona, some, FilingState.PENDING)
        return len(keys)

    async def _look_at_all(self, persona: str) -> list[str]:
        """Looks at the whole inbox; answers who was filed."""
        filed: list[str] = []
        after = ""
        while True:
            async with self._catalog.reading() as catalog:
                ids = await catalog.filings.inbox(persona, after, _BATCH)
            if not ids:
                return filed
            filed += await self._look_again(persona, ids, FilingState.REVIEW)
            after = ids[-1]

    async def _look_near(self, persona: str, settled: Sequence[str]) -> list[str]:
        """Looks at whoever waits near those that were filed just now; answers who was filed."""
        async with self._catalog.reading() as catalog:
            ids = await catalog.filings.inbox_near(persona, settled)
        filed: list[str] = []
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            filed += await self._look_again(persona, some, FilingState.REVIEW)
        return filed

    async def _look_again(self, persona: str, ids: Sequence[str], state: FilingState) -> list[str]:
        """Stores what becomes of those that are still in ``state``; answers who was filed."""
        async with self._catalog.changing() as tx:
            found = (await tx.photos.locked_all(persona, ids)).values()
            before = [photo for photo in found if photo.filing.state is state]
            if not before:
                return []
            now = self._clock.now()
            after, pillars = await self.look(tx, before)
            pairs = zip(before, after, strict=True)
            changed = [(old, touched(new, now)) for old, new in pairs if new != old]
            await tx.photos.save_all([new for _, new in changed])
            announce_moves(tx, changed, pillars)
            await tx.commit()
        return [new.id for _, new in changed if new.filing.settled]


def announce_moves(
    tx: Changing, changes: Sequence[tuple[Photo, Photo]], pillars: Sequence[Pillar]
) -> None:
    """Tells of those photos, before and after, that are under another of the pillars now."""
    known = {pillar.id: pillar for pillar in pillars}
    for old, new in changes:
        if new.pillar != old.pillar:
            tx.photo_events.updated(new, known[new.pillar])


def _read(result: str) -> Sorted:
    return Sorted(*map(int, result.split()))
