"""The account that the catalog keeps of an import, as the command writes and reads it."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import blake2b

from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1.photo_import_pb2 import PhotoImport, PhotoImportItem

from cli.connection import Suite
from cli.importer import Destination, Line, Result
from cli.sources import Candidate
from libs.errors import FailedPrecondition
from libs.rpc.status import to_status

_NOTED_AT_ONCE = 100
_READ_AT_ONCE = 200
_OUTCOMES = {
    Result.SKIPPED: PhotoImportItem.OUTCOME_SKIPPED,
    Result.FAILED: PhotoImportItem.OUTCOME_FAILED,
}


class Account:
    """Notes what became of files that no upload notes, and knows what was noted before.

    Of each file that is done with it remembers 16 bytes, and of the others nothing.
    """

    def __init__(self, suite: Suite, opened: PhotoImport) -> None:
        self._suite = suite
        self._opened = opened
        self._done: set[bytes] = set()
        self._waiting: list[PhotoImportItem] = []
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, suite: Suite, source: str, to: Destination) -> "Account":
        """A new account, or the one that an interrupted import of the source left open."""
        wanted = PhotoImport(source=source, pillar=to.pillar, dry_run=to.dry_run)
        request = imports.CreatePhotoImportRequest(parent=to.persona, photo_import=wanted)
        account = cls(suite, await suite.imports.CreatePhotoImport(request))
        async for item in import_items(suite, account.name, 'outcome != "FAILED"'):
            if item.fingerprint:
                account._done.add(_mark(item.source_path, item.fingerprint))
        return account

    @property
    def name(self) -> str:
        """The name of the import."""
        return self._opened.name

    @property
    def done(self) -> int:
        """How many files were done with before."""
        return len(self._done)

    def is_done(self, found: Candidate) -> bool:
        """Whether the file was done with before and has not changed since."""
        return _mark(found.relative, found.fingerprint) in self._done

    async def note(self, found: Candidate, line: Line) -> None:
        """Notes what became of a file, unless its upload has."""
        if line.result not in _OUTCOMES:
            return
        why = FailedPrecondition(line.message, reason=line.code or line.result.upper())
        self._waiting.append(
            PhotoImportItem(
                source_path=line.path,
                outcome=_OUTCOMES[line.result],
                error=to_status(why),
                fingerprint=found.fingerprint,
            )
        )
        if len(self._waiting) >= _NOTED_AT_ONCE:
            await self.flush()

    async def flush(self) -> None:
        """Sends what waits to be noted."""
        async with self._lock:
            while items := self._waiting[:_NOTED_AT_ONCE]:
                request = imports.RecordPhotoImportItemsRequest(parent=self.name, items=items)
                await self._suite.imports.RecordPhotoImportItems(request)
                del self._waiting[: len(items)]

    async def close(self, *, complete: bool) -> PhotoImport:
        """The account as it stands in the end; ``complete`` ends the import."""
        await self.flush()
        if not complete:
            return await self._suite.imports.GetPhotoImport(
                imports.GetPhotoImportRequest(name=self.name)
            )
        request = imports.CompletePhotoImportRequest(name=self.name)
        return (await self._suite.imports.CompletePhotoImport(request)).photo_import


async def import_items(
    suite: Suite, name: str, filter: str = "", limit: int | None = None
) -> AsyncIterator[PhotoImportItem]:
    """The items of an import by path, page by page, up to ``limit`` of them."""
    token, left = "", limit
    while left is None or left > 0:
        size = _READ_AT_ONCE if left is None else min(left, _READ_AT_ONCE)
        page = await suite.imports.ListPhotoImportItems(
            imports.ListPhotoImportItemsRequest(
                parent=name, page_size=size, page_token=token, filter=filter
            )
        )
        for item in page.items:
            yield item
        left = None if left is None else left - len(page.items)
        token = page.next_page_token
        if not token:
            return


def _mark(path: str, fingerprint: str) -> bytes:
    return blake2b(f"{path}\0{fingerprint}".encode(), digest_size=16).digest()
