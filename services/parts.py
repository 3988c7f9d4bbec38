"""The parts that services share: opened once a process, found by their type."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from libs.app import App
from libs.blobs.objects import open_blobs
from libs.events.connection import open_redis
from libs.http_server import HttpServer, operations_routes
from libs.rpc.contracts import SERVICES
from libs.rpc.peers import Peers
from libs.secrets import Secrets
from services.engines import Engines
from services.process import Process
from services.settings import Settings


@asynccontextmanager
async def open_http(app: App[Settings]) -> AsyncIterator[None]:
    """Serves health, readiness and metrics, unless the settings give no port for it."""
    listen = app.settings.http
    routes = operations_routes(
        app.ready.is_set,
        lambda: app.failures,
        app.metrics.render,
        lambda: app.warnings,
        lambda: app.working,
    )
    server = HttpServer(
        listen.host, listen.port or 0, Starlette(routes=routes), grace=app.settings.grace
    )
    app.share(server)
    if listen.port is not None:
        app.on_start(server.start)
        app.on_stop(server.stop)
    yield


@asynccontextmanager
async def open_secrets(app: App[Settings]) -> AsyncIterator[None]:
    """Shares what is derived from the secret of the installation."""
    app.share(Secrets.of_file(app.settings.secret_file or app.data / "secret"))
    yield


@asynccontextmanager
async def open_peers(app: App[Settings]) -> AsyncIterator[None]:
    """Shares the channels to the services: over the private socket if they are in here."""
    process = app.need(Process)
    addresses = app.settings.peers.model_dump()
    if process.socket is not None:
        addresses = dict.fromkeys(addresses, f"unix:{process.socket}")
    key = process.internal_key
    peers = Peers(addresses, SERVICES, {"authorization": f"Bearer {key}"} if key else {})
    app.share(peers)
    try:
        yield
    finally:
        await peers.close()


@asynccontextmanager
async def open_blob_store(app: App[Settings]) -> AsyncIterator[None]:
    """Shares the blob store."""
    engines = app.need(Engines)
    app.share(open_blobs(engines.blob_url, engines.blob_options))
    yield


@asynccontextmanager
async def open_redis_client(app: App[Settings]) -> AsyncIterator[None]:
    """Shares a client of Redis."""
    redis = open_redis(app.need(Engines).redis_url)
    app.share(redis)
    try:
        yield
    finally:
        await redis.aclose()


@asynccontextmanager
async def open_vectors(app: App[Settings]) -> AsyncIterator[None]:
    """Shares the vector index."""
    from libs.vectors.qdrant import QdrantIndex

    address = app.need(Engines).vectors
    index = QdrantIndex(address.target, api_key=address.api_key, tls=address.tls)
    app.share(index)
    try:
        yield
    finally:
        await index.close()


@asynccontextmanager
async def open_jobs(app: App[Settings]) -> AsyncIterator[None]:
    """Shares the Celery application of the process."""
    from libs.jobs.celery import make_app
    from services.jobs import QUEUES, Jobs

    jobs = Jobs(make_app(app.need(Engines).redis_url, QUEUES))
    app.share(jobs)
    try:
        yield
    finally:
        jobs.queue.close()
