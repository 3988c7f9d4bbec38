"""Message to HTTP answer: JSON, raw bytes, and streams as NDJSON or server-sent events."""

from typing import Any, Protocol

import orjson
from colonnade.type.v1.job_pb2 import JobState
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from starlette.datastructures import Headers
from starlette.responses import Response

from gateway import descriptors
from gateway.conditions import etag_matches, quoted
from gateway.encoder import JsonEncoder
from gateway.errors import Failure
from gateway.routes import Binding

JSON = "application/json"
_JOB_STATE = "colonnade.type.v1.JobState"
_ACTIVE = frozenset(
    (JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_CANCELLING)
)
# Seconds after which to look again at what a worker has in hand.
_LOOK_AGAIN = "2"


class Reply:
    """Builds the HTTP answers of one binding from the messages that its method answers."""

    def __init__(self, binding: Binding, encoder: JsonEncoder) -> None:
        self._encoder = encoder
        self._body = binding.response_body
        output = descriptors.type_of(binding.rpc.output)
        self._raw = output.full_name == descriptors.HTTP_BODY
        reads = binding.http_method == "GET"
        self._tagged = reads and _has_etag(output.fields_by_name)
        self._job = reads and _is_job(output.fields_by_name)

    def response(self, message: Any, headers: Headers) -> Response:
        """The answer to a request with these headers: 200, or 304 if its etag is still right.

        That of a job which has not ended says when to look again.
        """
        if self._raw:
            return Response(message.data, media_type=message.content_type or None)
        extra = {}
        if self._job and message.state in _ACTIVE:
            extra["retry-after"] = _LOOK_AGAIN
        if self._tagged and message.etag:
            extra |= {"etag": quoted(message.etag), "cache-control": "private, no-cache"}
            if etag_matches(headers.get("if-none-match"), extra["etag"]):
                return Response(status_code=304, headers=extra)
        return Response(orjson.dumps(self.value(message)), headers=extra, media_type=JSON)

    def value(self, message: Message) -> Any:
        """The message, or the field of it that is answered, as JSON."""
        if self._body is None:
            return self._encoder.encode(message)
        return self._encoder.encode_field(message, self._body)


def _has_etag(fields: Any) -> bool:
    field = fields.get("etag")
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _is_job(fields: Any) -> bool:
    field = fields.get("state")
    return (
        field is not None
        and field.enum_type is not None
        and field.enum_type.full_name == _JOB_STATE
    )


class Framing(Protocol):
    """How the messages of a stream follow each other in a body."""

    media_type: str

    def message(self, value: Any) -> bytes:
        """A message, given as JSON."""

    def error(self, failure: Failure) -> bytes:
        """The end of a stream that failed."""

    def heartbeat(self) -> bytes:
        """What only shows that the stream lives; empty where there is no such thing."""


class NdJson:
    """One JSON object a line: ``{"result": …}``, and ``{"error": …}`` last where it failed."""

    media_type = "application/x-ndjson"

    def message(self, value: Any) -> bytes:
        """A line with the result."""
        return orjson.dumps({"result": value}, option=orjson.OPT_APPEND_NEWLINE)

    def error(self, failure: Failure) -> bytes:
        """A line with the error."""
        return failure.body() + b"\n"

    def heartbeat(self) -> bytes:
        """Nothing: readers of such lines may stumble over an empty one."""
        return b""


class ServerSentEvents:
    """Events ``message`` and ``error`` of ``text/event-stream``; heartbeats are comments."""

    media_type = "text/event-stream"

    def message(self, value: Any) -> bytes:
        """An event with the message."""
        return b"event: message\ndata: " + orjson.dumps(value) + b"\n\n"

    def error(self, failure: Failure) -> bytes:
        """An event with the error."""
        return b"event: error\ndata: " + failure.body() + b"\n\n"

    def heartbeat(self) -> bytes:
        """A comment."""
        return b": alive\n\n"


def framing_for(headers: Headers) -> Framing:
    """Events where the client asks for them, lines of JSON otherwise."""
    if "text/event-stream" in headers.get("accept", ""):
        return ServerSentEvents()
    return NdJson()
