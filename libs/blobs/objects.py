"""The blob store, in a folder or in a bucket."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from libs.errors import InvalidArgument, NotFound, Unavailable

_KEY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
_PIECE = 1024 * 1024


def open_blobs(url: str, options: Mapping[str, str] | None = None) -> "ObjectBlobs":
    """The store at ``file:///folder`` (made if missing) or ``s3://bucket/prefix``.

    ``options`` are the settings of the S3 client: ``access_key_id``, ``secret_access_key``,
    ``endpoint`` (for anything but Amazon; may be http) and ``region``. Raises InvalidArgument for
    another kind of URL or an unknown option.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return ObjectBlobs(LocalStore(Path(unquote(parts.path)), mkdir=True))
    if parts.scheme == "s3":
        return ObjectBlobs(_bucket(parts.netloc, parts.path.strip("/"), options or {}))
    raise InvalidArgument.of("blobs.url", f"use file:///folder or s3://bucket/prefix, not {url!r}")


def _bucket(name: str, prefix: str, options: Mapping[str, str]) -> S3Store:
    settings: Any = dict(options)
    try:
        return S3Store(
            name,
            prefix=prefix or None,
            config=settings,
            client_options={"allow_http": options.get("endpoint", "").startswith("http://")},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)},
        )
    except BaseError as error:
        raise InvalidArgument.of("blobs.options", str(error)) from error


class ObjectBlobs:
    """A ``libs.blobs.store.BlobStore`` over an object store.

    A put becomes visible as a whole: the folder gets a finished file by renaming, the bucket a
    finished upload. With a ``MemoryStore`` it is a store for tests.
    """

    def __init__(self, store: LocalStore | S3Store | MemoryStore) -> None:
        self._store = store

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> None:
        """See BlobStore."""
        with _errors(key):
            await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes:
        """See BlobStore."""
        with _errors(key):
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def stream(
        self, key: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """See BlobStore."""
        size = await self.head(key)
        end = size if length is None else min(size, offset + length)
        if not 0 <= offset <= size:
            raise InvalidArgument.of("offset", f"the content has {size} bytes, not {offset}")
        if offset == end:
            return
        with _errors(key):
            found = await obstore.get_async(self._store, key, options={"range": (offset, end)})
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    async def head(self, key: str) -> int:
        """See BlobStore."""
        with _errors(key):
            return (await obstore.head_async(self._store, key))["size"]

    async def exists(self, key: str) -> bool:
        """See BlobStore."""
        try:
            await self.head(key)
        except NotFound:
            return False
        return True

    async def delete(self, key: str) -> None:
        """See BlobStore."""
        try:
            with _errors(key):
                await obstore.delete_async(self._store, key)
        except NotFound:
            return

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See BlobStore."""
        with _errors(prefix or "all"):
            async for batch in obstore.list(self._store, prefix or None):
                for item in batch:
                    yield item["path"]


@contextmanager
def _errors(key: str) -> Iterator[None]:
    if not _KEY.fullmatch(key):
        raise InvalidArgument.of("key", f"{key!r} is not of the form folder/name.extension")
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("blob", key) from error
    except (BaseError, OSError) as error:
        raise Unavailable(f"the blob store does not take this now: {error}") from error
