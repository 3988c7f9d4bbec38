"""Blobs in memory."""

from collections.abc import AsyncIterator


class MemoryBlobs:
    """``ports.Blobs`` in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data

    async def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    async def exists(self, key: str) -> bool:
        return key in self.kept

    async def stream(
        self, key: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        data = self.kept[key][offset:]
        yield data if length is None else data[:length]
