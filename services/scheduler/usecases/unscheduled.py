"""The photos that no post uses."""

from typing import Final

from libs.rpc.paging import Page, PageRequest
from services.scheduler.ports import Catalog, CatalogPhoto, Store, UnusedPhotos

# The catalog hears of posts a moment later: what it counts as unused for that long is left out
# here, and asked for again so many times at most.
_CALLS: Final = 5


class ListUnscheduledPhotos:
    """Lists the catalog's unused photos without those that posts have."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    async def __call__(self, wanted: UnusedPhotos, page: PageRequest) -> Page[CatalogPhoto]:
        """One page; a short one may have a next one.

        Raises NotFound for an unknown persona, InvalidArgument on ``filter`` or ``order_by``,
        Unavailable.
        """
        token = str(page.after[0]) if page.after else ""
        found: list[CatalogPhoto] = []
        for _ in range(_CALLS):
            answer = await self._catalog.unused(wanted, page.size - len(found), token)
            async with self._store.reading() as view:
                taken = await view.posts.taken([photo.name for photo in answer.photos])
            found += [photo for photo in answer.photos if photo.name not in taken]
            token = answer.next_token
            if not token or len(found) == page.size:
                break
        return Page(found, (token,) if token else None)
