"""The blob store."""

from collections.abc import AsyncIterator
from typing import Protocol


class Blobs(Protocol):
    """The part of the blob store that is needed."""

    async def put(self, key: str, data: bytes) -> None:
        """Stores ``data``. Raises Unavailable."""

    async def delete(self, key: str) -> None:
        """Removes the key; passes if there is none. Raises Unavailable."""

    async def exists(self, key: str) -> bool:
        """Whether there is such a key. Raises Unavailable."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Bytes from ``offset`` on, up to ``length``. Raises NotFound, InvalidArgument."""
