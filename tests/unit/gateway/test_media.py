"""Ranges, conditions and headers of media."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.errors import RangeNotSatisfiable
from gateway.media import MediaInfo, parse_range, ranged_response

DATA = bytes(range(256)) * 4
INFO = MediaInfo("image/jpeg", len(DATA), "abc", file_name="My “photo” 1.jpg")


async def read(offset: int, length: int) -> AsyncIterator[bytes]:
    part = DATA[offset : offset + length]
    for start in range(0, len(part), 100):
        yield part[start : start + 100]


def respond(method: str = "GET", info: MediaInfo = INFO, **headers: str) -> Response:
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": raw}
    return ranged_response(Request(scope), info, read)


async def body_of(response: Response) -> bytes:
    if not isinstance(response, StreamingResponse):
        return bytes(response.body)
    return b"".join([bytes(chunk) async for chunk in response.body_iterator])  # type: ignore[arg-type]


async def test_all_bytes_with_their_headers() -> None:
    response = respond()
    assert response.status_code == 200
    assert await body_of(response) == DATA
    headers = dict(response.headers)
    assert headers == {
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=31536000, immutable",
        "content-disposition": (
            'inline; filename="My _photo_ 1.jpg"; '
            "filename*=UTF-8''My%20%E2%80%9Cphoto%E2%80%9D%201.jpg"
        ),
        "content-length": "1024",
        "content-type": "image/jpeg",
        "etag": '"abc"',
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-99999", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-99999", 0, 1024),
    ],
)
async def test_a_range(header: str, start: int, stop: int) -> None:
    response = respond(range=header)
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
    assert response.headers["content-length"] == str(stop - start)
    assert await body_of(response) == DATA[start:stop]


@pytest.mark.parametrize(
    "header",
    ["bytes=0-1,5-6", "bytes=9-1", "bytes=a-b", "items=0-1", "bytes=-", "bytes=", "bytes 0-1", ""],
)
async def test_ranges_that_are_not_understood_are_answered_with_all(header: str) -> None:
    response = respond(range=header)
    assert response.status_code == 200
    assert await body_of(response) == DATA


@pytest.mark.parametrize("header", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_without_a_byte_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        respond(range=header)


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"abc"', 206), ('"old"', 200), ("Sat, 01 Aug 2026 00:00 GMT", 200)],
)
def test_if_range_asks_for_the_range_of_just_these_bytes(condition: str, status: int) -> None:
    assert respond(range="bytes=0-1", if_range=condition).status_code == status


def test_a_weak_etag_never_matches_if_range() -> None:
    weak = MediaInfo("image/jpeg", len(DATA), 'W/"abc"')
    assert respond(info=weak, range="bytes=0-1", if_range='W/"abc"').status_code == 200


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"abc"', 304), ('W/"abc"', 304), ('"x", "abc"', 304), ("*", 304), ('"x"', 200), ("abc", 200)],
)
async def test_if_none_match(condition: str, status: int) -> None:
    response = respond(if_none_match=condition)
    assert response.status_code == status
    if status == 304:
        assert await body_of(response) == b""
        assert response.headers["etag"] == '"abc"'
        assert "content-length" not in response.headers


async def test_head_has_the_headers_and_no_body() -> None:
    response = respond("HEAD", range="bytes=0-9")
    assert response.status_code == 206
    assert response.headers["content-length"] == "10"
    assert await body_of(response) == b""


async def test_nothing_to_serve_is_served() -> None:
    response = respond(info=MediaInfo("image/jpeg", 0, "e"))
    assert response.headers["content-length"] == "0"
    assert await body_of(response) == b""


def test_attachments_are_saved() -> None:
    info = MediaInfo("image/jpeg", 1, "e", attachment=True)
    assert respond(info=info).headers["content-disposition"] == "attachment"


@given(st.text(alphabet="bytes=0123456789-, ", max_size=24), st.integers(0, 50))
def test_any_header_is_a_range_within_the_bytes_or_none(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert part is None or (0 <= part.start < part.stop <= size)
