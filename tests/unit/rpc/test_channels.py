"""Channels: how long a connection may take to come about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from libs.rpc.channels import open_channel

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
