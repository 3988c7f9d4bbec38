"""The accounts of imports: where they are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.rpc.paging import Page
from services.catalog.domain.names import Key
from services.catalog.domain.photo_import import Counts, ImportItem, PhotoImport
from services.catalog.ports.shared import Listing


class PhotoImports(Protocol):
    """Where the accounts of imports are kept."""

    async def open(self, new: PhotoImport) -> PhotoImport:
        """``new``, or the open import that there is of the same persona, source and dry run."""

    async def get(self, key: Key) -> PhotoImport:
        """The import with its files counted. Raises NotFound."""

    async def locked(self, key: Key) -> PhotoImport:
        """Like ``get``; nobody notes a file of it before the end of the transaction."""

    async def page(self, persona: str, listing: Listing) -> Page[PhotoImport]:
        """One page, by time of creation. Raises NotFound for an unknown persona."""

    async def complete(self, key: Key, counts: Counts, now: datetime) -> None:
        """Ends it with these counts."""

    async def note(self, key: Key, items: Sequence[ImportItem], dry_run: bool | None) -> bool:
        """Notes what became of files, each path once, in place of what was noted of them.

        False, and nothing is noted, unless the import is open, and a dry run or none as asked.
        What came in with the import stays new, though the same file be found a duplicate later.
        """

    async def items(self, key: Key, listing: Listing) -> Page[ImportItem]:
        """One page, by path. Raises NotFound."""
