"""Several replicas behind one address: what one of them cannot do now, another one does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceServicer,
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from colonnade.embedding.v1.model_pb2 import Model

from libs.errors import Unavailable
from libs.rpc.auth import Authenticator
from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from tests.support.wait import eventually

SERVICE = api.DESCRIPTOR.services_by_name["EmbeddingService"]
ASKED = api.GetModelRequest(name="models/default")
GONE = Unavailable("the model is not ready: its file has gone", reason="MODEL_NOT_READY")


class Replica(EmbeddingServiceServicer):
    """Knows a model while it is ``ready``; counts what it is asked."""

    def __init__(self) -> None:
        self.ready = True
        self.asked = 0

    async def GetModel(self, request: api.GetModelRequest, context: Any) -> Model:
        self.asked += 1
        if not self.ready:
            raise GONE
        return Model(name="models/here")


@asynccontextmanager
async def served(replica: Replica) -> AsyncIterator[int]:
    """The port on which a replica is served."""
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(SERVICE, add_EmbeddingServiceServicer_to_server, replica)
    (port,) = await server.start(["127.0.0.1:0"])
    try:
        yield port
    finally:
        await server.stop(0)


async def test_a_call_that_may_be_repeated_goes_to_a_replica_that_is_ready() -> None:
    well, ill = Replica(), Replica()
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(served(each)) for each in (well, ill)]
        address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        channel = open_channel(address, [SERVICE])
        stack.push_async_callback(channel.close)
        stub = EmbeddingServiceStub(_as_channel(channel))

        async def both_are_connected() -> bool:
            await stub.GetModel(ASKED, timeout=60)
            return bool(well.asked and ill.asked)

        await eventually(both_are_connected)
        ill.ready, ill.asked = False, 0
        for _ in range(4):
            assert (await stub.GetModel(ASKED, timeout=60)).name == "models/here"
        assert ill.asked, "it was asked, and said no"

        well.ready = False
        with pytest.raises(Unavailable, match="its file has gone"):
            await stub.GetModel(ASKED, timeout=60)


def _as_channel(channel: grpc.aio.Channel) -> Any:
    return ServiceChannel(channel, [SERVICE], {})
