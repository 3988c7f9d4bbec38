"""The vector index and the blob store, as clustering runs see them."""

import logging
from collections.abc import AsyncIterator, Sequence

import numpy as np

from libs.blobs.store import BlobStore
from libs.errors import NotFound, Unavailable
from libs.vectors.index import VectorFilter, VectorIndex
from services.clustering.ports import Vector

log = logging.getLogger(__name__)

_PAGE = 1000


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

    async def forget(self, key: str) -> None:
        try:
            await self._blobs.delete(key)
        except Unavailable as error:
            log.warning("%s stays behind: %s", key, error)
