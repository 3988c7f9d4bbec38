"""Puts the gateway together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import colonnade
from colonnade.catalog.v1 import catalog_service_pb2
from colonnade.clustering.v1 import clustering_service_pb2
from colonnade.embedding.v1 import embedding_service_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2

from gateway.app import build_app
from gateway.limits import Limits
from gateway.openapi import ApiInfo, build_document
from gateway.photo_media import media_routes
from gateway.routes import build_bindings
from gateway.settings import GatewaySettings
from gateway.upload import UploadAdapter
from libs.app import App
from libs.http_server import HttpServer
from libs.rpc.peers import Peers

SERVICES = {
    "catalog": catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"],
    "embedding": embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"],
    "clustering": clustering_service_pb2.DESCRIPTOR.services_by_name["ClusteringService"],
    "scheduler": scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"],
}
UPLOAD = "colonnade.catalog.v1.CatalogService.UploadPhoto"
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
    channels = {d.full_name: peers.channel(name) for name, d in SERVICES.items()}
    bindings = build_bindings(SERVICES.values(), uploads=[UPLOAD])
    uploads = {UPLOAD: UploadAdapter(settings.max_upload_bytes, file_name="file_name")}
    app.need(HttpServer).app = build_app(
        bindings=bindings,
        channels=channels,
        document=build_document(bindings, API, descriptor_set=DESCRIPTORS, uploads=uploads),
        ready=app.ready.is_set,
        failures=lambda: app.failures,
        uploads=uploads,
        limits=Limits(body_bytes=settings.max_body_bytes, max_timeout=settings.max_timeout),
        extra_routes=media_routes(channels),
        metrics=app.metrics.render,
        observe=lambda access: app.metrics.http.observe(
            access.method, access.route, access.status, access.seconds
        ),
    )
    yield
