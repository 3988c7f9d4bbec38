"""A provider on a port of the loopback that behaves, and misbehaves, as the real one does."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.support.buffer.clock import StandInClock
from tests.support.buffer.serving import Connections, DroppedResponse, serving
from tests.support.clock import NOON
from tests.support.stand_ins.faults import Fault
from tests.support.stand_ins.windows import Quota, Standing, Windows

TOO_MANY = 429
Handler = Callable[[Request], Awaitable[Response]]


class StandIn:
    """Serves until the block ends. Subclasses add routes and say how they refuse.

    ``calls`` counts what was received, ``done`` what was carried out, by operation; ``addresses``
    are those that were asked for. The call that makes a post visible is the operation ``publish``.
    ``quotas`` are by group of operations. It is noon until its ``clock`` is put forward.
    """

    quotas: dict[str, Quota]

    def __init__(self) -> None:
        self.url = ""
        self._connections = Connections()
        self._stack = contextlib.AsyncExitStack()
        self.reset()

    def reset(self) -> None:
        """As new, but for its address."""
        self.clock = StandInClock(wall=NOON.timestamp)
        self.calls: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.faults: list[Fault] = []
        self.windows = Windows(self.clock)

    def routes(self) -> list[Route]:
        """All that is served; see ``route``."""
        raise NotImplementedError

    def group_of(self, operation: str) -> str:
        """Which of ``quotas`` an operation counts for; empty: none."""
        return ""

    def limit_headers(self, standing: Standing) -> dict[str, str]:
        """What the provider's answers tell of its limits."""
        return {}

    def too_many(self, seconds: float) -> Response:
        """The provider's answer to too many calls."""
        raise NotImplementedError

    def refusal(self, status: int) -> Response:
        """The provider's answer to a post that it does not want."""
        raise NotImplementedError

    def blocked(self) -> Response:
        """A refusal of what was done all the same."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Takes the account's connection away."""
        raise NotImplementedError

    def fault(self, kind: str, **options: object) -> None:
        """Lets something go wrong; see ``Fault``."""
        self.faults.append(Fault(kind, **options))  # type: ignore[arg-type]

    def route(self, method: str, path: str, operation: str, handler: Handler) -> Route:
        """A route whose calls are counted, limited, and go wrong as told."""

        async def answer(request: Request) -> Response:
            self.calls[operation] += 1
            self.addresses.append(str(request.url))
            # Kept, so that whoever handles it can read it, and nothing of it is on its way then.
            await request.body()
            response = await self._limited(operation, handler, request)
            response.headers["date"] = format_datetime(self.clock.now(), usegmt=True)
            return response

        return Route(path, answer, methods=[method])

    async def _limited(self, operation: str, handler: Handler, request: Request) -> Response:
        group = self.group_of(operation)
        if not group:
            return await self._disturbed(operation, handler, request)
        standing = self.windows.take(group, self.quotas[group])
        if standing.is_exceeded:
            left = (standing.resets_at - self.clock.now()).total_seconds()
            response = self.too_many(left)
        else:
            response = await self._disturbed(operation, handler, request)
        if response.status_code != TOO_MANY:
            response.headers.update(self.limit_headers(standing))
        return response

    async def _disturbed(self, operation: str, handler: Handler, request: Request) -> Response:
        fault = self._take(operation)
        kind = fault.kind if fault else ""
        is_done = kind not in ("drop_before", "rate_limit", "refuse")
        response = Response()
        if is_done and (fault is None or fault.processed):
            response = await handler(request)
            self.done[operation] += response.status_code < 400
        if fault is None:
            return response
        match kind:
            case "drop_before" | "drop_after":
                return DroppedResponse(self._connections)
            case "gateway_error":
                return HTMLResponse(f"<h1>{fault.status}</h1>", status_code=fault.status)
            case "nonsense":
                return HTMLResponse("<h1>Welcome</h1>")
            case "rate_limit":
                return self.too_many(fault.seconds)
            case "refuse":
                return self.refusal(fault.status)
            case "delay":
                await asyncio.sleep(fault.seconds)
            case "disconnect":
                self.disconnect()
            case "blocked":
                return self.blocked()
        return response

    def _take(self, operation: str) -> Fault | None:
        for fault in self.faults:
            if fault.operation in (operation, "*"):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def __aenter__(self) -> Self:
        app = Starlette(routes=self.routes())
        self.url = await self._stack.enter_async_context(
            serving(app, connections=self._connections)
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()
