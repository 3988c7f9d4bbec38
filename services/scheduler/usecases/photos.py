"""Looking up many photos."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from libs.errors import NotFound
from services.scheduler.domain.photo import Photo
from services.scheduler.ports import Catalog

_AT_ONCE: Final = 8


async def photos_of(catalog: Catalog, names: Collection[str]) -> Mapping[str, Photo | NotFound]:
    """The photos of these names, as the catalog has them. Raises Unavailable."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look_up(name: str) -> Photo | NotFound:
        async with turns:
            try:
                return await catalog.photo(name)
            except NotFound as error:
                return error

    distinct = list(dict.fromkeys(names))
    found = await asyncio.gather(*map(look_up, distinct))
    return dict(zip(distinct, found, strict=True))
