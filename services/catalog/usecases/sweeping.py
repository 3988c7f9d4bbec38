"""Removing bytes that no photo uses."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from libs.blobs.store import BlobStore
from libs.clock import Clock
from services.catalog.domain.blobs import FOLDERS, digest_in
from services.catalog.ports import Catalog, Changing

_BATCH = 200


class SweepBlobs:
    """Notes which blobs no photo uses, and removes those that stayed unused for ``grace``.

    A blob is removed while its note is locked, and an upload takes the note away before it writes:
    so either the upload waits and writes the bytes anew, or the sweep finds no note.
    """

    def __init__(self, catalog: Catalog, blobs: BlobStore, clock: Clock, grace: timedelta) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._clock = clock
        self._grace = grace

    async def run(self) -> int:
        """One round over all blobs; answers how many were removed."""
        for folder in FOLDERS:
            batch: list[str] = []
            async for key in self._blobs.list(folder):
                batch.append(key)
                if len(batch) == _BATCH:
                    await self._note(batch)
                    batch = []
            await self._note(batch)
        removed = 0
        while (count := await self._remove()) is not None:
            removed += count
        return removed

    async def _note(self, keys: Sequence[str]) -> None:
        async with self._catalog.changing() as tx:
            await tx.blobs.mark(await _unused(tx, keys), self._clock.now())
            await tx.commit()

    async def _remove(self) -> int | None:
        """Deals with one batch of old notes; answers how many blobs went, None without notes."""
        async with self._catalog.changing() as tx:
            due = await tx.blobs.due(self._clock.now() - self._grace, _BATCH)
            unused = await _unused(tx, due)
            for key in unused:
                await self._blobs.delete(key)
            await tx.blobs.forget(due)
            await tx.commit()
        return len(unused) if due else None


async def _unused(tx: Changing, keys: Iterable[str]) -> list[str]:
    digests = {key: digest_in(key) for key in keys}
    used = await tx.blobs.used(sorted(set(digests.values())))
    return [key for key, digest in digests.items() if digest not in used]
