"""An upload on its way in: hashed and measured while it arrives, mostly on disk."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from types import TracebackType
from typing import BinaryIO, Self, cast

from libs.errors import OutOfQuota
from libs.image_formats import sniff

PIECE = 1024 * 1024
_ENOUGH_TO_SNIFF = 512


class Spool:
    """Takes the chunks of one file.

    Beyond ``in_memory`` bytes they go to a temporary file, which is gone when the block ends.
    """

    def __init__(self, max_bytes: int, in_memory: int) -> None:
        self._max_bytes = max_bytes
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def file(self) -> BinaryIO:
        """What has arrived."""
        return cast(BinaryIO, self._file)

    @property
    def sha256(self) -> str:
        """The digest of what has arrived, in lower-case hex."""
        return self._hash.hexdigest()

    async def fill(self, chunks: AsyncIterator[bytes]) -> None:
        """Takes all chunks, unless it shows early that they are too many or no picture.

        Raises OutOfQuota (IMAGE_TOO_LARGE) and InvalidArgument (UNSUPPORTED_IMAGE).
        """
        async for chunk in chunks:
            if self.size == 0 and len(chunk) >= _ENOUGH_TO_SNIFF:
                sniff(chunk)
            self.size += len(chunk)
            if self.size > self._max_bytes:
                raise _too_large(self._max_bytes)
            self._hash.update(chunk)
            self._file.write(chunk)

    def content(self) -> bytes | AsyncIterator[bytes]:
        """What has arrived, from the start: whole if it is small, else in pieces of 1 MiB."""
        self._file.seek(0)
        return self._file.read() if self.size <= PIECE else self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := self._file.read(PIECE):
            yield piece


def _too_large(max_bytes: int) -> OutOfQuota:
    # A retry of the same file can never succeed, hence no time to wait for.
    return OutOfQuota(
        f"the file is larger than {max_bytes} bytes; send a smaller one",
        retry_after=0.0,
        reason="IMAGE_TOO_LARGE",
        metadata={"max_bytes": str(max_bytes)},
    )
