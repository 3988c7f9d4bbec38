"""Looking up many photos."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, TypeVar

from libs.errors import NotFound
from services.scheduler.domain.manner import Subject
from services.scheduler.domain.photo import Photo
from services.scheduler.ports import Catalog

T = TypeVar("T")
_AT_ONCE: Final = 8


async def photos_of(catalog: Catalog, names: Collection[str]) -> Mapping[str, Photo | NotFound]:
    """The photos of these names, as the catalog has them. Raises Unavailable."""
    return await _looked_up(names, catalog.photo)


async def subjects_of(catalog: Catalog, names: Collection[str]) -> Mapping[str, Subject | NotFound]:
    """What is to be said of the photos of these names. Raises Unavailable."""
    return await _looked_up(names, catalog.subject)


async def _looked_up(
    names: Collection[str], one: Callable[[str], Awaitable[T]]
) -> Mapping[str, T | NotFound]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def look_up(name: str) -> T | NotFound:
        async with turns:
            try:
                return await one(name)
            except NotFound as error:
                return error

    distinct = list(dict.fromkeys(names))
    found = await asyncio.gather(*map(look_up, distinct))
    return dict(zip(distinct, found, strict=True))
