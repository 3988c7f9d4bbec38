"""One HTTP request on its way through the gateway."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

REQUEST_ID = "colonnade.request_id"
ROUTE = "colonnade.route"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that matched a binding: its ASGI parts and the texts of the path's variables."""

    scope: Scope
    receive: Receive
    send: Send
    captures: tuple[str, ...]
    headers: Headers

    @property
    def query(self) -> bytes:
        """The query as it was sent."""
        query: bytes = self.scope["query_string"]
        return query

    @property
    def request_id(self) -> str:
        """The id that the answer, the log and the calls below carry."""
        request_id: str = self.scope.get(REQUEST_ID, "")
        return request_id

    async def answer(self, response: Response) -> None:
        """Sends the response."""
        await response(self.scope, self.receive, self.send)


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """The result of ``work``, which is cancelled when the client goes away.

    Only for requests whose body has been read to its end.

    Raises:
        ClientDisconnect: the client went away first.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((task, watcher), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            watcher.result()
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
