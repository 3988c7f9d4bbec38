"""Running an ASGI app on a port inside this process, with connections that can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections:
    """The open connections of a server by the client's address."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """A protocol for uvicorn that keeps this up to date."""
        transports = self._transports

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[transport.get_extra_info("peername")[:2]] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.transport.get_extra_info("peername")[:2], None)
                super().connection_lost(exc)

        return Protocol

    def cut(self, client: tuple[str, int]) -> None:
        """Resets the connection of ``client``, without a byte of an answer."""
        self._transports[client].abort()


class DroppedResponse(Response):
    """No answer: the connection is reset."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._connections.cut(tuple(scope["client"]))
        while (await receive())["type"] != "http.disconnect":
            pass


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs this process."""
        yield


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, port: int = 0, connections: Connections | None = None
) -> AsyncIterator[str]:
    """Serves ``app`` on a port of the loopback (0: any free one); yields its base address."""
    options: dict[str, Any] = {}
    if connections:
        # What is disturbed tells its own time, too.
        options = {"http": connections.protocol(), "date_header": False}
    config = uvicorn.Config(
        app,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        # An idle connection is closed by the client: closed by both at once, it would be lost.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        **options,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        if task.done():
            await task
        host, bound = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{bound}"
    finally:
        server.should_exit = True
        await task
