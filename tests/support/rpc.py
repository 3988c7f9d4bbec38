"""A servicer behind a real gRPC server with all that surrounds one in production."""

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.descriptor import ServiceDescriptor

from libs.rpc.auth import Authenticator
from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.server import Register, RpcServer
from libs.telemetry import Metrics

Stub = TypeVar("Stub")


Service = tuple[ServiceDescriptor, Register, object]

# The contracts' ten seconds are for machines that do not run tests beside it.
_LEAST_TIMEOUT = 60.0


class _PatientChannel(ServiceChannel):
    """Leaves each call a minute at least, unless the caller names a time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._policies = {
            path: replace(policy, timeout=max(policy.timeout, _LEAST_TIMEOUT))
            for path, policy in self._policies.items()
        }


@asynccontextmanager
async def serve_all(
    services: Sequence[Service], *, authenticator: Authenticator | None = None, key: str = ""
) -> AsyncIterator[ServiceChannel]:
    """A channel to servicers behind one server; failures are raised as ``libs.errors``."""
    server = RpcServer(authenticator or Authenticator(), Metrics().rpc)
    for descriptor, register, servicer in services:
        server.add(descriptor, register, servicer)
    descriptors = [descriptor for descriptor, _, _ in services]
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{Path(folder) / 'test.sock'}"
        await server.start([address])
        channel = open_channel(address, descriptors)
        metadata = {"authorization": f"Bearer {key}"} if key else {}
        try:
            yield _PatientChannel(channel, descriptors, metadata)
        finally:
            await channel.close()
            await server.stop(0)


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
    services = [(descriptor, register, servicer)]
    async with serve_all(services, authenticator=authenticator, key=key) as channel:
        yield make_stub(channel)
