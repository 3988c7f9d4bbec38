"""Uploads: a raw or multipart body to the messages of a client-streaming method.

The request type of such a method has two fields: one message with what describes the file (the
header), sent first and once, and one of bytes, for the file in pieces. Variables of the path and
query parameters fill the header; so do the fields of a form.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from gateway import descriptors
from gateway.body import allow_body, body_chunks
from gateway.endpoints import Tools
from gateway.errors import BodyTooLarge, UnsupportedMediaType
from gateway.exchange import Exchange, while_connected
from gateway.metadata import call_metadata, call_timeout
from gateway.multipart import FormReader
from gateway.query import QueryField, QueryReader, leaves
from gateway.request import PathField, as_invalid_argument, parse_query
from gateway.response import Reply
from gateway.routes import Binding, RouteError
from gateway.scalars import Mismatch
from libs.rpc.outcome import Outcome

_EXPECTED = "the file itself (image/* or application/octet-stream) or multipart/form-data"
_FORM_OVERHEAD = 2**20


@dataclass(frozen=True, slots=True)
class UploadAdapter:
    """How a method takes files.

    ``header`` and ``chunk`` are the fields of its request type; ``file_name`` is the field of the
    header that a form's file name fills, if there is one. ``max_bytes`` limits the file,
    ``chunk_bytes`` is the size of its pieces.
    """

    max_bytes: int = 50 * 2**20
    chunk_bytes: int = 256 * 2**10
    header: str = "header"
    chunk: str = "chunk"
    file_name: str | None = None


class UploadEndpoint:
    """Streams the file of a request to a method, in pieces, as it comes in."""

    def __init__(
        self, binding: Binding, channel: grpc.aio.Channel, tools: Tools, adapter: UploadAdapter
    ) -> None:
        self._rpc = binding.rpc
        self._limits = tools.limits
        self._adapter = adapter
        self._header = _HeaderReader(binding, adapter)
        self._reply = Reply(binding, tools.encoder)
        self._invoke: Any = channel.stream_unary(
            binding.rpc.path,
            request_serializer=binding.rpc.input.SerializeToString,
            response_deserializer=binding.rpc.output.FromString,
        )

    async def __call__(self, exchange: Exchange) -> None:
        allow_body(exchange.scope, self._adapter.max_bytes + _FORM_OVERHEAD)
        try:
            async with aclosing(body_chunks(exchange.receive)) as chunks:
                message = await self._send(exchange, chunks)
        except Mismatch as error:
            raise as_invalid_argument(error) from None
        await exchange.answer(self._reply.response(message, exchange.headers))

    async def _send(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> Any:
        """The method's answer to the upload."""
        header, data = await self._open(exchange, chunks)
        call = self._invoke(
            metadata=call_metadata(exchange.headers, exchange.request_id),
            timeout=call_timeout(exchange.headers, self._rpc, self._limits),
        )
        outcome = Outcome(call)
        try:
            await _until_ended(call, self._write(call, header, data))
            return await while_connected(exchange.receive, outcome.response())
        finally:
            call.cancel()

    async def _open(
        self, exchange: Exchange, chunks: AsyncIterator[bytes]
    ) -> tuple[Message, AsyncIterator[bytes]]:
        """The first message, and the bytes of the file."""
        content_type = exchange.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            form = FormReader(content_type, chunks)
            fields = await form.fields()
            return self._header.read(exchange, fields, form.file_name), form.file()
        if kind.startswith("image/") or kind == "application/octet-stream":
            return self._header.read(exchange, (), ""), chunks
        raise UnsupportedMediaType(content_type, _EXPECTED)

    async def _write(self, call: Any, header: Message, data: AsyncIterator[bytes]) -> None:
        await call.write(header)
        pieces = in_pieces(data, self._adapter.chunk_bytes, self._adapter.max_bytes)
        async for piece in pieces:
            await call.write(self._rpc.input(**{self._adapter.chunk: piece}))
        await call.done_writing()


class _HeaderReader:
    """Builds the first message of an upload."""

    def __init__(self, binding: Binding, adapter: UploadAdapter) -> None:
        self._create: Any = binding.rpc.input
        self._adapter = adapter
        request = descriptors.type_of(binding.rpc.input)
        header = request.fields_by_name.get(adapter.header)
        if header is None or adapter.chunk not in request.fields_by_name:
            names = f"{adapter.header!r} and {adapter.chunk!r}"
            raise RouteError(f"{binding.rpc.full_name}: {request.full_name} needs fields {names}")
        variables = binding.template.variables
        self._variables = [PathField(request, variable) for variable in variables]
        self._fields = QueryReader(upload_fields(binding, adapter))

    def read(self, exchange: Exchange, form: Sequence[tuple[str, str]], file_name: str) -> Message:
        """The message from the path, the query and the fields of a form."""
        message = self._create()
        header = getattr(message, self._adapter.header)
        header.SetInParent()
        for field, text in zip(self._variables, exchange.captures, strict=True):
            field.set(message, text)
        self._fields.fill(header, [*parse_query(exchange.query), *form])
        name = self._adapter.file_name
        if name and file_name and not getattr(header, name):
            setattr(header, name, file_name)
        return message  # type: ignore[no-any-return]


def upload_fields(binding: Binding, adapter: UploadAdapter) -> tuple[QueryField, ...]:
    """The fields of the header that query parameters and form fields fill."""
    header = descriptors.type_of(binding.rpc.input).fields_by_name[adapter.header]
    taken = {each.field_path.partition(".")[2] for each in binding.template.variables}
    return tuple(leaves(descriptors.message_type(header), taken))


async def _until_ended(call: Any, writing: Coroutine[Any, Any, None]) -> None:
    """Writes until all is written, or until the call has ended: then its result tells why."""
    ended = asyncio.Event()
    call.add_done_callback(lambda _: ended.set())
    tasks = (asyncio.create_task(writing), asyncio.create_task(ended.wait()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def in_pieces(chunks: AsyncIterator[bytes], size: int, limit: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of ``size``, the last one shorter.

    Raises:
        BodyTooLarge: there are more than ``limit`` bytes.
    """
    waiting = bytearray()
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise BodyTooLarge(limit)
        waiting += chunk
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
