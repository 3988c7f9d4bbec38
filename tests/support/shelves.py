"""A service of the small contract that does as the test says and remembers what it was asked."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory
from grpc_status import rpc_status

from libs.errors import ColonnadeError
from libs.rpc.status import to_status
from tests.support.studio import SERVICE, message, service


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the service saw it. ``seconds`` are those left until its deadline."""

    method: str
    request: Any
    metadata: dict[str, str]
    seconds: float


@dataclass
class Shelves:
    """Answers by method name: a message, an error of ours, or a function of request and context.

    A method without one answers with an empty message or stream. Uploads that are
    ``is_never_complete`` wait for their end.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    received_bytes: int = 0
    is_never_complete: bool = False

    async def unary(self, name: str, request: Any, context: Any) -> Any:
        """Serves any method with one request and one response."""
        self._remember(name, request, context)
        try:
            return await self._answer(name, request, context)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise

    async def watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Serves WatchShelf with the stream that the test has set."""
        self._remember("WatchShelf", request, context)
        try:
            if "WatchShelf" in self.answers:
                async for shelf in self.answers["WatchShelf"](request, context):
                    yield shelf
        except ColonnadeError as error:
            await _abort(context, error)
        except asyncio.CancelledError:
            self.cancelled.append("WatchShelf")
            raise

    async def upload(self, requests: AsyncIterator[Any], context: Any) -> Any:
        """Serves UploadPicture: answers size and hash, or before reading if the test says so."""
        first = await anext(requests)
        self._remember("UploadPicture", first, context)
        if "UploadPicture" in self.answers:
            return await self._answer("UploadPicture", first, context)
        digest = hashlib.sha256()
        try:
            async for request in requests:
                assert request.WhichOneof("payload") == "chunk"
                digest.update(request.chunk)
                self.received_bytes += len(request.chunk)
            # The requests of a call that the client cancels may end as if they were complete; that
            # it was cancelled comes a moment later.
            if self.is_never_complete:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append("UploadPicture")
            raise
        return message("UploadPictureResponse")(
            size_bytes=self.received_bytes, sha256=digest.hexdigest(), header=first.header
        )

    async def _answer(self, name: str, request: Any, context: Any) -> Any:
        answer = self.answers.get(name, _empty(name))
        if isinstance(answer, ColonnadeError):
            await _abort(context, answer)
        return await answer(request, context) if callable(answer) else answer

    def _remember(self, name: str, request: Any, context: Any) -> None:
        metadata = {str(key): value for key, value in context.invocation_metadata()}
        self.calls.append(Call(name, request, metadata, context.time_remaining()))


@asynccontextmanager
async def serving(shelves: Shelves) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the service over a private socket."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, _handlers(shelves)),)
    )
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{Path(folder) / 'shelves.sock'}"
        server.add_insecure_port(address)
        await server.start()
        async with grpc.aio.insecure_channel(address) as channel:
            yield channel
        await server.stop(None)


def _handlers(shelves: Shelves) -> dict[str, Any]:
    return {method.name: _handler(shelves, method) for method in service().methods}


def _handler(shelves: Shelves, method: Any) -> Any:
    codec = {
        "request_deserializer": message(method.input_type.name).FromString,
        "response_serializer": lambda response: response.SerializeToString(),
    }
    if method.client_streaming:
        return grpc.stream_unary_rpc_method_handler(shelves.upload, **codec)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(shelves.watch, **codec)

    async def unary(request: Any, context: Any) -> Any:
        return await shelves.unary(method.name, request, context)

    return grpc.unary_unary_rpc_method_handler(unary, **codec)


def _empty(name: str) -> Any:
    output = service().methods_by_name[name].output_type
    return message_factory.GetMessageClass(output)()


async def _abort(context: Any, error: ColonnadeError) -> None:
    await context.abort_with_status(rpc_status.to_status(to_status(error)))
