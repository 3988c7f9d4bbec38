"""Errors as HTTP answers."""

import logging
from typing import Any

import grpc
import orjson
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from gateway.errors import (
    HTTP_CODES,
    BodyTooLarge,
    MethodNotAllowed,
    RangeNotSatisfiable,
    UnsupportedMediaType,
    failure_of,
    no_route,
)
from libs import errors

DETAILS_KEY = "grpc-status-details-bin"


def call_error(
    code: grpc.StatusCode, message: str, *details: Message, status_code: int | None = None
) -> grpc.aio.AioRpcError:
    """A failed call, with a rich status if there are details."""
    status = status_pb2.Status(code=status_code or code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    trailer = grpc.aio.Metadata()
    if details:
        trailer.add(DETAILS_KEY, status.SerializeToString())
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailer, message)


def body_of(error: BaseException) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(failure_of(error).body())
    return body["error"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("error", "http_code", "status"),
    [
        (errors.InvalidArgument("x"), 400, "INVALID_ARGUMENT"),
        (errors.NotFound("photo", "p"), 404, "NOT_FOUND"),
        (errors.AlreadyExists("photo", "p"), 409, "ALREADY_EXISTS"),
        (errors.FailedPrecondition("x"), 400, "FAILED_PRECONDITION"),
        (errors.Conflict("x"), 409, "ABORTED"),
        (errors.OutOfQuota("x"), 429, "RESOURCE_EXHAUSTED"),
        (errors.Unavailable("x"), 503, "UNAVAILABLE"),
        (errors.Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (errors.PermissionDenied("x"), 403, "PERMISSION_DENIED"),
        (errors.DeadlineExceeded("x"), 504, "DEADLINE_EXCEEDED"),
        (errors.Internal("x"), 500, "INTERNAL"),
        (BodyTooLarge(9), 413, "INVALID_ARGUMENT"),
        (UnsupportedMediaType("a/b", "c/d"), 415, "INVALID_ARGUMENT"),
        (RangeNotSatisfiable(9), 416, "INVALID_ARGUMENT"),
        (MethodNotAllowed("PUT", "/x", frozenset({"GET"})), 405, "INVALID_ARGUMENT"),
        (no_route("GET", "/x"), 404, "NOT_FOUND"),
    ],
)
def test_our_errors(error: errors.ColonnadeError, http_code: int, status: str) -> None:
    body = body_of(error)
    assert (failure_of(error).http_code, body["code"], body["status"]) == (
        http_code,
        http_code,
        status,
    )
    assert body["message"] == error.message
    info = body["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["reason"] == error.reason


def test_every_code_has_an_http_code() -> None:
    codes = set(code_pb2.Code.values()) - {code_pb2.OK}
    assert set(HTTP_CODES) == codes
    assert HTTP_CODES[code_pb2.CANCELLED] == 499
    assert HTTP_CODES[code_pb2.UNIMPLEMENTED] == 501


def test_the_details_of_a_call_are_passed_on() -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="photo.tags", description="no")
    failure = failure_of(
        call_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            "wrong",
            error_details_pb2.ErrorInfo(reason="BAD_TAG", domain="colonnade"),
            error_details_pb2.BadRequest(field_violations=[violation]),
        )
    )
    assert failure.http_code == 400
    details = orjson.loads(failure.body())["error"]["details"]
    assert details == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "BAD_TAG",
            "domain": "colonnade",
        },
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "photo.tags", "description": "no"}],
        },
    ]


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (2.1, "3"), (90, "90")])
def test_retry_info_becomes_retry_after(seconds: float, header: str) -> None:
    assert failure_of(errors.Unavailable("x", retry_after=seconds)).headers["retry-after"] == header
    assert failure_of(errors.OutOfQuota("x", retry_after=seconds)).headers["retry-after"] == header


def test_headers_that_go_with_codes() -> None:
    assert failure_of(errors.Unauthenticated("x")).headers == {
        "www-authenticate": 'Bearer realm="colonnade"'
    }
    allowed = frozenset({"POST", "GET"})
    assert failure_of(MethodNotAllowed("PUT", "/x", allowed)).headers == {"allow": "GET, POST"}
    assert failure_of(RangeNotSatisfiable(9)).headers == {"content-range": "bytes */9"}
    assert failure_of(errors.NotFound("photo", "p")).headers == {}


@pytest.mark.parametrize(
    ("code", "http_code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, 503, "SERVICE_UNREACHABLE"),
        (grpc.StatusCode.UNIMPLEMENTED, 503, "METHOD_NOT_SERVED"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.UNKNOWN, 500, "INTERNAL"),
    ],
)
def test_what_the_transport_says_of_addresses_stays_inside(
    code: grpc.StatusCode, http_code: int, reason: str
) -> None:
    error = call_error(code, "failed to connect to ipv4:10.0.0.7:5000")
    body = body_of(error)
    assert (body["code"], body["details"][0]["reason"]) == (http_code, reason)
    assert "10.0.0.7" not in orjson.dumps(body).decode()


def test_a_status_that_contradicts_its_code_is_not_believed() -> None:
    info = error_details_pb2.ErrorInfo(reason="X")
    error = call_error(grpc.StatusCode.UNAVAILABLE, "x", info, status_code=code_pb2.NOT_FOUND)
    assert failure_of(error).http_code == 503


def test_details_of_unknown_types_are_named_only() -> None:
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="m")
    status.details.append(any_pb2.Any(type_url="type.googleapis.com/made.up.Type", value=b"\x01"))
    trailer = grpc.aio.Metadata((DETAILS_KEY, status.SerializeToString()))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailer, "m")
    assert body_of(error)["details"] == [{"@type": "type.googleapis.com/made.up.Type"}]


def test_what_was_not_planned_is_told_by_an_id_that_the_log_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        body = body_of(ZeroDivisionError("secret"))
    assert body["code"] == 500
    error_id = body["details"][0]["metadata"]["error_id"]
    assert error_id in body["message"]
    assert error_id in caplog.text
    assert "secret" in caplog.text
    assert "secret" not in orjson.dumps(body).decode()


def test_long_paths_are_shortened() -> None:
    assert len(no_route("GET", "/x" * 5000).message) < 300
    assert len(MethodNotAllowed("GET", "/x" * 5000, frozenset()).message) < 300
