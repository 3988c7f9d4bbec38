"""Middleware around everything: request ids, measuring, errors. Plain ASGI, for its speed."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BodyTooLarge, failure_of
from gateway.exchange import REQUEST_ID, ROUTE

CLIENT_CLOSED_REQUEST = 499

# Seconds for the rest of a body that is not wanted any more.
_LINGER = 5.0

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Access:
    """One served request. ``route`` is the template, not the path; empty where nothing matched.

    ``seconds`` last until the end of the answer, ``sent_bytes`` counts its body. A ``status`` of
    499 means that the client went away.
    """

    method: str
    route: str
    status: int
    seconds: float
    sent_bytes: int
    request_id: str


Observe = Callable[[Access], None]


class Observed:
    """Middleware: gives every request an id and tells ``observe`` how it went."""

    def __init__(self, app: ASGIApp, observe: Observe | None) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[REQUEST_ID] = _request_id(Headers(scope=scope))
        sender = _Sender(send, scope[REQUEST_ID])
        started = perf_counter()
        try:
            await self._app(scope, receive, sender)
        finally:
            if self._observe is not None:
                self._observe(_access(scope, sender, perf_counter() - started))


class _Sender:
    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = CLIENT_CLOSED_REQUEST
        self.sent_bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            headers.setdefault("x-content-type-options", "nosniff")
        self.sent_bytes += len(message.get("body", b""))
        await self._send(message)


def _access(scope: Scope, sender: _Sender, seconds: float) -> Access:
    return Access(
        method=scope["method"],
        route=str(scope.get(ROUTE) or getattr(scope.get("route"), "path", "")),
        status=sender.status,
        seconds=seconds,
        sent_bytes=sender.sent_bytes,
        request_id=scope[REQUEST_ID],
    )


def _request_id(headers: Headers) -> str:
    """The client's own id if it is harmless in logs and headers, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class Errors:
    """Middleware: every error becomes its AIP-193 answer, unless an answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:
            if begun:
                raise
            if isinstance(error, BodyTooLarge):
                send = _lingering(receive, send)
            await failure_of(error).response()(scope, receive, send)


def _lingering(receive: Receive, send: Send) -> Send:
    """Sends an answer, and reads on for a while before its end.

    A connection that is closed while bytes still arrive is reset, and the client, which sends
    first and reads then, would never see why.
    """

    async def send_and_read(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_and_read
