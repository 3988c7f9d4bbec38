"""The one HTTP server of a process."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

log = logging.getLogger(__name__)

AsgiApp = Callable[..., Any]
Check = Callable[[], bool]
Failures = Callable[[], Mapping[str, str]]
Names = Callable[[], Sequence[str]]
Render = Callable[[], bytes]


def operations_routes(
    ready: Check,
    failures: Failures,
    metrics: Render,
    warnings: Failures = dict,
    working: Names = tuple,
) -> list[Route]:
    """``/healthz`` (alive), ``/readyz`` (every probe passed) and ``/metrics`` (Prometheus).

    ``/readyz`` names the ``failures`` and what is ``working`` in spite of them, and the
    ``warnings`` that keep nothing from being ready.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        told: dict[str, Any] = {"warnings": dict(warnings())} if warnings() else {}
        if ready():
            return JSONResponse({"status": "ready", **told})
        parts = {"working": list(working())} if working() else {}
        told = {"failures": dict(failures()), **parts, **told}
        return JSONResponse({"status": "not ready", **told}, 503)

    async def show_metrics(_: Request) -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
    ]


class HttpServer:
    """Serves one ASGI application; a module may put its own in place before it starts.

    At the end, running requests get up to ``grace`` seconds.
    """

    def __init__(self, host: str, port: int, app: AsgiApp, *, grace: float) -> None:
        self.host = host
        self.port = port
        self.app = app
        self._grace = grace
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens. Raises OSError if the port is taken."""
        config = uvicorn.Config(
            self.app,
            host=self.host,
            port=self.port,
            http="httptools",
            loop="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=math.ceil(self._grace),
        )
        self._server = _QuietServer(config)
        serving = asyncio.create_task(self._server.serve(), name="http")
        while not self._server.started:
            if serving.done():
                await serving
                raise OSError(f"cannot listen on {self.host}:{self.port}")
            await asyncio.sleep(0.005)
        self._task = serving
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        log.info("HTTP on http://%s:%s", self.host, self.port)

    async def stop(self) -> None:
        """Takes no new requests and lets the running ones end."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        with contextlib.suppress(SystemExit, asyncio.CancelledError):
            await self._task


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process and raises where uvicorn would exit."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: Any = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            address = f"{self.config.host}:{self.config.port}"
            raise OSError(f"cannot listen on {address}; is another suite using it?") from None
