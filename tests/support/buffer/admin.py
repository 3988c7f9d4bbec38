"""The other side of the stand-in: looking in, moving time, breaking things."""

from collections.abc import Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.buffer.clock import to_wire
from tests.support.buffer.model import Fault, Store
from tests.support.buffer.publishing import Publishing


class AdminApi:
    """State, clock, faults, and what a person would do on Buffer's own pages."""

    def __init__(self, store: Store, publishing: Publishing) -> None:
        self._store = store
        self._publishing = publishing

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/state", self.get_state, methods=["GET"]),
                Route("/clock/advance", self.advance, methods=["POST"]),
                Route("/faults", self.add_fault, methods=["POST"]),
                Route("/faults", self.clear_faults, methods=["DELETE"]),
                Route("/settings", self.change_settings, methods=["PATCH"]),
                Route("/channels/{id}", self.change_channel, methods=["PATCH"]),
                Route("/posts/{id}", self.change_post, methods=["PATCH"]),
                Route("/posts/{id}", self.delete_post, methods=["DELETE"]),
                Route("/reset", self.reset, methods=["POST"]),
            ]
        )

    async def get_state(self, request: Request) -> JSONResponse:
        now = to_wire(self._store.clock.now())
        return JSONResponse({"now": now, **asdict(self._store.state)})

    async def advance(self, request: Request) -> JSONResponse:
        self._store.clock.advance((await request.json())["seconds"])
        self._store.save()
        await self._publishing.tick()
        return await self.get_state(request)

    async def add_fault(self, request: Request) -> JSONResponse:
        fault = Fault(**await request.json())
        if fault.kind == "slow_media":
            fault.operation = "publish"
        self._store.state.faults.append(fault)
        return self._saved()

    async def clear_faults(self, request: Request) -> JSONResponse:
        self._store.state.faults.clear()
        return self._saved()

    async def change_settings(self, request: Request) -> JSONResponse:
        return await self._change(self._store.state.settings, request)

    async def change_channel(self, request: Request) -> JSONResponse:
        return await self._change(self._store.state.channels[request.path_params["id"]], request)

    async def change_post(self, request: Request) -> JSONResponse:
        return await self._change(self._store.state.posts[request.path_params["id"]], request)

    async def delete_post(self, request: Request) -> JSONResponse:
        del self._store.state.posts[request.path_params["id"]]
        return self._saved()

    async def reset(self, request: Request) -> JSONResponse:
        self._store.reset()
        return self._saved()

    async def _change(self, record: object, request: Request) -> JSONResponse:
        for name, value in (await request.json()).items():
            getattr(record, name)
            setattr(record, name, value)
        return self._saved()

    def _saved(self) -> JSONResponse:
        self._store.save()
        return JSONResponse({})


class Admin:
    """A client of the admin side. Close it, or use it as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=30)

    async def __aenter__(self) -> "Admin":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def state(self) -> dict[str, Any]:
        """Everything: now, channels, posts, faults, settings, calls."""
        return await self._call("GET", "/state")

    async def posts(self) -> list[dict[str, Any]]:
        """The posts, in the order in which they were made."""
        return list((await self.state())["posts"].values())

    async def calls(self, operation: str = "createPost") -> dict[str, int]:
        """How often ``operation`` was ``received`` and ``processed``."""
        calls: Mapping[str, dict[str, int]] = (await self.state())["calls"]
        return calls.get(operation, {"received": 0, "processed": 0})

    async def advance(self, seconds: float) -> dict[str, Any]:
        """Puts the clock forward; returns the state after all that became due happened."""
        return await self._call("POST", "/clock/advance", {"seconds": seconds})

    async def fault(self, kind: str, **options: Any) -> None:
        """Sets a fault; kinds and options as in ``model.Fault``."""
        await self._call("POST", "/faults", {"kind": kind, **options})

    async def clear_faults(self) -> None:
        await self._call("DELETE", "/faults")

    async def change_settings(self, **settings: Any) -> None:
        """Changes fields of ``model.Settings``."""
        await self._call("PATCH", "/settings", settings)

    async def change_channel(self, channel_id: str, **fields: Any) -> None:
        """Changes fields of ``model.Channel``, say ``isDisconnected``."""
        await self._call("PATCH", f"/channels/{channel_id}", fields)

    async def change_post(self, post_id: str, **fields: Any) -> None:
        """Changes fields of ``model.Post``, as a person may."""
        await self._call("PATCH", f"/posts/{post_id}", fields)

    async def delete_post(self, post_id: str) -> None:
        await self._call("DELETE", f"/posts/{post_id}")

    async def reset(self) -> None:
        """Default data, the time of the wall, no faults."""
        await self._call("POST", "/reset")

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        response = await self._http.request(method, path, json=body)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
