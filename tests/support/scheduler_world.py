"""A scheduler on real engines, the stand-in of Buffer and one time for both of them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import (
    SchedulerServiceStub,
    add_SchedulerServiceServicer_to_server,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.db.engine import Database
from libs.errors import NotFound
from libs.events.stream import Event
from libs.secrets import Secrets
from services.scheduler.catalog_reader import CatalogReader
from services.scheduler.deps import Outside, consumers, job_tasks, outside, use_cases
from services.scheduler.servicer import SchedulerServicer
from services.scheduler.settings import SchedulerSettings
from services.scheduler.tables import METADATA
from services.scheduler.usecases.media import ReadMedia
from services.scheduler.usecases.tasks import TICK
from tests.support.buffer import INSTAGRAM_ID, MASTODON_ID, BufferStandIn
from tests.support.buffer.serving import serving
from tests.support.clock import NOON, FakeClock
from tests.support.engines import patient
from tests.support.fake_catalog import FakeCatalog
from tests.support.rpc import serve
from tests.support.stand_ins import StandIn

FAST = {"submit_timeout": 60.0, "watch_poll": 0.02, "watch_heartbeat": 0.3}
SERVICE = pb.DESCRIPTOR.services_by_name["SchedulerService"]


class WorldClock(FakeClock):
    """Moves when it is told, and by a microsecond a look: what is done later is later."""

    def now(self) -> datetime:
        return self.advance(timedelta(microseconds=1))


class ListedQueue:
    """A ``JobQueue`` that keeps what is announced until it is run."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, str]] = []

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        assert queue == "scheduler"
        self.waiting.append((task, job_id))
        return True


class MediaHost:
    """Serves the pictures of publications as the gateway does; ``is_gone`` answers 410."""

    def __init__(self) -> None:
        self.media: ReadMedia
        self.is_gone = False

    async def answer(self, request: Request) -> Response:
        if self.is_gone:
            return Response(status_code=410)
        try:
            snapshot = await self.media.find(request.path_params["token"])
        except NotFound:
            return Response(status_code=404)
        chunks = [chunk async for chunk in self.media.stream(snapshot, 0, None)]
        return Response(b"".join(chunks), media_type=snapshot.mime_type)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/m/{token}.jpg", self.answer)])


@dataclass
class Stage:
    """What outlives a test: engines and servers."""

    database: Database
    buffer: BufferStandIn
    catalog: FakeCatalog
    catalog_stub: CatalogServiceStub
    host: MediaHost
    media_url: str

    async def clear(self) -> None:
        """As new."""
        await self.buffer.admin.reset()
        self.catalog.clear()
        self.host.is_gone = False
        async with self.database.transaction() as connection:
            tables = [t for t in METADATA.sorted_tables if not t.name.endswith("_moves")]
            names = ", ".join(f"{table.schema}.{table.name}" for table in tables)
            await connection.execute(sa.text(f"TRUNCATE {names}"))


@contextlib.asynccontextmanager
async def open_stage(url: str) -> AsyncIterator[Stage]:
    """A stage on the migrated database at ``url``."""
    database = patient(url, pool_size=10, max_overflow=10)
    catalog, host = FakeCatalog(), MediaHost()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        buffer = await stack.enter_async_context(BufferStandIn(wall=NOON.timestamp))
        media_url = await stack.enter_async_context(serving(host.app()))
        catalog_stub = await stack.enter_async_context(catalog.serve())
        yield Stage(database, buffer, catalog, catalog_stub, host, media_url)


