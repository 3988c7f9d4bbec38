"""The HTTP server of a process, on a real port."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from libs.http_server import HttpServer, operations_routes

HOST = "127.0.0.1"


class Operations:
    """What the operations pages tell of."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.warnings: dict[str, str] = {}
        self.working: list[str] = []

    def server(self) -> HttpServer:
        routes = operations_routes(
            lambda: not self.problems,
            lambda: self.problems,
            lambda: b"metric 1\n",
            lambda: self.warnings,
            lambda: self.working,
        )
        return HttpServer(HOST, 0, Starlette(routes=routes), grace=60)


@pytest.fixture
def operations() -> Operations:
    return Operations()


@pytest.fixture
async def web(operations: Operations) -> AsyncIterator[httpx.AsyncClient]:
    server = operations.server()
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{server.port}") as client:
        yield client
    await server.stop()


async def test_health_readiness_and_metrics(web: httpx.AsyncClient, operations: Operations) -> None:
    assert (await web.get("/healthz")).status_code == 200
    assert (await web.get("/readyz")).json() == {"status": "ready"}
    operations.problems, operations.working = {"relay": "Redis is away"}, ["catalog"]
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "failures": {"relay": "Redis is away"},
        "working": ["catalog"],
    }
    assert (await web.get("/healthz")).status_code == 200, "it lives all the same"
    metrics = await web.get("/metrics")
    assert (metrics.text, metrics.headers["content-type"][:10]) == ("metric 1\n", "text/plain")


async def test_what_does_not_work_as_it_should_is_told_beside_readiness(
    web: httpx.AsyncClient, operations: Operations
) -> None:
    operations.warnings = {"models/other": "its file is damaged"}
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "warnings": operations.warnings},
    )
    operations.problems = {"relay": "Redis is away"}
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.json()["warnings"]) == (503, operations.warnings)


async def test_a_port_that_is_taken_is_named(operations: Operations) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        server = operations.server()
        server.port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on {HOST}:{server.port}"):
            await server.start()
        await server.stop()


async def test_a_running_request_ends_well_and_a_new_one_is_not_taken() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        begun.set()
        await go_on.wait()
        return PlainTextResponse("done")

    server = HttpServer(HOST, 0, Starlette(routes=[Route("/", slow)]), grace=60)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{server.port}") as web:
        running = asyncio.create_task(web.get("/"))
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.2)
        assert not stopping.done()
        async with httpx.AsyncClient(base_url=web.base_url) as late:
            with pytest.raises(httpx.ConnectError):
                await late.get("/")
        go_on.set()
        assert (await running).text == "done"
    await asyncio.wait_for(stopping, 60)


async def test_what_was_never_started_can_be_stopped(operations: Operations) -> None:
    await operations.server().stop()
