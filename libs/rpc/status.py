"""Our errors as ``google.rpc.Status`` and back. Both directions live here and nowhere else."""

import contextlib
from collections.abc import Sequence

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from libs.errors import (
    AlreadyExists,
    ColonnadeError,
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    Violation,
)

DOMAIN = "colonnade"
_MAX_VIOLATIONS = 50  # keeps the trailer under the usual 8 kB limit

_CODES: dict[type[ColonnadeError], int] = {
    InvalidArgument: code_pb2.INVALID_ARGUMENT,
    NotFound: code_pb2.NOT_FOUND,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    Conflict: code_pb2.ABORTED,
    OutOfQuota: code_pb2.RESOURCE_EXHAUSTED,
    Unavailable: code_pb2.UNAVAILABLE,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    PermissionDenied: code_pb2.PERMISSION_DENIED,
    DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    Internal: code_pb2.INTERNAL,
}


def code_of(error: ColonnadeError) -> int:
    """The ``google.rpc.Code`` of an error."""
    return next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)


def to_status(error: ColonnadeError) -> Status:
    """The status that carries ``error`` over the wire, with every detail that its kind has."""
    status = Status(code=code_of(error), message=error.message)
    for detail in _details(error):
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _details(error: ColonnadeError) -> Sequence[Message]:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if isinstance(error, InvalidArgument) and error.violations:
        details.append(_bad_request(error.violations))
    if isinstance(error, NotFound | AlreadyExists):
        details.append(
            error_details_pb2.ResourceInfo(resource_type=error.resource, resource_name=error.name)
        )
    if isinstance(error, OutOfQuota | Unavailable):
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def _bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
            for v in violations[:_MAX_VIOLATIONS]
        ]
    )


def from_status(status: Status) -> ColonnadeError:
    """The error that ``status`` carries; unknown codes become Internal. Never imports by name."""
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    resource = error_details_pb2.ResourceInfo()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for target in (info, bad, resource, retry):
            if detail.Is(target.DESCRIPTOR):
                detail.Unpack(target)
    reason = info.reason or None
    metadata = dict(info.metadata)
    match status.code:
        case code_pb2.INVALID_ARGUMENT | code_pb2.OUT_OF_RANGE:
            violations = [Violation(v.field, v.description) for v in bad.field_violations]
            return InvalidArgument(status.message, violations, reason=reason, metadata=metadata)
        case code_pb2.NOT_FOUND | code_pb2.ALREADY_EXISTS:
            kind = NotFound if status.code == code_pb2.NOT_FOUND else AlreadyExists
            return kind(
                resource.resource_type or "resource",
                resource.resource_name,
                status.message,
                reason=reason,
                metadata=metadata,
            )
        case code_pb2.RESOURCE_EXHAUSTED | code_pb2.UNAVAILABLE:
            flow = OutOfQuota if status.code == code_pb2.RESOURCE_EXHAUSTED else Unavailable
            after = retry.retry_delay.ToMilliseconds() / 1000 or 1.0
            return flow(status.message, retry_after=after, reason=reason, metadata=metadata)
        case code_pb2.CANCELLED:
            # Not by us, or it would be no error: a server that stops breaks off what it holds.
            text = "the service broke the call off, as one does that stops; try again"
            return Unavailable(text, retry_after=1.0, metadata=metadata)
        case code:
            plain = next((cls for cls, c in _CODES.items() if c == code), Internal)
            return plain(status.message, reason=reason, metadata=metadata)


def from_rpc_error(error: grpc.aio.AioRpcError) -> ColonnadeError:
    """The error behind a failed call, also when the peer was never reached."""
    status = None
    with contextlib.suppress(ValueError):
        status = rpc_status.from_call(error)
    if status is None:
        status = Status(code=error.code().value[0], message=error.details() or "")
    return from_status(status)
