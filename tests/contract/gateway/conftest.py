"""The gateway over the small contract, with a service behind it that tests control."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.app import build_app
from gateway.limits import Limits
from gateway.middleware import Access
from gateway.openapi import ApiInfo, build_document
from tests.support.shelves import Shelves, serving
from tests.support.studio import SERVICE, UPLOADS, bindings

# A minute for what takes milliseconds where nothing else runs.
LIMITS = Limits(body_bytes=100_000, default_timeout=60, max_timeout=600, heartbeat=60)


@dataclass
class Health:
    """What the readiness page is told."""

    ready: bool = True
    failures: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def seen() -> list[Access]:
    """What the gateway reported of each request."""
    return []


@pytest.fixture
async def shelves() -> Shelves:
    return Shelves()


@pytest.fixture
def limits() -> Limits:
    """What the gateway allows; a test that needs others names them as its parameter."""
    return LIMITS


@pytest.fixture
async def app(
    shelves: Shelves, health: Health, seen: list[Access], limits: Limits
) -> AsyncIterator[Starlette]:
    async with serving(shelves) as channel:
        yield build_app(
            bindings=bindings(),
            channels={SERVICE: channel},
            document=build_document(bindings(), ApiInfo("T", "1"), uploads=UPLOADS),
            ready=lambda: health.ready,
            failures=lambda: health.failures,
            uploads=UPLOADS,
            limits=limits,
            extra_routes=[Route("/extra", extra, methods=["POST"])],
            metrics=lambda: b"up 1\n",
            observe=seen.append,
        )


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def extra(request: Request) -> Response:
    """A route of the kind that the suite adds: reads its body, or fails."""
    body = await request.body()
    if body == b"fail":
        raise ZeroDivisionError("planned")
    return PlainTextResponse(f"{len(body)} bytes")


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error in an answer, whose shape is checked."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == answer.status_code
    assert error["details"][0]["@type"].endswith("google.rpc.ErrorInfo")
    return error
