"""Opens the catalog service in a process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from colonnade.catalog.v1 import (
    catalog_service_pb2,
    import_service_pb2,
    migration_service_pb2,
    planning_service_pb2,
    run_service_pb2,
)
from colonnade.catalog.v1.catalog_service_pb2_grpc import add_CatalogServiceServicer_to_server
from colonnade.catalog.v1.import_service_pb2_grpc import add_ImportServiceServicer_to_server
from colonnade.catalog.v1.migration_service_pb2_grpc import (
    add_MigrationServiceServicer_to_server,
)
from colonnade.catalog.v1.planning_service_pb2_grpc import add_PlanningServiceServicer_to_server
from colonnade.catalog.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server
from google.protobuf.descriptor import ServiceDescriptor
from redis.asyncio import Redis

from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.db.migrate import require_current
from libs.events.consumers import consumer_name
from libs.events.names import group_name, stream_name
from libs.events.redis_streams import Consumer
from libs.events.stream import Subscription
from libs.rpc.server import Register
from libs.secrets import Secrets
from services.catalog.consumers import Consumers
from services.catalog.deps import MIGRATIONS, decode_pool, trace, use_cases
from services.catalog.legacy.account import Account
from services.catalog.legacy.quarantine import Quarantine
from services.catalog.repository.catalog import CatalogDatabase
from services.catalog.servicers.catalog import CatalogServicer
from services.catalog.servicers.imports import ImportServicer
from services.catalog.servicers.migration import MigrationServicer
from services.catalog.servicers.planning import PlanningServicer
from services.catalog.servicers.runs import RunServicer
from services.catalog.tables import SCHEMA
from services.catalog.usecases.facts import FactCases
from services.engines import Engines
from services.jobs import Jobs
from services.settings import Settings

Service = tuple[ServiceDescriptor, Register]
CATALOG: Service = (
    catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"],
    add_CatalogServiceServicer_to_server,
)
PLANNING: Service = (
    planning_service_pb2.DESCRIPTOR.services_by_name["PlanningService"],
    add_PlanningServiceServicer_to_server,
)
IMPORTS: Service = (
    import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
    add_ImportServiceServicer_to_server,
)

MIGRATION: Service = (
    migration_service_pb2.DESCRIPTOR.services_by_name["MigrationService"],
    add_MigrationServiceServicer_to_server,
)
RUNS: Service = (
    run_service_pb2.DESCRIPTOR.services_by_name["RunService"],
    add_RunServiceServicer_to_server,
)


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Serves the catalog and listens to what other services tell about photos."""
    settings = app.settings
    url = app.need(Engines).database_url(SCHEMA)
    await asyncio.to_thread(require_current, url, SCHEMA, MIGRATIONS)
    limits = settings.database_of(SCHEMA)
    database = Database(
        url,
        application_name="colonnade catalog",
        pool_size=limits.pool_size,
        pool_timeout=limits.timeout,
        statement_timeout=limits.timeout,
    )
    pool = decode_pool(settings.catalog)
    queue = app.need(Jobs).queue
    blobs, captions = app.need(ObjectBlobs), bool(settings.vision.base_url)
    secrets = app.need(Secrets)
    signer = secrets.signer("photo-url")
    cases = use_cases(
        settings.catalog, database, blobs, pool, app.clock, queue, signer, captions=captions
    )
    tokens = secrets.page_tokens()
    servicers: dict[Service, object] = {
        CATALOG: CatalogServicer(cases, tokens, app.clock, settings.catalog.max_bytes),
        PLANNING: PlanningServicer(cases, tokens, app.clock, is_stopping=app.stopping.is_set),
        IMPORTS: ImportServicer(cases, tokens, app.clock),
        RUNS: RunServicer(cases, tokens, app.clock, settings.catalog.max_bytes),
        MIGRATION: MigrationServicer(_quarantine(app, database), tokens),
    }
    for (descriptor, register), servicer in servicers.items():
        app.rpc.add(descriptor, register, servicer)
        app.probe(descriptor.full_name, database.ping)
    catalog = CatalogDatabase(database, app.clock, trace)
    _listen(app, Consumers(FactCases(catalog, app.clock, cases.filing)))
    try:
        yield
    finally:
        await asyncio.to_thread(pool.close)
        await database.close()


def _quarantine(app: App[Settings], database: Database) -> Quarantine:
    return Quarantine(Account(database, app.clock), CatalogDatabase(database, app.clock))


def _listen(app: App[Settings], consumers: Consumers) -> None:
    heard: Mapping[str, Mapping[str, Subscription]] = {
        "clustering": consumers.of_embeddings(),
        "scheduler": consumers.of_posts(),
    }
    for service, subscriptions in heard.items():
        consumer = Consumer(
            app.need(Redis),
            stream=stream_name(app.settings.env, service),
            group=group_name(SCHEMA),
            consumer=consumer_name(SCHEMA),
            subscriptions=subscriptions,
        )
        app.loop(f"catalog consumer of {service}", consumer.run)
