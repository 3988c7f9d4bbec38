"""A suite without keys answers this machine, and no page of another site that runs on it."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.local_only import LocalOnly
from gateway.middleware import Errors


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


APP = Starlette(
    routes=[Route("/", hello, methods=["GET", "POST"])],
    middleware=[Middleware(Errors), Middleware(LocalOnly)],
)


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("http://127.0.0.1:8080/", {}, 200),
        ("http://localhost:9999/", {}, 200),
        ("http://[::1]:8080/", {}, 200),
        ("http://127.0.0.1:8080/", {"origin": "http://127.0.0.1:8080"}, 200),
        ("http://evil.example:8080/", {}, 403),
        ("http://127.0.0.1.evil.example/", {}, 403),
        ("http://127.0.0.1:8080/", {"origin": "https://evil.example"}, 403),
        ("http://127.0.0.1:8080/", {"origin": "null"}, 403),
    ],
)
async def test_who_is_answered(url: str, headers: dict[str, str], status: int) -> None:
    transport = httpx.ASGITransport(app=APP)
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.post(url, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["details"][0]["reason"] == "LOCAL_ONLY"
