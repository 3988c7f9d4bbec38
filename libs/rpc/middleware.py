"""Turns one async context manager into a server interceptor for all four shapes of call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

Around = Callable[[str, grpc.aio.ServicerContext[Any, Any]], AbstractAsyncContextManager[None]]
Check = Callable[[Message], None]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic for type checkers only


class Middleware(grpc.aio.ServerInterceptor):
    """Runs ``around(method, context)`` around every call and ``check(request)`` on every request
    message, of the methods for which ``applies(method)``."""

    def __init__(self, around: Around, check: Check, applies: Callable[[str], bool]) -> None:
        self._around = around
        self._check = check
        self._applies = applies

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "Handler | None":
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not self._applies(method):
            return handler
        if handler.response_streaming:
            return self._wrap_streaming(method, handler)
        return self._wrap_unary(method, handler)

    def _wrap_unary(self, method: str, handler: Any) -> Handler:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            async with self._around(method, context):
                return await inner(self._checked(request, handler.request_streaming), context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(serve, handler.request_deserializer, handler.response_serializer)

    def _wrap_streaming(self, method: str, handler: Any) -> Handler:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream

        # Written, not yielded: a generator whose caller goes away is ended later, by another task.
        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            async with self._around(method, context):
                checked = self._checked(request, handler.request_streaming)
                async with aclosing(inner(checked, context)) as responses:
                    async for response in responses:
                        await _write(context, response)

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return make(serve, handler.request_deserializer, handler.response_serializer)

    def _checked(self, request: Any, streaming: bool) -> Any:
        if streaming:
            return self._check_each(request)
        self._check(request)
        return request

    async def _check_each(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            self._check(request)
            yield request


async def _write(context: grpc.aio.ServicerContext[Any, Any], response: Any) -> None:
    try:
        await context.write(response)
    except grpc.aio.InternalError as error:
        # The caller went away meanwhile; the call itself hears of that a moment later.
        raise asyncio.CancelledError from error
