"""The bytes of photos, candidates and publications over HTTP. These methods have no rule of their
own: HTTP's ranges and caches do not fit into one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import run_service_pb2 as runs
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.run_service_pb2_grpc import RunServiceStub
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.exchange import REQUEST_ID
from gateway.media import IMMUTABLE, MediaInfo, ranged_response
from gateway.metadata import call_metadata
from libs.rpc.status import from_rpc_error

_GLANCE_TIMEOUT = 10.0
# A slow reader of a large original must not be cut off after a 200.
_BODY_TIMEOUT = 3600.0
# What is only asked for its description is asked for one byte; 0 would mean all of them.
_GLANCE = 1
_PUBLIC = "public, max-age=3600"
# The address is a secret, and ends.
_SIGNED = "private, max-age=600"

_BYTES = {
    "200": {
        "description": "The bytes.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    "206": {"description": "The bytes of the range that was asked for."},
    "default": {"$ref": "#/components/responses/Error"},
}
_Renditions = catalog.ReadPhotoMediaRequest
RENDITIONS = (
    ("content", _Renditions.RENDITION_ORIGINAL),
    ("thumbnail", _Renditions.RENDITION_THUMBNAIL),
    ("publish", _Renditions.RENDITION_PUBLISH),
)
_BELOW_CANDIDATE = "/v1/personas/{persona}/runs/{run}/candidates/{candidate}/"
_CANDIDATE_RENDITIONS = (
    ("content", runs.ReadCandidateMediaRequest.RENDITION_ORIGINAL),
    ("thumbnail", runs.ReadCandidateMediaRequest.RENDITION_THUMBNAIL),
)


def media_routes(channels: Mapping[str, grpc.aio.Channel]) -> list[Route]:
    """``/v1/personas/…/photos/…/content`` (``thumbnail``, ``publish``), ``/p/{token}``,
    ``/m/{token}.jpg`` and ``/v1/personas/…/runs/…/candidates/…/content`` (``thumbnail``)."""
    candidates = _CandidateMedia(RunServiceStub(channels["colonnade.catalog.v1.RunService"]))
    photos = _PhotoMedia(CatalogServiceStub(channels["colonnade.catalog.v1.CatalogService"]))
    posts = _PublicationMedia(
        SchedulerServiceStub(channels["colonnade.scheduler.v1.SchedulerService"])
    )
    methods = ["GET", "HEAD"]
    below = "/v1/personas/{persona}/photos/{photo}/"
    return [
        *(
            Route(below + last, photos.serving(which), methods=methods)
            for last, which in RENDITIONS
        ),
        *(
            Route(_BELOW_CANDIDATE + last, candidates.serving(which), methods=methods)
            for last, which in _CANDIDATE_RENDITIONS
        ),
        Route("/p/{token}", photos.serve_signed, methods=methods),
        Route("/m/{token}.jpg", posts.serve, methods=methods),
    ]


def media_paths() -> dict[str, Any]:
    """The path items of ``media_routes`` for the OpenAPI document."""
    below = "/v1/personas/{persona}/photos/{photo}/"
    photos = {below + last: _photo_item(last) for last, _ in RENDITIONS}
    candidates = {
        _BELOW_CANDIDATE + last: _candidate_item(last) for last, _ in _CANDIDATE_RENDITIONS
    }
    tokens = {"/p/{token}": _signed_item(), "/m/{token}.jpg": _publication_item()}
    return {**photos, **candidates, **tokens}


def _photo_item(rendition: str) -> dict[str, Any]:
    summary = f"Reads the {rendition} bytes of a photo."
    names = ("persona", "photo")
    return _rendition_item("CatalogService", "ReadPhotoMedia", rendition, summary, names)


def _candidate_item(rendition: str) -> dict[str, Any]:
    summary = f"Reads the {rendition} bytes of a candidate."
    names = ("persona", "run", "candidate")
    return _rendition_item("RunService", "ReadCandidateMedia", rendition, summary, names)


def _rendition_item(
    service: str, method: str, rendition: str, summary: str, names: Sequence[str]
) -> dict[str, Any]:
    return {
        "get": {
            "tags": [service],
            "operationId": f"{service}_{method}_{rendition}",
            "summary": summary,
            "description": "Knows ranges, ETags and HEAD.",
            "x-rpc": f"colonnade.catalog.v1.{service}.{method}",
            "security": [{"bearer": ["catalog.read"]}, {"apiKey": ["catalog.read"]}],
            "parameters": list(map(_in_path, names)),
            "responses": _BYTES,
        }
    }


def _signed_item() -> dict[str, Any]:
    summary = "Reads the photo of a signed address."
    return _token_item("CatalogService", "ReadSignedPhotoMedia", summary)


def _publication_item() -> dict[str, Any]:
    summary = "Reads the picture of a publication, for the provider that fetches it."
    return _token_item("SchedulerService", "ReadPublicationMedia", summary)


def _token_item(service: str, method: str, summary: str) -> dict[str, Any]:
    package = service.removesuffix("Service").lower()
    return {
        "get": {
            "tags": [service],
            "operationId": f"{service}_{method}",
            "summary": summary,
            "description": "The token in the path is the permission. Knows ranges and HEAD.",
            "x-rpc": f"colonnade.{package}.v1.{service}.{method}",
            "security": [],
            "parameters": [_in_path("token")],
            "responses": _BYTES,
        }
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


class _PhotoMedia:
    """Renditions of photos, for whoever may read the catalog or has a signed address."""

    def __init__(self, stub: CatalogServiceStub) -> None:
        self._stub = stub

    def serving(
        self, rendition: "catalog.ReadPhotoMediaRequest.Rendition.ValueType"
    ) -> Callable[[Request], Awaitable[Response]]:
        """What serves one rendition."""

        async def serve(request: Request) -> Response:
            path = request.path_params
            name = f"personas/{path['persona']}/photos/{path['photo']}"
            ask = catalog.ReadPhotoMediaRequest(name=name, rendition=rendition)
            return await _served(request, self._stub.ReadPhotoMedia, ask, IMMUTABLE)

        return serve

    async def serve_signed(self, request: Request) -> Response:
        """Serves what a signed address stands for."""
        ask = catalog.ReadSignedPhotoMediaRequest(token=request.path_params["token"])
        return await _served(request, self._stub.ReadSignedPhotoMedia, ask, _SIGNED)


class _CandidateMedia:
    """Renditions of candidates, for whoever may read the catalog."""

    def __init__(self, stub: RunServiceStub) -> None:
        self._stub = stub

    def serving(
        self, rendition: "runs.ReadCandidateMediaRequest.Rendition.ValueType"
    ) -> Callable[[Request], Awaitable[Response]]:
        """What serves one rendition."""

        async def serve(request: Request) -> Response:
            path = request.path_params
            run = f"personas/{path['persona']}/runs/{path['run']}"
            name = f"{run}/candidates/{path['candidate']}"
            ask = runs.ReadCandidateMediaRequest(name=name, rendition=rendition)
            return await _served(request, self._stub.ReadCandidateMedia, ask, IMMUTABLE)

        return serve


class _PublicationMedia:
    """The picture of a publication, for whoever knows its address."""

    def __init__(self, stub: SchedulerServiceStub) -> None:
        self._stub = stub

    async def serve(self, request: Request) -> Response:
        """Serves it."""
        ask = scheduler.ReadPublicationMediaRequest(token=request.path_params["token"])
        return await _served(request, self._stub.ReadPublicationMedia, ask, _PUBLIC)


async def _served(request: Request, method: Any, ask: Any, cache_control: str) -> Response:
    """The bytes that ``method`` streams for ``ask``, or the range of them that is asked for."""
    metadata = _metadata(request)

    def call(offset: int, length: int) -> Any:
        ask.offset, ask.length = offset, length
        timeout = _BODY_TIMEOUT if length != _GLANCE else _GLANCE_TIMEOUT
        return method(ask, timeout=timeout, metadata=metadata)

    info = await _info(call(0, _GLANCE))
    media = MediaInfo(info.mime_type, info.size_bytes, info.etag, cache_control)
    return ranged_response(request, media, lambda o, n: _chunks(call(o, n)))


def _metadata(request: Request) -> tuple[tuple[str, str], ...]:
    return call_metadata(request.headers, request.scope.get(REQUEST_ID, ""))


async def _info(stream: Any) -> Any:
    try:
        first = await stream.read()
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    finally:
        stream.cancel()
    return first.info


async def _chunks(stream: Any) -> AsyncIterator[bytes]:
    try:
        async for message in stream:
            if message.WhichOneof("payload") == "chunk":
                yield message.chunk
    finally:
        stream.cancel()
