"""Reading the body of a request, within a limit."""

from collections.abc import AsyncGenerator

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BodyTooLarge

_LIMIT = "colonnade.body_limit"


class BodyLimit:
    """Middleware: reading more of a body than ``limit`` bytes raises BodyTooLarge.

    A route that takes more says so with ``allow_body`` before it reads.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            allow_body(scope, self._limit)
            receive = _Counted(scope, receive)
        await self._app(scope, receive, send)


def allow_body(scope: Scope, limit: int) -> None:
    """Sets how many bytes the body of this request may have."""
    scope[_LIMIT] = limit


class _Counted:
    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._size = 0

    async def __call__(self) -> Message:
        limit: int = self._scope[_LIMIT]
        if self._size == 0:
            self._check_declared(limit)
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > limit:
            raise BodyTooLarge(limit)
        return message

    def _check_declared(self, limit: int) -> None:
        length = Headers(scope=self._scope).get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > limit:
            raise BodyTooLarge(limit)


async def body_chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    """The body as it comes in.

    Raises:
        ClientDisconnect: the client went away before the end.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        if chunk:
            yield chunk


async def read_body(receive: Receive) -> bytes:
    """The whole body.

    Raises:
        ClientDisconnect: the client went away before the end.
    """
    return b"".join([chunk async for chunk in body_chunks(receive)])
