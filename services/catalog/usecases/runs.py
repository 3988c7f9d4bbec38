"""Runs: read them. How they come to be is told in ``suggestions``."""

from libs.rpc.paging import Page
from services.catalog.domain.names import Key
from services.catalog.domain.run import Run
from services.catalog.ports import Catalog, Listing


class RunCases:
    """What can be done with runs."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def get(self, key: Key) -> Run:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.runs.get(key)

    async def page(self, persona: str, listing: Listing) -> Page[Run]:
        """One page. Raises NotFound for an unknown persona."""
        async with self._catalog.reading() as catalog:
            return await catalog.runs.page(persona, listing)
