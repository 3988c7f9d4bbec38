"""The stand-in as a whole."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.buffer.admin import Admin, AdminApi
from tests.support.buffer.api import BufferApi
from tests.support.buffer.model import Store
from tests.support.buffer.publishing import Publishing
from tests.support.buffer.serving import Connections, serving

DEFAULT_TOKEN = "stand-in-buffer-token"


class BufferStandIn:
    """Serves until the block ends: ``async with BufferStandIn() as buffer: buffer.url``.

    ``admin`` is a client of the admin side. With a ``state_file`` another run goes on from
    where this one stopped, even if it was killed. Port 0 takes any free one. Its time is that of
    ``wall``, until it is put forward.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        admin_port: int = 0,
        state_file: Path | None = None,
        token: str = DEFAULT_TOKEN,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        self.url = ""
        self.admin: Admin
        self._ports = port, admin_port
        self._state_file = state_file
        self._wall = wall
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "BufferStandIn":
        store, connections = Store(self._state_file, self._wall), Connections()
        publishing = Publishing(store)
        api = BufferApi(store, connections, self.token).app()
        admin = AdminApi(store, publishing).app()
        async with contextlib.AsyncExitStack() as stack:
            self.url = await stack.enter_async_context(serving(api, self._ports[0], connections))
            admin_url = await stack.enter_async_context(serving(admin, self._ports[1]))
            self.admin = await stack.enter_async_context(Admin(admin_url))
            stack.push_async_callback(_cancel, asyncio.create_task(publishing.run()))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
