"""Bodies of requests that are not JSON."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import httpx

FORM: Final = "application/x-www-form-urlencoded"
Fields = Sequence[tuple[str, str]]


def form(fields: Fields) -> bytes:
    """A body of the type ``FORM``; names may come more than once."""
    return urlencode(fields).encode()


def upload(fields: Fields, data: bytes, file_name: str) -> tuple[str, bytes]:
    """The type and the body of a form with a JPEG as its field ``file``."""
    file = (file_name, data, "image/jpeg")
    made = httpx.Request("POST", "http://-", data=dict(fields), files={"file": file})
    return made.headers["content-type"], made.read()
