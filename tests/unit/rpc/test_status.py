"""What callers make of calls that failed without details of ours."""

import grpc
import pytest

from gateway.errors import failure_of
from libs.errors import Unavailable
from libs.rpc.status import from_rpc_error


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_a_call_that_a_stopping_service_broke_off_may_be_tried_again(
    code: grpc.StatusCode,
) -> None:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "CANCELLED")
    found = from_rpc_error(error)
    assert isinstance(found, Unavailable)
    assert found.retry_after > 0
    assert failure_of(error).http_code == 503
