"""What every service offers besides its own methods, in both shapes of the suite."""

from functools import partial

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from libs.rpc.contracts import SERVICES
from tests.support.harness import PARTS, Suite
from tests.support.wait import eventually


def reflected(address: str, **request: str) -> reflection_pb2.ServerReflectionResponse:
    """What the reflection service at ``address`` answers."""
    asked = reflection_pb2.ServerReflectionRequest(**request)
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answer: reflection_pb2.ServerReflectionResponse = next(
            stub.ServerReflectionInfo(iter([asked]), timeout=60)
        )
        return answer


@pytest.mark.parametrize("service", PARTS)
def test_reflection_tells_the_contract_of_a_service(suite: Suite, service: str) -> None:
    listed = reflected(suite.grpc[service], list_services="*").list_services_response.service
    for descriptor in SERVICES[service]:
        assert descriptor.full_name in {entry.name for entry in listed}
        answer = reflected(suite.grpc[service], file_containing_symbol=descriptor.full_name)
        files = answer.file_descriptor_response.file_descriptor_proto
        shown = [FileDescriptorProto.FromString(file) for file in files]
        methods = {m.name for file in shown for s in file.service for m in s.method}
        assert methods >= {method.name for method in descriptor.methods}


@pytest.mark.parametrize("service", PARTS)
async def test_health_is_told_by_service_and_for_the_process(suite: Suite, service: str) -> None:
    async with grpc.aio.insecure_channel(suite.grpc[service]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def status(name: str) -> int:
            request = health_pb2.HealthCheckRequest(service=name)
            return int((await stub.Check(request, timeout=60)).status)

        async def serving(name: str) -> bool:
            return await status(name) == health_pb2.HealthCheckResponse.SERVING

        for name in (*(descriptor.full_name for descriptor in SERVICES[service]), ""):
            # A probe that a busy machine held up counts until the next one.
            await eventually(partial(serving, name), within=300)
        with pytest.raises(grpc.RpcError) as unknown:
            await status("no.such.Service")
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
