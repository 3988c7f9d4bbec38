"""Puts the clustering service together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from colonnade.clustering.v1 import clustering_service_pb2
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    add_ClusteringServiceServicer_to_server,
)
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from redis.asyncio import Redis

from libs.app import App
from libs.db.migrate import require_current
from libs.events.consumers import consumer_name
from libs.events.names import group_name, stream_name
from libs.events.policy import Policy
from libs.events.redis_streams import Consumer
from libs.rpc.peers import Peers
from libs.secrets import Secrets
from libs.vectors.qdrant import QdrantIndex
from services.clustering.consumers import LAST_ATTEMPT, CatalogConsumer
from services.clustering.deps import MIGRATIONS, open_database, open_store
from services.clustering.embedder import RpcEmbedder
from services.clustering.servicer import ClusteringServicer
from services.clustering.tables import SCHEMA
from services.jobs import Jobs
from services.settings import Settings

SERVICE = clustering_service_pb2.DESCRIPTOR.services_by_name["ClusteringService"]


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Serves the clustering service and embeds what the catalog tells of."""
    database = open_database(app, "service")
    await asyncio.to_thread(require_current, database.url, SCHEMA, MIGRATIONS)
    store = open_store(app, database)
    index = app.need(QdrantIndex)
    tokens = app.need(Secrets).page_tokens()
    queue = app.need(Jobs).queue
    servicer = ClusteringServicer(
        store, index, queue, app.clock, tokens, is_stopping=app.stopping.is_set
    )
    app.rpc.add(SERVICE, add_ClusteringServiceServicer_to_server, servicer)
    stub = app.need(Peers).stub(EmbeddingServiceStub, "embedding")
    embedder = RpcEmbedder(stub, app.settings.clustering.duplicate_floor)
    settings = app.settings.clustering
    handlers = CatalogConsumer(store, index, embedder, app.clock, batch=settings.embed_batch)
    consumer = Consumer(
        app.need(Redis),
        stream=stream_name(app.settings.env, "catalog"),
        group=group_name(SCHEMA),
        consumer=consumer_name(SCHEMA),
        subscriptions=handlers.subscriptions(),
        policy=Policy(attempts=LAST_ATTEMPT, concurrency=settings.embed_concurrency),
    )
    app.loop("clustering consumer of the catalog", consumer.run)

    async def ready() -> None:
        await database.ping()
        await index.ping()

    app.probe(SERVICE.full_name, ready)
    try:
        yield
    finally:
        await database.close()
