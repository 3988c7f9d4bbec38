"""Channels: how long a connection may take to come about, and a call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic
from typing import Any

import grpc
import pytest
from colonnade.embedding.v1 import embedding_service_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from libs.errors import DeadlineExceeded
from libs.rpc.call import CallInfo, current_call
from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.policy import policies_of

SERVICE = embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"]
METHOD = f"/{SERVICE.full_name}/GetModel"
HOST = "127.0.0.1"


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """The port of a server that tells its health."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@asynccontextmanager
async def behind_a_slow_door(port: int, seconds: float) -> AsyncIterator[str]:
    """The address of that server where it says nothing for the first ``seconds``, as if stalled."""

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                target.write(data)
        target.close()
        with suppress(ConnectionError):
            await target.wait_closed()

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside.append(asyncio.current_task())
        await asyncio.sleep(seconds)
        there, to = await asyncio.open_connection(HOST, port)
        await asyncio.gather(carry(reader, to), carry(there, writer))

    inside: list[asyncio.Task[None] | None] = []
    door = await asyncio.start_server(let_in, HOST, 0)
    async with door:
        yield f"{HOST}:{door.sockets[0].getsockname()[1]}"
    await asyncio.gather(*filter(None, inside))


async def test_a_server_that_is_slow_to_greet_is_waited_for() -> None:
    async with serving() as port, behind_a_slow_door(port, 0.5) as address:
        channel = open_channel(address, [])
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=60)
        await channel.close()
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


class Wire:
    """A channel of which every call succeeds at once; notes how long each might have taken."""

    def __init__(self) -> None:
        self.allowed: list[float] = []

    def unary_unary(self, _method: str) -> Callable[..., Awaitable[None]]:
        async def call(_request: None, *, timeout: float, **_options: Any) -> None:
            self.allowed.append(timeout)

        return call


@contextmanager
def serving_a_call_with(seconds: float) -> Iterator[None]:
    token = current_call.set(CallInfo("method", deadline=monotonic() + seconds))
    try:
        yield
    finally:
        current_call.reset(token)


async def test_a_call_has_the_time_of_its_contract_but_no_more_than_its_caller_has_left() -> None:
    wire = Wire()
    ask = ServiceChannel(wire, [SERVICE], {}).unary_unary(METHOD)  # type: ignore[arg-type]
    await ask(None)
    await ask(None, timeout=3600)
    assert wire.allowed == [policies_of([SERVICE])[METHOD].timeout, 3600]
    with serving_a_call_with(600):
        await ask(None, timeout=3600)
    assert 0 < wire.allowed[2] <= 600
    with serving_a_call_with(0), pytest.raises(DeadlineExceeded):
        await ask(None)
    assert len(wire.allowed) == 3
