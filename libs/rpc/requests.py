"""What identifies a request that must have its effect once."""

import hashlib
from dataclasses import dataclass

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The caller's request id (empty: none), the method, and a hash of the request's content."""

    id: str
    method: str
    fingerprint: str


def request_of(message: Message, method: str) -> RequestKey:
    """The key of ``message``, which has a field ``request_id``."""
    request_id: str = getattr(message, "request_id")  # noqa: B009  # no common base declares it
    if not request_id:
        return RequestKey("", method, "")
    content = type(message)()
    content.CopyFrom(message)
    content.ClearField("request_id")
    digest = hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()
    return RequestKey(request_id, method, digest)
