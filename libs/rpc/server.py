"""The one gRPC server of a process, with everything that every service needs."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from libs.rpc.auth import Authenticator
from libs.rpc.guard import CallGuard
from libs.rpc.middleware import Middleware
from libs.rpc.policy import MAX_MESSAGE_BYTES, policies_of
from libs.rpc.validation import RequestValidator
from libs.telemetry import RpcMetrics

log = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[None]]
Register = Callable[[Any, grpc.aio.Server], None]

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second suite on the same port must fail, not share it
    ("grpc.max_connection_age_ms", 30 * 60 * 1000),  # so that new replicas get their share
    ("grpc.max_connection_age_grace_ms", 60 * 60 * 1000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class RpcServer:
    """Collects the services of a process, then serves them together with health and reflection.

    ``reflects`` False: nobody is told the contracts.
    """

    def __init__(
        self, authenticator: Authenticator, metrics: RpcMetrics, *, reflects: bool = True
    ) -> None:
        self._authenticator = authenticator
        self._metrics = metrics
        self._reflects = reflects
        self._services: dict[str, tuple[ServiceDescriptor, Register, Any]] = {}
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    @property
    def services(self) -> list[ServiceDescriptor]:
        """The descriptors of the services that were added."""
        return [descriptor for descriptor, _, _ in self._services.values()]

    def add(self, descriptor: ServiceDescriptor, register: Register, servicer: object) -> None:
        """Adds a service; to be called before ``start``."""
        if descriptor.full_name in self._services:
            raise ValueError(f"{descriptor.full_name} is added twice")
        self._services[descriptor.full_name] = (descriptor, register, servicer)

    async def start(self, addresses: Sequence[str]) -> list[int]:
        """Listens on ``addresses`` (``host:port`` or ``unix:path``); the ports that were bound."""
        policies = policies_of(self.services)
        guard = CallGuard(policies, self._authenticator, self._metrics)
        middleware = Middleware(guard, RequestValidator(), guard.knows)
        self._server = grpc.aio.server(interceptors=[middleware], options=_OPTIONS)
        for _, register, servicer in self._services.values():
            register(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if self._reflects:
            names = [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._server)
        for name in ("", *self._services):
            await self.set_ready(name, False)
        ports = [self._bind(address) for address in addresses]
        await self._server.start()
        log.info("gRPC on %s", ", ".join(addresses))
        return ports

    def _bind(self, address: str) -> int:
        assert self._server is not None
        try:
            return self._server.add_insecure_port(address)
        except RuntimeError:
            raise OSError(f"cannot listen on {address}; is another suite using it?") from None

    async def set_ready(self, service: str, ready: bool) -> None:
        """Sets what the health service answers for ``service`` (``""`` is the whole process)."""
        serving = health_pb2.HealthCheckResponse.SERVING
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set(service, serving if ready else not_serving)

    async def stop(self, grace: float) -> None:
        """Takes no new calls and gives those that run ``grace`` seconds to end."""
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(grace)
