"""Puts the embedding service together."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta

from colonnade.embedding.v1 import analysis_service_pb2, embedding_service_pb2
from colonnade.embedding.v1.analysis_service_pb2_grpc import (
    add_AnalysisServiceServicer_to_server,
)
from colonnade.embedding.v1.embedding_service_pb2_grpc import (
    add_EmbeddingServiceServicer_to_server,
)

from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.images import ImageLimits
from libs.secrets import Secrets
from services.embedding.analyser import installed
from services.embedding.analysis_servicer import AnalysisServicer
from services.embedding.analyst import Analyst
from services.embedding.batcher import BatchLimits
from services.embedding.cache import ResultCache
from services.embedding.convert import patience
from services.embedding.fairness import Turn
from services.embedding.gpu import check_gpu
from services.embedding.host import HostLimits, ModelHost
from services.embedding.metrics import EmbeddingMetrics
from services.embedding.model import EmbedderOptions, Embedding, Source, Workshop
from services.embedding.operations import built_in
from services.embedding.regions import Region
from services.embedding.registry import ModelRegistry
from services.embedding.repository import ModelRepository
from services.embedding.servicer import EmbeddingServicer
from services.embedding.settings import EmbeddingSettings
from services.embedding.shelf import open_shelf
from services.embedding.sources import Sources
from services.engines import Engines
from services.settings import Settings

SERVICE = embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"]
# How long a thread that computes may keep the others waiting, in seconds. The usual 5 ms come on
# top of a query several times; much less than this costs throughput.
_SWITCH = 0.001
ANALYSIS = analysis_service_pb2.DESCRIPTOR.services_by_name["AnalysisService"]


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Serves the embedding service; the models load in the background."""
    settings = app.settings.embedding
    limits = ImageLimits(settings.max_bytes, settings.max_pixels)

    sys.setswitchinterval(min(_SWITCH, sys.getswitchinterval()))
    if settings.require_gpu:
        await asyncio.to_thread(check_gpu)
    shelf = open_shelf(settings.models, app.data, app.need(Engines).blob_options)
    registry = ModelRegistry(ModelRepository.in_data(app.data), shelf, settings.model_card)
    metrics = EmbeddingMetrics(app.metrics.registry)
    cache = ResultCache(settings.cache_bytes, observe=metrics.lookup)
    with closing(Workshop(settings.decode_threads, cache)) as workshop:
        metrics.watch(workshop.decoding.waiting, lambda: cache.bytes)
        host = ModelHost(
            registry,
            _options(settings, limits),
            workshop,
            _limits(settings),
            app.clock,
            metrics.batch,
        )
        tokens = app.need(Secrets).page_tokens()
        sources = Sources(app.need(ObjectBlobs), limits)
        servicer = EmbeddingServicer(host, sources, tokens, metrics)
        app.rpc.add(SERVICE, add_EmbeddingServiceServicer_to_server, servicer)

        async def embed(model: str, source: Source, turn: Turn, region: Region) -> Embedding:
            async with host.embedder(model, patience()) as embedder:
                return await embedder.embed_image(source, turn, region)

        operations = {**built_in(), **installed(app.data / "models" / "analysers")}
        analyst = Analyst(operations, embed, workshop, limits)
        analysis = AnalysisServicer(analyst, sources, tokens, metrics)
        app.rpc.add(ANALYSIS, add_AnalysisServiceServicer_to_server, analysis)
        app.loop("embedding models", host.run)
        app.probe(SERVICE.full_name, host.probe)
        app.probe(ANALYSIS.full_name, analyst.probe)
        app.warn(lambda: {f"models/{id}": why for id, why in host.warnings.items()})
        yield


def _limits(settings: EmbeddingSettings) -> HostLimits:
    return HostLimits(
        default=(settings.model or "").removeprefix("models/"),
        text_default=(settings.text_model or "").removeprefix("models/"),
        max_loaded=settings.max_loaded,
        idle=timedelta(minutes=settings.idle_minutes),
    )


def _options(settings: EmbeddingSettings, limits: ImageLimits) -> EmbedderOptions:
    return EmbedderOptions(
        threads=settings.threads,
        decode_threads=settings.decode_threads,
        require_gpu=settings.require_gpu,
        batch=BatchLimits(settings.max_batch, settings.max_wait_millis / 1000, settings.queue_size),
        images=limits,
    )
