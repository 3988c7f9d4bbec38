"""The gateway as an ASGI application."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.body import BodyLimit
from gateway.conditions import etag_matches, quoted
from gateway.dashboard import dashboard_routes
from gateway.docs import docs_routes
from gateway.errors import MethodNotAllowed, failure_of, no_route
from gateway.limits import Limits
from gateway.local_only import LocalOnly
from gateway.middleware import Errors, Observe, Observed
from gateway.routes import Binding
from gateway.transcoder import Transcoder
from gateway.upload import UploadAdapter
from libs.errors import InvalidArgument
from libs.http_server import Check, Failures, Names, Render, operations_routes


def build_app(
    *,
    bindings: Iterable[Binding],
    channels: Mapping[str, grpc.aio.Channel],
    document: Mapping[str, Any],
    ready: Check,
    failures: Failures = dict,
    uploads: Mapping[str, UploadAdapter] | None = None,
    limits: Limits | None = None,
    extra_routes: Sequence[BaseRoute] = (),
    metrics: Render = bytes,
    warnings: Failures = dict,
    working: Names = tuple,
    observe: Observe | None = None,
    local_only: bool = False,
) -> Starlette:
    """The application: the REST API of ``bindings`` and what belongs to it.

    Args:
        bindings: what ``build_bindings`` read from the contracts.
        channels: by full name of the service.
        document: the OpenAPI document, served at ``/openapi.json`` and rendered at ``/docs``.
        ready: whether ``/readyz`` says so.
        failures: the parts that are not ready and why; ``/readyz`` lists them.
        warnings: what does not work as it should and why; ``/readyz`` lists that too.
        working: the parts that work while others do not; ``/readyz`` lists them.
        uploads: by full name of the method.
        extra_routes: come before the pages and the API, which get every path that no route has.
        metrics: the metrics as Prometheus reads them, served at ``/metrics``.
        observe: is told of every request.
        local_only: whether to refuse what other sites' pages send (see ``LocalOnly``).

    Raises:
        RouteError: a service has no channel, or an upload no adapter.
    """
    limits = limits or Limits()
    transcoder = Transcoder(bindings, channels, limits, uploads or {})
    app = Starlette(
        routes=[
            *operations_routes(ready, failures, metrics, warnings, working),
            _document_route(document),
            *extra_routes,
            *docs_routes(),
            *dashboard_routes(),
        ],
        middleware=[
            Middleware(Observed, observe=observe),
            Middleware(Errors),
            *([Middleware(LocalOnly)] if local_only else []),
            Middleware(BodyLimit, limit=limits.body_bytes),
        ],
        exception_handlers={HTTPException: _render_http_exception},
    )
    app.router.redirect_slashes = False
    app.router.default = transcoder
    return app


def _document_route(document: Mapping[str, Any]) -> Route:
    content = orjson.dumps(document)
    etag = quoted(hashlib.sha256(content).hexdigest()[:32])
    headers = {"etag": etag, "cache-control": "no-cache"}

    async def openapi(request: Request) -> Response:
        if etag_matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type="application/json")

    return Route("/openapi.json", openapi)


async def _render_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses, in the same shape as everything else."""
    assert isinstance(error, HTTPException)
    return failure_of(_as_ours(request, error)).response()


def _as_ours(request: Request, error: HTTPException) -> Exception:
    path = request.url.path
    match error.status_code:
        case 404:
            return no_route(request.method, path)
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            return MethodNotAllowed(request.method, path, frozenset(allowed.split(", ")))
        case code if code < 500:
            return InvalidArgument(error.detail)
        case _:
            return error
