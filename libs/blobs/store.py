"""Bytes by key."""

import hashlib
from collections.abc import AsyncIterator
from typing import Protocol


class BlobStore(Protocol):
    """A flat space of immutable byte strings.

    Keys are like ``photos/ab/abcd….jpg``: parts of letters, digits, ``.``, ``_`` and ``-``, joined
    by ``/``. Every method raises InvalidArgument for a key of another form, NotFound for a missing
    key (unless it says otherwise) and Unavailable when the store does not answer.
    """

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> None:
        """Stores ``data``, in place of what was there. Nobody ever sees a part of it."""

    async def get(self, key: str) -> bytes:
        """All the bytes."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``offset``, up to ``length`` of them, in pieces of about 1 MiB.

        Raises InvalidArgument if ``offset`` lies beyond the end.
        """

    async def head(self, key: str) -> int:
        """The size in bytes."""

    async def exists(self, key: str) -> bool:
        """Whether there is such a key."""

    async def delete(self, key: str) -> None:
        """Removes the key. A missing one is fine."""

    def list(self, prefix: str = "") -> AsyncIterator[str]:
        """The keys below a folder such as ``photos/ab``, in no particular order."""


def content_key(folder: str, digest: str, extension: str) -> str:
    """The key of content with this hex digest: ``content_key("photos", "abcd…", "jpg")``.

    Two levels of folders keep any one of them small: ``photos/ab/cd/abcd….jpg``.
    """
    return f"{folder}/{digest[:2]}/{digest[2:4]}/{digest}.{extension}"


def sha256(data: bytes) -> str:
    """The digest that content-addressed keys are made of, in lower-case hex."""
    return hashlib.sha256(data).hexdigest()
