"""Whether a server tells its contracts to whoever asks."""

from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from libs.rpc.auth import Authenticator
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.settings import GrpcSettings


async def told(address: str) -> set[str]:
    """The services that reflection lists."""
    asked = reflection_pb2.ServerReflectionRequest(list_services="*")
    async with grpc.aio.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        async for answer in stub.ServerReflectionInfo(iter([asked]), timeout=60):
            return {entry.name for entry in answer.list_services_response.service}
    return set()


@pytest.mark.parametrize("reflects", [True, False])
async def test_contracts_are_told_or_not(tmp_path: Path, reflects: bool) -> None:
    server = RpcServer(Authenticator(), Metrics().rpc, reflects=reflects)
    address = f"unix:{tmp_path / 'server.sock'}"
    await server.start([address])
    try:
        if reflects:
            assert "grpc.health.v1.Health" in await told(address)
            return
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await told(address)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop(0)


@pytest.mark.parametrize(
    ("wanted", "with_keys", "reflects"),
    [
        (None, False, True),
        (None, True, False),
        (True, True, True),
        (False, False, False),
    ],
)
def test_where_keys_are_needed_it_must_be_asked_for(
    wanted: bool | None, with_keys: bool, reflects: bool
) -> None:
    assert GrpcSettings(reflection=wanted).reflects(with_keys=with_keys) is reflects