class World:
    """A scheduler on a stage, and shorthands for what tests do."""

    def __init__(self, stage: Stage, settings: SchedulerSettings, out: Outside) -> None:
        self.database = stage.database
        self.buffer = stage.buffer
        self.catalog = stage.catalog
        self.host = stage.host
        self.settings = settings
        self.out = out
        self.clock = cast(WorldClock, out.clock)
        self.queue = cast(ListedQueue, out.queue)
        self.blobs = cast(ObjectBlobs, out.blobs)
        self.use = use_cases(out, settings, lambda: False)
        self.tasks = job_tasks(out, settings)
        hears = consumers(out, settings)
        self.handlers = {**hears.of_catalog(), **hears.of_clustering()}
        self.host.media = self.use.media
        self.stand_ins: list[StandIn] = []
        self.stub: SchedulerServiceStub

    def now(self) -> datetime:
        return self.clock.now()

    async def advance(self, seconds: float) -> None:
        """Puts our clock and the providers' forward."""
        self.clock.advance(seconds)
        for stand_in in self.stand_ins:
            stand_in.clock.advance(seconds)
        await self.buffer.admin.advance(seconds)

    async def work(self, *, tick: bool = True) -> list[str]:
        """One tick, then everything that is announced; answers the tasks that ran."""
        if tick:
            await self.tasks[TICK]()
        ran = []
        while self.queue.waiting:
            task, id = self.queue.waiting.pop(0)
            ran.append(task)
            await self.tasks[task](id)
        return ran

    async def pass_time(self, seconds: float, step: float = 10.0) -> None:
        """Works every ``step`` seconds for so long."""
        for _ in range(int(seconds / step)):
            await self.advance(step)
            await self.work()

    async def hear(self, event: Event) -> None:
        """Handles an event of the catalog; raises what the handler raises."""
        await self.handlers[event.type].handler([event])

    async def connect(self, account: str = INSTAGRAM_ID, **fields: Any) -> Channel:
        """A channel of Nora's."""
        channel = Channel(
            provider=Channel.PROVIDER_BUFFER,
            provider_channel_id=account,
            access_token=fields.pop("token", self.buffer.token),
            endpoint=fields.pop("endpoint", self.buffer.url),
            display_name=fields.pop(
                "display_name", "Insta" if account == INSTAGRAM_ID else "Masto"
            ),
        )
        request = pb.CreateChannelRequest(parent="personas/nora", channel=channel, **fields)
        return await self.stub.CreateChannel(request)

    async def connect_both(self) -> list[str]:
        return [(await self.connect(id)).name for id in (INSTAGRAM_ID, MASTODON_ID)]

    async def schedule(
        self, photo: str = "", *, after: float = 3600.0, request_id: str = "", **fields: Any
    ) -> Post:
        """A post of Nora's, due ``after`` seconds from now."""
        post = Post(photo=photo or self.catalog.add_photo(), **{"caption": "Light", **fields})
        post.scheduled_time.FromDatetime(self.now() + timedelta(seconds=after))
        request = pb.CreatePostRequest(parent="personas/nora", post=post, request_id=request_id)
        return await self.stub.CreatePost(request)

    async def get(self, post: Post) -> Post:
        return await self.stub.GetPost(pb.GetPostRequest(name=post.name))

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """The rows of a statement, run as the service."""
        async with self.database.transaction() as connection:
            found = await connection.execute(sa.text(statement), values)
            return list(found.all()) if found.returns_rows else []


@contextlib.asynccontextmanager
async def open_world(stage: Stage, folder: Path, **settings: Any) -> AsyncIterator[World]:
    """A world with a persona ``nora`` and no channel."""
    await stage.clear()
    stage.catalog.add_persona("nora")
    chosen = SchedulerSettings(**{**FAST, "media_base_url": stage.media_url, **settings})
    secrets = Secrets(b"of a test")
    parts = outside(
        stage.database,
        chosen,
        catalog=CatalogReader(stage.catalog_stub),
        vault=secrets,
        blobs=open_blobs(f"file://{folder}/blobs"),
        queue=ListedQueue(),
        clock=WorldClock(),
    )
    async with parts as out:
        world = World(stage, chosen, out)
        servicer = SchedulerServicer(world.use, secrets.page_tokens())
        register = add_SchedulerServiceServicer_to_server
        async with serve(servicer, SERVICE, register, SchedulerServiceStub) as world.stub:
            yield world
