"""An HTTP server in the test's own loop, for what an in-memory transport cannot show."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.support.wait import eventually


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """The base URL at which ``app`` is served over a real socket."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # An idle connection is closed by the client: closed by both at once, it would be lost.
        config = uvicorn.Config(
            app, access_log=False, log_level="warning", lifespan="off", timeout_keep_alive=75
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))

        async def started() -> bool:
            return server.started or serving.done()

        await eventually(started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
