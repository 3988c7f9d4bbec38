"""The scheduler as a part of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.scheduler.v1 import (
    caption_service_pb2,
    planner_service_pb2,
    results_service_pb2,
    scheduler_service_pb2,
)
from colonnade.scheduler.v1.caption_service_pb2_grpc import add_CaptionServiceServicer_to_server
from colonnade.scheduler.v1.planner_service_pb2_grpc import add_PlannerServiceServicer_to_server
from colonnade.scheduler.v1.results_service_pb2_grpc import add_ResultsServiceServicer_to_server
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import (
    add_SchedulerServiceServicer_to_server,
)
from redis.asyncio import Redis

from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.db.migrate import require_current
from libs.events.consumers import consumer_name
from libs.events.names import group_name, stream_name
from libs.events.redis_streams import Consumer
from libs.rpc.peers import Peers
from libs.secrets import Secrets
from services.engines import Engines
from services.jobs import Jobs
from services.scheduler.caption_servicer import CaptionServicer
from services.scheduler.catalog_reader import CatalogReader
from services.scheduler.deps import (
    MIGRATIONS,
    author_of,
    consumers,
    outside,
    planner_cases,
    use_cases,
)
from services.scheduler.planner_servicer import PlannerServicer
from services.scheduler.results_servicer import ResultsServicer
from services.scheduler.servicer import SchedulerServicer
from services.scheduler.tables import SCHEMA
from services.scheduler.usecases.summarize_results import SummarizeResults
from services.scheduler.usecases.write_texts import WriteTexts
from services.settings import Settings

SERVICE = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
CAPTIONS = caption_service_pb2.DESCRIPTOR.services_by_name["CaptionService"]
RESULTS = results_service_pb2.DESCRIPTOR.services_by_name["ResultsService"]
PLANNER = planner_service_pb2.DESCRIPTOR.services_by_name["PlannerService"]


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Serves the scheduler and listens to what the catalog tells about photos and campaigns.

    It is ready without the catalog, which only creating needs.
    """
    settings, secrets = app.settings.scheduler, app.need(Secrets)
    url = app.need(Engines).database_url(SCHEMA)
    await asyncio.to_thread(require_current, url, SCHEMA, MIGRATIONS)
    limits = app.settings.database_of(SCHEMA)
    database = Database(
        url,
        application_name="scheduler",
        pool_size=limits.pool_size,
        pool_timeout=limits.timeout,
        statement_timeout=limits.timeout,
    )
    parts = outside(
        database,
        settings,
        catalog=CatalogReader(app.need(Peers).stub(CatalogServiceStub, "catalog")),
        vault=secrets,
        blobs=app.need(ObjectBlobs),
        queue=app.need(Jobs).queue,
        clock=app.clock,
    )
    writing = author_of(app.settings.llm, app.settings.vision)
    try:
        async with parts as out, writing as author:
            use = use_cases(out, settings, app.stopping.is_set)
            tokens = secrets.page_tokens()
            servicer = SchedulerServicer(use, tokens)
            app.rpc.add(SERVICE, add_SchedulerServiceServicer_to_server, servicer)
            app.probe(SERVICE.full_name, database.ping)
            cases = planner_cases(out, settings)
            planner = PlannerServicer(cases.plans, cases.export, tokens)
            app.rpc.add(PLANNER, add_PlannerServiceServicer_to_server, planner)
            app.probe(PLANNER.full_name, database.ping)
            results = ResultsServicer(SummarizeResults(out.store, out.catalog, out.clock))
            app.rpc.add(RESULTS, add_ResultsServiceServicer_to_server, results)
            app.probe(RESULTS.full_name, database.ping)
            captions = CaptionServicer(WriteTexts(out.store, out.catalog, author))
            app.rpc.add(CAPTIONS, add_CaptionServiceServicer_to_server, captions)
            app.probe(CAPTIONS.full_name, database.ping)
            hears = consumers(out, settings)
            heard = {"catalog": hears.of_catalog(), "clustering": hears.of_clustering()}
            for service, subscriptions in heard.items():
                consumer = Consumer(
                    app.need(Redis),
                    stream=stream_name(app.settings.env, service),
                    group=group_name(SCHEMA),
                    consumer=consumer_name(SCHEMA),
                    subscriptions=subscriptions,
                )
                app.loop(f"scheduler consumer of {service}", consumer.run)
            yield
    finally:
        await database.close()
