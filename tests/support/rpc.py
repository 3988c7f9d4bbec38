"""A servicer behind a real gRPC server with all that surrounds one in production."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.descriptor import ServiceDescriptor

from libs.rpc.auth import Authenticator
from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.server import Register, RpcServer
from libs.telemetry import Metrics

Stub = TypeVar("Stub")


@asynccontextmanager
async def serve(
    servicer: object,
    descriptor: ServiceDescriptor,
    register: Register,
    make_stub: Callable[[Any], Stub],
    *,
    authenticator: Authenticator | None = None,
    key: str = "",
) -> AsyncIterator[Stub]:
    """A stub of ``servicer`` over a private socket; its failures are raised as ``libs.errors``."""
    server = RpcServer(authenticator or Authenticator(), Metrics().rpc)
    server.add(descriptor, register, servicer)
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{Path(folder) / 'test.sock'}"
        await server.start([address])
        channel = open_channel(address, [descriptor])
        metadata = {"authorization": f"Bearer {key}"} if key else {}
        try:
            yield make_stub(ServiceChannel(channel, [descriptor], metadata))
        finally:
            await channel.close()
            await server.stop(0)
