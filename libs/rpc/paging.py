"""Pages of lists: sizes, and tokens that nobody can make up."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from libs.errors import InvalidArgument

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
        self._secret = hashlib.sha256(b"page-token" + secret).digest()

    def request(self, size: int, token: str, *listing: str) -> PageRequest:
        """What to read for a page of ``listing``. Raises InvalidArgument on ``page_token``."""
        after = self._read(token, listing) if token else None
        return PageRequest(page_size(size), after)

    def token(self, next_key: tuple[Key, ...] | None, *listing: str) -> str:
        """The token of the page after ``next_key``; empty when there is none."""
        if next_key is None:
            return ""
        body = orjson.dumps([1, _digest(listing), list(next_key)])
        return base64.urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode()

    def _read(self, token: str, listing: Sequence[str]) -> tuple[Key, ...]:
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _bad_token() from None
        signature, body = raw[:16], raw[16:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise _bad_token()
        _, digest, key = orjson.loads(body)
        if digest != _digest(listing):
            raise InvalidArgument.of(
                "page_token",
                "belongs to another list; start again without it when you change "
                "the parent, filter or order",
            )
        return tuple(key)

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[:16]


def _digest(listing: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(listing).encode()).hexdigest()[:16]


def _bad_token() -> InvalidArgument:
    return InvalidArgument.of(
        "page_token", "is not one that a list has answered; send next_page_token back as it came"
    )
