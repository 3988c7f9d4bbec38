"""Puts the embedding service together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from colonnade.embedding.v1 import embedding_service_pb2
from colonnade.embedding.v1.embedding_service_pb2_grpc import (
    add_EmbeddingServiceServicer_to_server,
)

from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.images import ImageLimits
from services.embedding.batcher import BatchLimits
from services.embedding.host import ModelHost
from services.embedding.model import EmbedderOptions
from services.embedding.repository import ModelRepository, StoredModel
from services.embedding.servicer import EmbeddingServicer
from services.embedding.settings import EmbeddingSettings
from services.settings import Settings

SERVICE = embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"]


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Serves the embedding service; the model loads in the background."""
    settings = app.settings.embedding
    limits = ImageLimits(settings.max_bytes, settings.max_pixels)

    def find() -> StoredModel:
        repository = ModelRepository.in_data(app.data)
        if settings.model_card is not None:
            return repository.at(settings.model_card)
        return repository.built_in()

    host = ModelHost(find, _options(settings, limits))
    servicer = EmbeddingServicer(host, app.need(ObjectBlobs), limits)
    app.rpc.add(SERVICE, add_EmbeddingServiceServicer_to_server, servicer)
    app.loop("embedding model", host.run)
    app.probe(SERVICE.full_name, host.probe)
    yield


def _options(settings: EmbeddingSettings, limits: ImageLimits) -> EmbedderOptions:
    return EmbedderOptions(
        threads=settings.threads,
        decode_threads=settings.decode_threads,
        require_gpu=settings.require_gpu,
        batch=BatchLimits(settings.max_batch, settings.max_wait_millis / 1000, settings.queue_size),
        images=limits,
    )
