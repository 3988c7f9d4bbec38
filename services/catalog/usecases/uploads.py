"""Serving bytes that are addressed by position: ranges, conditional requests, HEAD (RFC 9110)."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.conditions import etag_matches, is_same, quoted
from gateway.errors import RangeNotSatisfiable

Read = Callable[[int, int], AsyncIterator[bytes]]
"""Yields the bytes from an offset, so many of them."""

# The bytes behind a name never change, so a browser that has them never asks again.
IMMUTABLE = "private, max-age=31536000, immutable"

_RANGE = re.compile(r"bytes=\s*(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))\s*")
_UNSAFE_IN_NAME = re.compile(r"[^ !#$&+\-.0-9A-Z^_`a-z|~]")


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What is served: its media type, size in bytes and etag.

    ``file_name`` is offered for saving; ``attachment`` makes browsers save instead of show.
    """

    media_type: str
    size: int
    etag: str
    cache_control: str = IMMUTABLE
    file_name: str = ""
    attachment: bool = False


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes ``start`` up to, without, ``stop``."""

    start: int
    stop: int


def ranged_response(request: Request, info: MediaInfo, read: Read) -> Response:
    """The answer to a GET or HEAD: all bytes, the range asked for, or 304.

    Several ranges in one request are answered with all bytes, as the RFC allows.

    Raises:
        RangeNotSatisfiable: the range starts behind the last byte.
    """
    headers = _headers(info)
    if etag_matches(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    part = _wanted(request, info.size, headers["etag"])
    whole = part is None
    part = part or ByteRange(0, info.size)
    headers["content-length"] = str(part.stop - part.start)
    if not whole:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{info.size}"
    status = 200 if whole else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=info.media_type)
    body = _read(read, part)
    return StreamingResponse(body, status, headers=headers, media_type=info.media_type)


def parse_range(header: str, size: int) -> ByteRange | None:
    """The one range that the header asks for; None where it is none that is known here.

    Raises:
        RangeNotSatisfiable: no byte is in it.
    """
    found = _RANGE.fullmatch(header)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        part = ByteRange(max(0, size - int(suffix)), size)
    else:
        part = ByteRange(int(first), min(size, int(last) + 1) if last else size)
        if last and int(last) < int(first):
            return None
    if part.start >= part.stop:
        raise RangeNotSatisfiable(size)
    return part


def _wanted(request: Request, size: int, etag: str) -> ByteRange | None:
    header = request.headers.get("range")
    condition = request.headers.get("if-range")
    if header is None or (condition is not None and not is_same(condition, etag)):
        return None
    return parse_range(header, size)


async def _read(read: Read, part: ByteRange) -> AsyncIterator[bytes]:
    if part.start == part.stop:
        return
    async with aclosing(read(part.start, part.stop - part.start)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            yield chunk


def _headers(info: MediaInfo) -> dict[str, str]:
    return {
        "accept-ranges": "bytes",
        "cache-control": info.cache_control,
        "content-disposition": _disposition(info),
        "etag": quoted(info.etag),
        "x-content-type-options": "nosniff",
    }


def _disposition(info: MediaInfo) -> str:
    """The header of RFC 6266: an ASCII name for all, the exact one for those who can read it."""
    kind = "attachment" if info.attachment else "inline"
    if not info.file_name:
        return kind
    plain = _UNSAFE_IN_NAME.sub("_", info.file_name)
    exact = quote(info.file_name, safe="", errors="replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
