"""Puts the clustering service together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from colonnade.clustering.v1 import (
    clustering_service_pb2,
    duplicate_service_pb2,
    generation_service_pb2,
    insight_service_pb2,
    item_service_pb2,
    search_service_pb2,
    version_service_pb2,
)
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    add_ClusteringServiceServicer_to_server,
)
from colonnade.clustering.v1.duplicate_service_pb2_grpc import (
    add_DuplicateServiceServicer_to_server,
)
from colonnade.clustering.v1.generation_service_pb2_grpc import (
    add_GenerationServiceServicer_to_server,
)
from colonnade.clustering.v1.insight_service_pb2_grpc import add_InsightServiceServicer_to_server
from colonnade.clustering.v1.item_service_pb2_grpc import add_ItemServiceServicer_to_server
from colonnade.clustering.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from colonnade.clustering.v1.version_service_pb2_grpc import (
    add_ClusterVersionServiceServicer_to_server,
)
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from prometheus_client import Counter
from redis.asyncio import Redis

from libs.aio import BlockingPool
from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.migrate import require_current
from libs.events.connection import open_redis
from libs.events.consumers import consumer_name
from libs.events.names import group_name, stream_name
from libs.events.redis_streams import Consumer
from libs.events.stream import Subscription
from libs.rpc.peers import Peers
from libs.secrets import Secrets
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import BlobPictures, BlobSnapshots, IndexVectors
from services.clustering.consumers import CatalogConsumer, PostConsumer
from services.clustering.deps import (
    MIGRATIONS,
    duplicate_thresholds,
    engine_params,
    open_database,
    open_store,
)
from services.clustering.domain.item import Modality
from services.clustering.embedder import RpcEmbedder
from services.clustering.page_cache import PageCache
from services.clustering.servicer import ClusteringServicer
from services.clustering.servicers.duplicates import DuplicateParts, DuplicateServicer
from services.clustering.servicers.generations import GenerationParts, GenerationServicer
from services.clustering.servicers.insight import InsightServicer
from services.clustering.servicers.items import ItemServicer
from services.clustering.servicers.search import SearchServicer
from services.clustering.servicers.versions import VersionServicer
from services.clustering.tables import SCHEMA
from services.clustering.usecases.dispatching import Dispatch, Dispatcher
from services.clustering.usecases.insight import Looker
from services.jobs import Jobs
from services.settings import Settings

SERVICE = clustering_service_pb2.DESCRIPTOR.services_by_name["ClusteringService"]
SEARCH = search_service_pb2.DESCRIPTOR.services_by_name["SearchService"]
DUPLICATES = duplicate_service_pb2.DESCRIPTOR.services_by_name["DuplicateService"]
ITEMS = item_service_pb2.DESCRIPTOR.services_by_name["ItemService"]
VERSIONS = version_service_pb2.DESCRIPTOR.services_by_name["ClusterVersionService"]
INSIGHT = insight_service_pb2.DESCRIPTOR.services_by_name["InsightService"]
GENERATIONS = generation_service_pb2.DESCRIPTOR.services_by_name["GenerationService"]


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Serves the clustering service and embeds what the catalog tells of."""
    database = open_database(app, "service")
    await asyncio.to_thread(require_current, database.url, SCHEMA, MIGRATIONS)
    store = open_store(app, database)
    index = app.need(QdrantIndex)
    tokens = app.need(Secrets).page_tokens()
    queue = app.need(Jobs).queue
    pages = open_pages(app)
    servicer = ClusteringServicer(
        store, index, queue, app.clock, tokens, is_stopping=app.stopping.is_set, pages=pages
    )
    app.rpc.add(SERVICE, add_ClusteringServiceServicer_to_server, servicer)
    stub = app.need(Peers).stub(EmbeddingServiceStub, "embedding")
    embedder = RpcEmbedder(stub, app.settings.clustering.duplicate_floor)
    settings = app.settings.clustering
    searches = SearchServicer(store, index, embedder, tokens)
    app.rpc.add(SEARCH, add_SearchServiceServicer_to_server, searches)
    parts = GenerationParts(
        store,
        queue,
        embedder,
        app.clock,
        tokens,
        settings.keep_generations,
        is_stopping=app.stopping.is_set,
    )
    generations = GenerationServicer(parts)
    app.rpc.add(GENERATIONS, add_GenerationServiceServicer_to_server, generations)
    pool = BlockingPool("pictures", 1)
    eyes = BlobPictures(app.need(ObjectBlobs), pool).eyes
    thresholds = duplicate_thresholds(settings)
    duplicates = DuplicateServicer(
        DuplicateParts(store, index, eyes, app.clock, tokens, thresholds)
    )
    app.rpc.add(DUPLICATES, add_DuplicateServiceServicer_to_server, duplicates)
    looker = Looker(
        store,
        IndexVectors(index),
        BlobSnapshots(app.need(ObjectBlobs)),
        pool,
        app.clock,
        engine_params(settings),
    )
    app.rpc.add(INSIGHT, add_InsightServiceServicer_to_server, InsightServicer(looker))
    batches = settings.batches
    dispatch = Dispatch(store, index, embedder, app.clock, consumer_name(SCHEMA), batches)
    dispatchers = {
        modality: Dispatcher(dispatch, modality, settings.embed_concurrency)
        for modality in Modality
    }
    for modality, dispatcher in dispatchers.items():
        app.loop(f"embedding of {modality}", dispatcher.run)
    texts = ItemServicer(store, app.clock, tokens, dispatchers[Modality.TEXTS].wake)
    app.rpc.add(ITEMS, add_ItemServiceServicer_to_server, texts)
    photos = CatalogConsumer(store, index, app.clock, dispatchers[Modality.PHOTOS].wake)
    _listen(app, "catalog", photos.subscriptions())
    _listen(app, "scheduler", PostConsumer(store, index).subscriptions())

    async def ready() -> None:
        await database.ping()
        await index.ping()

    history = VersionServicer(store, app.clock, tokens)
    app.rpc.add(VERSIONS, add_ClusterVersionServiceServicer_to_server, history)
    for service in (SERVICE, SEARCH, GENERATIONS, DUPLICATES, ITEMS, INSIGHT, VERSIONS):
        app.probe(service.full_name, ready)
    try:
        yield
    finally:
        await asyncio.to_thread(pool.close)
        await pages.close()
        await database.close()


def open_pages(app: App[Settings]) -> PageCache:
    """Where pages of clusters are remembered."""
    settings = app.settings.clustering
    url, env = settings.page_cache_url, app.settings.env
    redis = open_redis(url) if url else app.need(Redis)
    results = Counter(
        "colonnade_clustering_pages",
        "Pages of clusters, by whether they were remembered",
        ["result"],
        registry=app.metrics.registry,
    )
    prefix = f"pages:{env}:clusters:"
    return PageCache(redis, prefix, settings.page_cache_seconds, results, owned=bool(url))


def _listen(app: App[Settings], service: str, subscriptions: Mapping[str, Subscription]) -> None:
    consumer = Consumer(
        app.need(Redis),
        stream=stream_name(app.settings.env, service),
        group=group_name(SCHEMA),
        consumer=consumer_name(SCHEMA),
        subscriptions=subscriptions,
    )
    app.loop(f"clustering consumer of the {service}", consumer.run)
