"""The scheduler opened as a part of a process."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

from libs.app import App
from libs.blobs.objects import open_blobs
from libs.db.migrate import SchemaOutdated
from libs.errors import Unavailable
from libs.events.connection import open_redis
from libs.jobs.celery import make_app
from libs.rpc.auth import Authenticator
from libs.rpc.channels import ServiceChannel, open_channel
from libs.rpc.contracts import SERVICES
from libs.rpc.peers import Peers
from libs.rpc.server import RpcServer
from libs.secrets import Secrets
from libs.telemetry import Metrics
from services.engines import Engines, VectorAddress
from services.jobs import QUEUES, Jobs
from services.scheduler import jobs, module
from services.settings import Settings
from tests.support.clock import FakeClock
from tests.support.engines import Databases


def make_scheduler_app(url: str, redis_url: str, folder: Path) -> App[Settings]:
    """A process whose catalog is away."""
    metrics = Metrics()
    rpc = RpcServer(Authenticator(), metrics.rpc)
    app = App(Settings(data=folder), folder, FakeClock(), rpc, metrics)
    app.share(Engines({"scheduler": url}, redis_url, VectorAddress("", 0), "", {}))
    app.share(Secrets(b"of a test"))
    app.share(open_blobs(f"file://{folder}/blobs"))
    app.share(Peers({"catalog": f"unix:{folder}/nobody.sock"}, SERVICES, {}))
    app.share(Jobs(make_app(redis_url, QUEUES)))
    app.share(open_redis(redis_url))
    return app


async def test_it_is_ready_without_the_catalog_and_registers_its_tasks(
    scheduler_url: str, redis_url: str, tmp_path: Path
) -> None:
    app = make_scheduler_app(scheduler_url, redis_url, tmp_path)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.need(Peers).close)
        stack.push_async_callback(asyncio.to_thread, app.need(Jobs).queue.close)
        await stack.enter_async_context(module.open(app))
        await stack.enter_async_context(jobs.open(app))
        socket = f"unix:{tmp_path}/scheduler.sock"
        await app.rpc.start([socket])
        stack.push_async_callback(app.rpc.stop, 0)
        await app.check_readiness()
        assert app.failures == {}
        assert app.ready.is_set()

        channel = open_channel(socket, [module.SERVICE])
        stack.push_async_callback(channel.close)
        stub = SchedulerServiceStub(ServiceChannel(channel, [module.SERVICE], {}))
        listed = await stub.ListPosts(pb.ListPostsRequest(parent="personas/otto"))
        assert list(listed.posts) == []
        request = pb.CreatePostRequest(parent="personas/nora", post={"photo": PHOTO})
        request.post.scheduled_time.FromDatetime(app.clock.now())
        with pytest.raises(Unavailable):
            await stub.CreatePost(request, timeout=60)

        names = {f"scheduler.{task}" for task in TASKS.split()}
        assert names <= set(app.need(Jobs).app.tasks)
        assert app.need(Jobs).periodic["scheduler.tick"].every == 2.0


async def test_it_does_not_open_on_an_old_schema(
    databases: Databases, redis_url: str, tmp_path: Path
) -> None:
    app = make_scheduler_app(databases.fresh(), redis_url, tmp_path)
    try:
        for opener in (module.open, jobs.open):
            with pytest.raises(SchemaOutdated, match="--target=migrate"):
                async with opener(app):
                    pass
    finally:
        await asyncio.to_thread(app.need(Jobs).queue.close)


TASKS = "tick prepare publish reconcile confirm check_channel sweep"
PHOTO = "personas/nora/photos/00000000-0000-0000-0000-000000000001"
