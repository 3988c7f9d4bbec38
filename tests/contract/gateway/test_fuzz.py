"""Whatever is sent, the answer is never our fault."""

import asyncio
import string

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.types import Message, Scope

_PARTS = st.sampled_from(
    ["v1", "shelves", "rooms", "files", "tags", "raw", "everything", "MOOD_CALM", "1", "..", ""]
) | st.sampled_from(["%2F", "%ff", "%", "%zz", "%00", ":move", "1:watch", "1:search", "a:b:c"])
_PATHS = st.lists(_PARTS | st.text(string.printable, max_size=5), max_size=6).map("/".join)
_QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["text", "sizes", "range.startTime", "readMask", "pageSize", "mood", "by"])
        | st.text(max_size=4),
        st.sampled_from(["", "1", "-1", "%ff", "1s", "2026-01-01T00:00:00Z", "a,b", "MOOD_CALM"])
        | st.text(max_size=4),
    ).map("=".join),
    max_size=4,
).map("&".join)
_BODIES = st.sampled_from([b"", b"{}", b"[]", b"null", b'{"title": 1}', b"\xff", b"[" * 2000]) | (
    st.binary(max_size=12)
)
_HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "if-match", "grpc-timeout", "accept", "authorization"])
    | st.sampled_from(["x-request-id", "if-none-match", "content-length", "traceparent"]),
    st.text(max_size=10).map(lambda text: text.encode("utf-8")),
    max_size=3,
)


@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "X"]),
    path=_PATHS,
    query=_QUERIES,
    body=_BODIES,
    headers=_HEADERS,
)
@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_never_a_500(
    app: Starlette,
    method: str,
    path: str,
    query: str,
    body: bytes,
    headers: dict[str, bytes],
) -> None:
    status, content = await _send(app, method, f"/{path}", query, body, headers)
    assert status not in (500, 501)
    if status >= 400:
        assert set(httpx.Response(status, content=content).json()) == {"error"}


async def _send(
    app: Starlette, method: str, path: str, query: str, body: bytes, headers: dict[str, bytes]
) -> tuple[int, bytes]:
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8"),
        "root_path": "",
        "query_string": query.encode("utf-8"),
        "headers": [(name.encode(), value) for name, value in headers.items()],
        "client": ("test", 1),
        "server": ("gateway", 80),
    }
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(outgoing: Message) -> None:
        sent.append(outgoing)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])
