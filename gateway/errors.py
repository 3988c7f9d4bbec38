"""Errors as HTTP answers: the code, the AIP-193 body and the headers.

The numbers are those of grpc-gateway: FAILED_PRECONDITION is 400 (412 is for conditional
requests), ABORTED is 409, CANCELLED is 499.
"""

import contextlib
import logging
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import orjson
from google.protobuf import any_pb2, json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from starlette.responses import Response

from libs.errors import (
    ColonnadeError,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from libs.rpc.status import to_status

log = logging.getLogger(__name__)

_SHOWN_PATH = 200

HTTP_CODES: Mapping[int, int] = {
    code_pb2.CANCELLED: 499,
    code_pb2.UNKNOWN: 500,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.DEADLINE_EXCEEDED: 504,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.ABORTED: 409,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DATA_LOSS: 500,
    code_pb2.UNAUTHENTICATED: 401,
}


class HttpError(InvalidArgument):
    """A wrong request for which HTTP has a code of its own."""

    http_code = 400

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that go with the code."""
        return {}


class MethodNotAllowed(HttpError):
    """The path exists, but not with this method."""

    reason = "METHOD_NOT_ALLOWED"
    http_code = 405

    def __init__(self, method: str, path: str, allowed: frozenset[str]) -> None:
        self._allow = ", ".join(sorted(allowed))
        path = _shortened(path)
        super().__init__(
            f"{path} does not take {method}; it takes {self._allow}",
            metadata={"method": method, "path": path, "allowed": self._allow},
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """Names the methods that the path has."""
        return {"allow": self._allow}


class BodyTooLarge(HttpError):
    """The body has more bytes than the gateway takes."""

    reason = "BODY_TOO_LARGE"
    http_code = 413

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body is larger than the {limit} bytes that are taken here",
            metadata={"limit": str(limit)},
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """The rest of the body is not read, so the connection cannot be used again."""
        return {"connection": "close"}


class UnsupportedMediaType(HttpError):
    """The body is of a kind that the method does not read."""

    reason = "UNSUPPORTED_MEDIA_TYPE"
    http_code = 415

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(
            f"content-type is {got or 'missing'}; send {expected}",
            metadata={"content_type": got, "expected": expected},
        )


class RangeNotSatisfiable(HttpError):
    """The range starts behind the last byte."""

    reason = "RANGE_NOT_SATISFIABLE"
    http_code = 416

    def __init__(self, size: int) -> None:
        self._size = size
        super().__init__(
            f"the range starts behind the last of {size} bytes", metadata={"size": str(size)}
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """How many bytes there are."""
        return {"content-range": f"bytes */{self._size}"}


def no_route(method: str, path: str) -> NotFound:
    """Nothing is served at ``path``."""
    path = _shortened(path)
    return NotFound(
        "route",
        f"{method} {path}",
        f"there is nothing at {path}; /docs lists what there is",
        reason="ROUTE_NOT_FOUND",
    )


def _shortened(path: str) -> str:
    return path if len(path) <= _SHOWN_PATH else f"{path[:_SHOWN_PATH]}…"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as HTTP sends it. ``http_code`` is the status code of the answer."""

    http_code: int
    status: status_pb2.Status
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """The AIP-193 body."""
        return orjson.dumps(
            {
                "error": {
                    "code": self.http_code,
                    "message": self.status.message,
                    "status": _code_name(self.status.code),
                    "details": [_detail(detail) for detail in self.status.details],
                }
            }
        )

    def response(self) -> Response:
        """The whole answer."""
        return Response(self.body(), self.http_code, self.headers, media_type="application/json")


def failure_of(error: BaseException) -> Failure:
    """What a caller is told of ``error``. What was not planned is logged and told by an id only."""
    match error:
        case HttpError():
            return _failure(to_status(error), error.http_code, error.headers)
        case ColonnadeError():
            return _failure(to_status(error))
        case grpc.aio.AioRpcError():
            return _failure(_status_of_call(error))
        case _:
            return _failure(to_status(_internal(error)))


def _failure(
    status: status_pb2.Status,
    http_code: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Failure:
    code = http_code or HTTP_CODES.get(status.code, 500)
    extra = dict(headers or {})
    retry_after = _retry_after(status)
    if retry_after is not None:
        extra["retry-after"] = str(retry_after)
    if code == 401:
        extra["www-authenticate"] = 'Bearer realm="colonnade"'
    return Failure(code, status, extra)


def _status_of_call(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    status = None
    with contextlib.suppress(ValueError):
        status = rpc_status.from_call(error)
    if status is not None:
        return status
    return to_status(_error_of_transport(error))


def _error_of_transport(error: grpc.aio.AioRpcError) -> ColonnadeError:
    """A failed call without our details did not reach the service, or not its interceptors.

    Its text speaks of addresses and sockets, which are no caller's business.
    """
    match error.code():
        # A service that stops breaks off what it holds.
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            log.warning("a service cannot be reached: %s", error.details())
            return Unavailable(
                "the service behind this path cannot be reached right now; try again",
                reason="SERVICE_UNREACHABLE",
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded("the service did not answer in the time allowed")
        case grpc.StatusCode.UNIMPLEMENTED:
            return Unavailable(
                "the service behind this path does not know the method yet; try again later",
                reason="METHOD_NOT_SERVED",
            )
        case _:
            return _internal(error)


def _internal(error: BaseException) -> Internal:
    error_id = uuid.uuid4().hex
    log.error("error %s", error_id, exc_info=error)
    return Internal(
        f"something went wrong here; the log has it under {error_id}",
        metadata={"error_id": error_id},
    )


def _retry_after(status: status_pb2.Status) -> int | None:
    """Whole seconds, at least one, from RetryInfo."""
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(retry):
            return int(max(1, math.ceil(retry.retry_delay.ToMilliseconds() / 1000)))
    return None


def _code_name(code: int) -> str:
    known = code_pb2.Code.DESCRIPTOR.values_by_number.get(code)
    return known.name if known is not None else "UNKNOWN"


def _detail(detail: any_pb2.Any) -> Any:
    """The detail in its JSON form; only its type where that is not known here."""
    try:
        return json_format.MessageToDict(detail)
    except (TypeError, ValueError, json_format.Error):
        return {"@type": detail.type_url}
