"""Puts the gateway together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import colonnade
import grpc
from colonnade.clustering.v1.item_service_pb2_grpc import ItemServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.app import build_app
from gateway.limits import Limits
from gateway.openapi import ApiInfo, build_document
from gateway.photo_media import media_paths, media_routes
from gateway.routes import build_bindings
from gateway.settings import GatewaySettings
from gateway.upload import UploadAdapter
from gateway.webhooks.routes import Webhooks, webhook_paths, webhook_routes
from libs.app import App
from libs.errors import Unavailable
from libs.http_server import HttpServer
from libs.rpc.contracts import SERVICES
from libs.rpc.peers import Peers

UPLOAD = "colonnade.catalog.v1.CatalogService.UploadPhoto"
UPLOADS = (UPLOAD, "colonnade.catalog.v1.RunService.UploadCandidate")
API = ApiInfo(
    "Colonnade",
    "v1",
    "A content studio: from a folder of photos to a planned, published feed.",
)
DESCRIPTORS = Path(colonnade.__path__[0]) / "descriptors.binpb"


@asynccontextmanager
async def open(app: App[Any]) -> AsyncIterator[None]:
    """Serves REST, its documentation and the bytes of photos on the process's HTTP server."""
    settings: GatewaySettings = app.settings.gateway
    peers = app.need(Peers)
    channels = {
        descriptor.full_name: peers.channel(part)
        for part, descriptors in SERVICES.items()
        for descriptor in descriptors
    }
    bindings = build_bindings(chain(*SERVICES.values()), uploads=UPLOADS)
    adapter = UploadAdapter(settings.max_upload_bytes, file_name="file_name")
    uploads = dict.fromkeys(UPLOADS, adapter)
    # With our own key: a sender has none, its signature is checked here.
    webhooks = Webhooks(
        peers.stub(ItemServiceStub, "clustering"),
        settings.webhooks,
        app.clock,
        settings.max_webhook_bytes,
    )
    app.need(HttpServer).app = build_app(
        bindings=bindings,
        channels=channels,
        document=build_document(
            bindings,
            API,
            descriptor_set=DESCRIPTORS,
            uploads=uploads,
            extra_paths=media_paths() | webhook_paths(),
        ),
        ready=app.ready.is_set,
        failures=lambda: app.failures,
        warnings=lambda: app.warnings,
        working=lambda: app.working,
        uploads=uploads,
        limits=Limits(body_bytes=settings.max_body_bytes, max_timeout=settings.max_timeout),
        extra_routes=[*media_routes(channels), *webhook_routes(webhooks)],
        metrics=app.metrics.render,
        local_only=app.settings.auth.keys_file is None,
        observe=lambda access: app.metrics.http.observe(
            access.method, access.route, access.status, access.seconds
        ),
    )
    app.probe("gateway", lambda: _all_serving(channels))
    yield


async def _all_serving(channels: Mapping[str, grpc.aio.Channel]) -> None:
    """Returns if every service says that it is ready. Raises Unavailable naming one that is not."""

    async def check(service: str, channel: grpc.aio.Channel) -> None:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=2)
        except grpc.aio.AioRpcError as error:
            raise Unavailable(f"{service} does not answer: {error.code().name}") from None
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise Unavailable(f"{service} is not ready")

    await asyncio.gather(*(check(*entry) for entry in channels.items()))
