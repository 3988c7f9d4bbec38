"""The ASGI application that serves the bindings."""

from collections.abc import Iterable, Mapping

import grpc
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from gateway.decoder import JsonDecoder
from gateway.encoder import JsonEncoder
from gateway.endpoints import Endpoint, StreamEndpoint, Tools, UnaryEndpoint
from gateway.errors import MethodNotAllowed, no_route
from gateway.exchange import ROUTE, Exchange
from gateway.limits import Limits
from gateway.router import Match, NoRoute, Router
from gateway.routes import Binding, RouteError
from gateway.upload import UploadAdapter, UploadEndpoint


class Transcoder:
    """Serves REST requests by calling the methods that they are bound to.

    ``channels`` are by full name of the service, ``uploads`` by full name of the method.

    Raises:
        RouteError: a binding's service has no channel, or its upload has no adapter.
    """

    def __init__(
        self,
        bindings: Iterable[Binding],
        channels: Mapping[str, grpc.aio.Channel],
        limits: Limits,
        uploads: Mapping[str, UploadAdapter],
    ) -> None:
        bindings = tuple(bindings)
        tools = Tools(limits, JsonDecoder(), JsonEncoder())
        self._router = Router(bindings)
        self._endpoints = {
            binding: _endpoint(binding, channels, tools, uploads) for binding in bindings
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        match = self._match(scope)
        scope[ROUTE] = match.binding.template.text
        exchange = Exchange(scope, receive, send, match.captures, Headers(scope=scope))
        await self._endpoints[match.binding](exchange)

    def _match(self, scope: Scope) -> Match:
        method: str = scope["method"]
        path: str = scope["raw_path"].decode("latin-1")
        try:
            # The server leaves out the body of an answer to HEAD.
            return self._router.match("GET" if method == "HEAD" else method, path)
        except NoRoute as error:
            if error.allowed:
                raise MethodNotAllowed(method, path, error.allowed) from None
            raise no_route(method, path) from None


def _endpoint(
    binding: Binding,
    channels: Mapping[str, grpc.aio.Channel],
    tools: Tools,
    uploads: Mapping[str, UploadAdapter],
) -> Endpoint:
    rpc = binding.rpc
    channel = channels.get(rpc.service)
    if channel is None:
        raise RouteError(f"{rpc.full_name}: there is no channel to {rpc.service}")
    if rpc.client_streaming:
        adapter = uploads.get(rpc.full_name)
        if adapter is None:
            raise RouteError(f"{rpc.full_name}: there is no upload adapter for it")
        return UploadEndpoint(binding, channel, tools, adapter)
    if rpc.server_streaming:
        return StreamEndpoint(binding, channel, tools)
    return UnaryEndpoint(binding, channel, tools)
