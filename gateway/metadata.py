"""What of an HTTP request travels with the call: some headers, and the time allowed."""

import re
from collections.abc import Mapping

from starlette.datastructures import Headers

from gateway.limits import Limits
from gateway.routes import Rpc
from libs.errors import InvalidArgument

FORWARDED = ("authorization", "x-api-key", "traceparent")

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS: Mapping[str, float] = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def call_metadata(headers: Headers, request_id: str) -> tuple[tuple[str, str], ...]:
    """The metadata of the call: the allowed headers that the request has, and its id.

    Raises:
        InvalidArgument: a header holds what gRPC metadata cannot carry.
    """
    pairs = [("x-request-id", request_id)]
    for name in FORWARDED:
        value = headers.get(name)
        if value is not None:
            if not _PRINTABLE.fullmatch(value):
                raise InvalidArgument.of(name, "holds characters other than printable ASCII")
            pairs.append((name, value))
    return tuple(pairs)


def call_timeout(headers: Headers, rpc: Rpc, limits: Limits) -> float:
    """Seconds for the call: the client's ``grpc-timeout`` within the limits, else the default.

    Raises:
        InvalidArgument: the header is not of the form of gRPC over HTTP/2, such as ``500m``.
    """
    cap = limits.stream_timeout if rpc.server_streaming else limits.max_timeout
    text = headers.get("grpc-timeout")
    if text is None:
        default = limits.stream_timeout if rpc.server_streaming else limits.default_timeout
        return rpc.default_timeout or default
    found = _TIMEOUT.fullmatch(text)
    if found is None:
        raise InvalidArgument.of("grpc-timeout", "expected up to 8 digits and one of H M S m u n")
    return min(cap, int(found[1]) * _UNITS[found[2]])
