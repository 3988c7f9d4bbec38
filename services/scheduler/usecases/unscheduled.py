"""The photos that no post uses."""

from collections.abc import Collection, Sequence
from typing import Final

from libs.clock import Clock
from libs.rpc.paging import Page, PageRequest
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.repeat import in_the_way
from services.scheduler.ports import Catalog, CatalogPhoto, Reading, Store, UnusedPhotos
from services.scheduler.usecases.channels import connected

# The catalog hears of posts a moment later: what it counts as unused for that long is left out
# here, and asked for again so many times at most.
_CALLS: Final = 5


class ListUnscheduledPhotos:
    """Lists the catalog's unused photos without those that posts have, or that a copy keeps from
    going out now."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, wanted: UnusedPhotos, page: PageRequest) -> Page[CatalogPhoto]:
        """One page; a short one may have a next one.

        Raises NotFound for an unknown persona, InvalidArgument on ``filter`` or ``order_by``,
        Unavailable.
        """
        token = str(page.after[0]) if page.after else ""
        found: list[CatalogPhoto] = []
        async with self._store.reading() as view:
            channels = await connected(view, wanted.persona)
        for _ in range(_CALLS):
            answer = await self._catalog.unused(wanted, page.size - len(found), token)
            names = [photo.name for photo in answer.photos]
            async with self._store.reading() as view:
                taken = {
                    *await view.posts.taken(names),
                    *await self._repeated(view, names, channels),
                }
            found += [photo for photo in answer.photos if photo.name not in taken]
            token = answer.next_token
            if not token or len(found) == page.size:
                break
        return Page(found, (token,) if token else None)

    async def _repeated(
        self, view: Reading, photos: Sequence[str], channels: Sequence[Channel]
    ) -> Collection[str]:
        """Those of the photos that would be refused now."""
        seen = await view.copies.seen(photos, [channel.key for channel in channels])
        now = self._clock.now()
        return {each.photo for each in seen if in_the_way([each], channels, now)}
