"""One endpoint a binding: from a matched HTTP request through the call to the answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from gateway.body import read_body
from gateway.decoder import JsonDecoder
from gateway.encoder import JsonEncoder
from gateway.errors import failure_of
from gateway.exchange import Exchange, while_connected
from gateway.limits import Limits
from gateway.metadata import call_metadata, call_timeout
from gateway.request import RequestParser
from gateway.response import Framing, Reply, framing_for
from gateway.routes import Binding
from libs.errors import ColonnadeError


class Endpoint(Protocol):
    """Serves the requests of one binding."""

    async def __call__(self, exchange: Exchange) -> None:
        """Answers the request, or raises before it has begun to."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all endpoints share."""

    limits: Limits
    decoder: JsonDecoder
    encoder: JsonEncoder


class UnaryEndpoint:
    """One message there, one back."""

    def __init__(self, binding: Binding, channel: grpc.aio.Channel, tools: Tools) -> None:
        self._caller = _Caller(binding, channel.unary_unary, tools)
        self._reply = Reply(binding, tools.encoder)

    async def __call__(self, exchange: Exchange) -> None:
        call = await self._caller.call(exchange)
        message = await while_connected(exchange.receive, call)
        await exchange.answer(self._reply.response(message, exchange.headers))


class StreamEndpoint:
    """One message there, a stream back."""

    def __init__(self, binding: Binding, channel: grpc.aio.Channel, tools: Tools) -> None:
        self._caller = _Caller(binding, channel.unary_stream, tools)
        self._reply = Reply(binding, tools.encoder)
        self._heartbeat = tools.limits.heartbeat

    async def __call__(self, exchange: Exchange) -> None:
        call = await self._caller.call(exchange)
        try:
            await while_connected(exchange.receive, self._stream(call, exchange))
        finally:
            call.cancel()

    async def _stream(self, call: Any, exchange: Exchange) -> None:
        framing = framing_for(exchange.headers)
        messages = with_heartbeats(aiter(call), self._heartbeat)
        # A call that fails at once is still answered with its own status code.
        first = await anext(messages, _END)
        await _start(exchange, framing)
        try:
            if first is not _END:
                await self._send(exchange, framing, first)
                async for message in messages:
                    await self._send(exchange, framing, message)
        except (grpc.aio.AioRpcError, ColonnadeError) as error:
            await _send(exchange, framing.error(failure_of(error)))
        finally:
            await messages.aclose()
        await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, exchange: Exchange, framing: Framing, message: Any) -> None:
        if message is None:
            await _send(exchange, framing.heartbeat())
        else:
            await _send(exchange, framing.message(self._reply.value(message)))


class _Caller:
    """Turns the requests of one binding into calls of its method."""

    def __init__(self, binding: Binding, method: Any, tools: Tools) -> None:
        self._rpc = binding.rpc
        self._limits = tools.limits
        self._parser = RequestParser(binding, tools.decoder)
        self._invoke = method(
            binding.rpc.path,
            request_serializer=binding.rpc.input.SerializeToString,
            response_deserializer=binding.rpc.output.FromString,
        )

    async def call(self, exchange: Exchange) -> Any:
        headers = exchange.headers
        body = await read_body(exchange.receive)
        return self._invoke(
            self._parser.parse(exchange.captures, exchange.query, headers, body),
            metadata=call_metadata(headers, exchange.request_id),
            timeout=call_timeout(headers, self._rpc, self._limits),
        )


_END = object()


async def with_heartbeats(messages: AsyncIterator[Any], every: float) -> AsyncGenerator[Any, None]:
    """The messages, and None whenever ``every`` seconds pass without one."""
    pending: asyncio.Task[Any] | None = None
    try:
        while True:
            pending = pending or asyncio.create_task(_next(messages))
            done, _ = await asyncio.wait((pending,), timeout=every)
            if not done:
                yield None
                continue
            message, pending = pending.result(), None
            if message is _END:
                return
            yield message
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)


async def _next(messages: AsyncIterator[Any]) -> Any:
    return await anext(messages, _END)


async def _start(exchange: Exchange, framing: Framing) -> None:
    headers = [
        (b"content-type", framing.media_type.encode()),
        (b"cache-control", b"no-cache"),
        # A proxy that collects the answer would hold the events back.
        (b"x-accel-buffering", b"no"),
    ]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send(exchange: Exchange, frame: bytes) -> None:
    if frame:
        await exchange.send({"type": "http.response.body", "body": frame, "more_body": True})
