"""Carries the events of every service from its outbox to its stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from sqlalchemy import MetaData

from libs.app import App
from libs.db.outbox import outbox_table
from libs.db.relay import Relay
from libs.events.names import stream_name
from libs.events.publisher import RedisPublisher
from services.engines import DATABASES, Engines
from services.reachability import database_check
from services.settings import Settings


@asynccontextmanager
async def open(app: App[Settings]) -> AsyncIterator[None]:
    """Runs one relay for each service that has a database."""
    redis = app.need(Redis)
    for service in DATABASES:
        outbox = outbox_table(MetaData(schema=service))
        publisher = RedisPublisher(redis, stream_name(app.settings.env, service))
        relay = Relay(app.need(Engines).database_url(service), outbox, publisher)
        app.loop(f"relay of {service}", relay.run)

    async with database_check(app, "relay") as databases_answer:

        async def reachable() -> None:
            await redis.ping()
            await databases_answer()

        app.probe("relay", reachable)
        yield
