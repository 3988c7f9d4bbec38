"""The vector index and the blob store, as clustering runs see them."""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

import numpy as np

from libs.aio import BlockingPool
from libs.blobs.store import BlobStore
from libs.errors import NotFound, Unavailable
from libs.vectors.index import VectorFilter, VectorIndex
from services.clustering.domain.verdict import Look
from services.clustering.looking import hash_file, look_at
from services.clustering.ports import Vector
from services.clustering.usecases.comparing import Eyes

log = logging.getLogger(__name__)

_PAGE = 1000
_KEPT = 64
# Of the blobs that runs write.
_FOLDER = "clustering"


class IndexVectors:
    """See ports.Vectors."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index

    async def of_points(self, collection: str, ids: Sequence[str]) -> tuple[list[str], Vector]:
        found: list[str] = []
        rows: list[Vector] = []
        for start in range(0, len(ids), _PAGE):
            points = await self._index.retrieve(collection, ids[start : start + _PAGE])
            found += [point.id for point in points]
            rows += [point.vector for point in points]
        return found, np.stack(rows) if rows else np.empty((0, 1), np.float32)

    async def of_scope(
        self, collection: str, scope: str
    ) -> AsyncIterator[tuple[list[str], Vector]]:
        where = VectorFilter.where(scope=scope)
        async for page in self._index.scroll(collection, filter=where, page=_PAGE):
            yield page.ids, page.matrix

    async def in_range(
        self, collection: str, scope: str, first: str, last: str
    ) -> AsyncIterator[tuple[list[str], Vector]]:
        pages = self._index.scroll(
            collection,
            filter=VectorFilter.where(scope=scope),
            page=_PAGE,
            start=first,
            end=last,
            payloads=False,
        )
        async for page in pages:
            yield page.ids, page.matrix


class BlobSnapshots:
    """See ports.Snapshots."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def load(self, key: str) -> bytes | None:
        try:
            return await self._blobs.get(key)
        except NotFound:
            return None

    async def save(self, key: str, data: bytes) -> None:
        await self._blobs.put(key, data)

    async def forget(self, key: str) -> bool:
        try:
            await self._blobs.delete(key)
        except Unavailable as error:
            log.warning("%s stays behind: %s", key, error)
            return False
        return True

    async def forget_all(self, folder: str) -> None:
        try:
            async for key in self._blobs.list(folder):
                await self._blobs.delete(key)
        except Unavailable as error:
            log.warning("what is below %s stays behind: %s", folder, error)

    def keys(self) -> AsyncIterator[str]:
        return self._blobs.list(_FOLDER)


class BlobPictures:
    """Looks at the pictures in the blob store; see usecases.comparing.Eyes.

    The last few are kept, because one picture is compared with several.
    """

    def __init__(self, blobs: BlobStore, pool: BlockingPool) -> None:
        self._blobs = blobs
        self._pool = pool
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    @property
    def eyes(self) -> Eyes:
        """What use cases see of it."""
        return Eyes(self._hash, self._look)

    async def _hash(self, key: str) -> bytes | None:
        return await self._pool.run(hash_file, await self._read(key))

    async def _look(
        self, first: str, second: str, distance: int | None, orientation: int
    ) -> tuple[Look, int]:
        one, other = await self._read(first), await self._read(second)
        return await self._pool.run(look_at, one, other, distance, orientation)

    async def _read(self, key: str) -> bytes:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        data = self._kept[key] = await self._blobs.get(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return data
