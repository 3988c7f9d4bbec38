"""Channels to other services: default deadlines, retries of reads, errors as our own."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from libs.errors import DeadlineExceeded
from libs.rpc.call import current_call
from libs.rpc.outcome import Outcome
from libs.rpc.policy import MAX_MESSAGE_BYTES, Policy, policies_of
from libs.rpc.reconnecting import RECONNECTING
from libs.rpc.status import from_rpc_error

_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def service_config(services: Iterable[ServiceDescriptor]) -> str:
    """The gRPC service config: spread over all replicas, and repeat only what may be repeated."""
    names = []
    for path, policy in policies_of(services).items():
        service, method = path[1:].split("/")
        if policy.idempotent:
            names.append({"service": service, "method": method})
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if names:
        config["methodConfig"] = [{"name": names, "retryPolicy": _RETRY}]
    return json.dumps(config)


def open_channel(address: str, services: Iterable[ServiceDescriptor]) -> grpc.aio.Channel:
    """A plain channel to ``address`` (``host:port``, ``dns:///…`` or ``unix:path``)."""
    return grpc.aio.insecure_channel(
        address,
        options=(
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.service_config", service_config(services)),
            ("grpc.enable_retries", 1),
            *RECONNECTING,
        ),
    )


class ServiceChannel:
    """Poses as a channel for a generated stub. Every call gets a deadline, the caller's trace and
    our key; every failure is raised as one of ``libs.errors``."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        services: Iterable[ServiceDescriptor],
        metadata: Mapping[str, str],
    ) -> None:
        self._channel = channel
        self._policies = policies_of(services)
        self._metadata = tuple(metadata.items())

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A callable that sends a message and answers one."""
        return self._single(method, self._channel.unary_unary(method, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A callable that sends messages and answers one."""
        callable_ = self._channel.stream_unary(method, *args, **kwargs)

        async def answered(requests: Any, **options: Any) -> Any:
            return await Outcome(callable_(requests, **options)).response()

        return self._single(method, answered)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A callable that sends a message and answers with an iterator."""
        return self._streaming(method, self._channel.unary_stream(method, *args, **kwargs))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A callable that sends messages and answers with an iterator."""
        return self._streaming(method, self._channel.stream_stream(method, *args, **kwargs))

    def _single(self, method: str, callable_: Any) -> Callable[..., Any]:
        policy = self._policies[method]

        async def call(request: Any, *, timeout: float | None = None) -> Any:
            try:
                return await callable_(request, timeout=_budget(policy, timeout), **self._extra())
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from None

        return call

    def _streaming(self, method: str, callable_: Any) -> Callable[..., Any]:
        policy = self._policies[method]

        async def call(request: Any, *, timeout: float | None = None) -> AsyncIterator[Any]:
            stream = callable_(request, timeout=_budget(policy, timeout), **self._extra())
            outcome = Outcome(stream)
            try:
                async for response in stream:
                    yield response
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(outcome.of(error)) from None
            finally:
                # Who listens no longer must not be waited for.
                stream.cancel()

        return call

    def _extra(self) -> dict[str, Any]:
        serving = current_call.get()
        forwarded = tuple(serving.forwarded.items()) if serving else ()
        return {"metadata": self._metadata + forwarded}


def _budget(policy: Policy, asked: float | None) -> float:
    """Seconds for a call below: its own default, but never more than the caller has left."""
    wanted = policy.timeout if asked is None else asked
    serving = current_call.get()
    remaining = serving.remaining() if serving else None
    if remaining is None:
        return wanted
    if remaining <= 0:
        raise DeadlineExceeded("the time allowed for the call has run out")
    return min(wanted, remaining)
