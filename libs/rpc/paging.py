"""Pages of lists: sizes, and tokens that nobody can make up."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from libs.errors import InvalidArgument
from libs.signing import Signer

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
T = TypeVar("T")
Key = str | int | float


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the sort key of the last one when more follow."""

    rows: Sequence[T]
    next_key: tuple[Key, ...] | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many rows, after which sort key (None: from the start)."""

    size: int
    after: tuple[Key, ...] | None = None


def page_size(asked: int) -> int:
    """The page size to use: 50 for 0, at most 200."""
    return min(asked, MAX_PAGE_SIZE) if asked else DEFAULT_PAGE_SIZE


class PageTokens:
    """Makes and reads page tokens. A token holds the last sort key and a hash of what is listed
    (method, parent, filter, order), signed, so that it fits no other list."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, "page-token")

    def request(self, size: int, token: str, *listing: str) -> PageRequest:
        """What to read for a page of ``listing``. Raises InvalidArgument on ``page_token``."""
        after = self._read(token, listing) if token else None
        return PageRequest(page_size(size), after)

    def token(self, next_key: tuple[Key, ...] | None, *listing: str) -> str:
        """The token of the page after ``next_key``; empty when there is none."""
        if next_key is None:
            return ""
        return self._signer.token([1, _digest(listing), list(next_key)])

    def _read(self, token: str, listing: Sequence[str]) -> tuple[Key, ...]:
        try:
            _, digest, key = self._signer.read(token)
        except ValueError:
            raise _bad_token() from None
        if digest != _digest(listing):
            raise InvalidArgument.of(
                "page_token",
                "belongs to another list; start again without it when you change "
                "the parent, filter or order",
            )
        return tuple(key)


def _digest(listing: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(listing).encode()).hexdigest()[:16]


def _bad_token() -> InvalidArgument:
    return InvalidArgument.of(
        "page_token", "is not one that a list has answered; send next_page_token back as it came"
    )
