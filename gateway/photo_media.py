"""The bytes of photos and of publications over HTTP. These two methods have no rule of their own:
HTTP's ranges and caches do not fit into one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
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


def media_routes(channels: Mapping[str, grpc.aio.Channel]) -> list[Route]:
    """``/v1/personas/…/photos/…/content`` (``thumbnail``, ``publish``) and ``/m/{token}.jpg``."""
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
        Route("/m/{token}.jpg", posts.serve, methods=methods),
    ]


def media_paths() -> dict[str, Any]:
    """The path items of ``media_routes`` for the OpenAPI document."""
    below = "/v1/personas/{persona}/photos/{photo}/"
    photos = {below + last: _photo_item(last) for last, _ in RENDITIONS}
    return {**photos, "/m/{token}.jpg": _publication_item()}


def _photo_item(rendition: str) -> dict[str, Any]:
    return {
        "get": {
            "tags": ["CatalogService"],
            "operationId": f"CatalogService_ReadPhotoMedia_{rendition}",
            "summary": f"Reads the {rendition} bytes of a photo.",
            "description": "Knows ranges, ETags and HEAD.",
            "x-rpc": "colonnade.catalog.v1.CatalogService.ReadPhotoMedia",
            "security": [{"bearer": ["catalog.read"]}, {"apiKey": ["catalog.read"]}],
            "parameters": [_in_path("persona"), _in_path("photo")],
            "responses": _BYTES,
        }
    }


def _publication_item() -> dict[str, Any]:
    return {
        "get": {
            "tags": ["SchedulerService"],
            "operationId": "SchedulerService_ReadPublicationMedia",
            "summary": "Reads the picture of a publication, for the provider that fetches it.",
            "description": "The token in the path is the permission. Knows ranges and HEAD.",
            "x-rpc": "colonnade.scheduler.v1.SchedulerService.ReadPublicationMedia",
            "security": [],
            "parameters": [_in_path("token")],
            "responses": _BYTES,
        }
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


class _PhotoMedia:
    """Renditions of photos, for whoever may read the catalog."""

    def __init__(self, stub: CatalogServiceStub) -> None:
        self._stub = stub

    def serving(
        self, rendition: "catalog.ReadPhotoMediaRequest.Rendition.ValueType"
    ) -> Callable[[Request], Awaitable[Response]]:
        """What serves one rendition."""

        async def serve(request: Request) -> Response:
            return await self._serve(request, rendition)

        return serve

    async def _serve(
        self, request: Request, rendition: "catalog.ReadPhotoMediaRequest.Rendition.ValueType"
    ) -> Response:
        path = request.path_params
        name = f"personas/{path['persona']}/photos/{path['photo']}"
        ask = catalog.ReadPhotoMediaRequest(name=name, rendition=rendition)
        metadata = _metadata(request)

        def call(offset: int, length: int) -> Any:
            ask.offset, ask.length = offset, length
            return self._stub.ReadPhotoMedia(
                ask,
                timeout=_BODY_TIMEOUT if length != _GLANCE else _GLANCE_TIMEOUT,
                metadata=metadata,
            )

        info = await _info(call(0, _GLANCE))
        media = MediaInfo(info.mime_type, info.size_bytes, info.etag, IMMUTABLE)
        return ranged_response(request, media, lambda o, n: _chunks(call(o, n)))


class _PublicationMedia:
    """The picture of a publication, for whoever knows its address."""

    def __init__(self, stub: SchedulerServiceStub) -> None:
        self._stub = stub

    async def serve(self, request: Request) -> Response:
        ask = scheduler.ReadPublicationMediaRequest(token=request.path_params["token"])
        metadata = _metadata(request)

        def call(offset: int, length: int) -> Any:
            ask.offset, ask.length = offset, length
            return self._stub.ReadPublicationMedia(
                ask,
                timeout=_BODY_TIMEOUT if length != _GLANCE else _GLANCE_TIMEOUT,
                metadata=metadata,
            )

        info = await _info(call(0, _GLANCE))
        media = MediaInfo(info.mime_type, info.size_bytes, info.etag, _PUBLIC)
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
