"""What photos are called by people: the path that their file came with."""

import asyncio
from collections.abc import Iterable
from typing import Final

from colonnade.catalog.v1 import catalog_service_pb2 as catalog

from cli.connection import Suite
from cli.output import last_part
from libs.errors import ColonnadeError

_AT_ONCE: Final = 16


async def file_names(suite: Suite, photos: Iterable[str]) -> dict[str, str]:
    """The paths of the files of photos, by their names.

    ``-`` for one that is gone, or that the catalog does not tell of, as to a key that may only
    search: what was found matters more.
    """
    turn = asyncio.Semaphore(_AT_ONCE)

    async def name(photo: str) -> tuple[str, str]:
        async with turn:
            try:
                found = await suite.catalog.GetPhoto(catalog.GetPhotoRequest(name=photo))
            except ColonnadeError:
                return photo, "-"
            return photo, found.source_path or found.file_name or "-"

    return dict(await asyncio.gather(*(name(photo) for photo in sorted(set(photos)))))


def labelled(photo: str, files: dict[str, str]) -> str:
    """A photo in two lines of a cell: what its file is called, and its id."""
    return f"{files[photo]}\n{last_part(photo)}"
