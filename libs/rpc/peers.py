"""The other services, by name."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc

from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.contracts import Services

Stub = TypeVar("Stub")


class Peers:
    """One channel for each part of the suite, opened on first use and shared by all who call it."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        services: Services,
        metadata: Mapping[str, str],
    ) -> None:
        self._addresses = addresses
        self._services = services
        self._metadata = metadata
        self._channels: dict[str, grpc.aio.Channel] = {}

    def stub(self, make: Callable[[Any], Stub], service: str) -> Stub:
        """A generated stub of ``service`` whose calls carry our key and raise ``libs.errors``."""
        channel = self.channel(service)
        return make(ServiceChannel(channel, self._services[service], self._metadata))

    def channel(self, service: str) -> grpc.aio.Channel:
        """The plain channel to ``service``, for who forwards other people's calls."""
        if service not in self._channels:
            self._channels[service] = open_channel(
                self._addresses[service], self._services[service]
            )
        return self._channels[service]

    async def close(self) -> None:
        """Closes every channel."""
        for channel in self._channels.values():
            await channel.close()
