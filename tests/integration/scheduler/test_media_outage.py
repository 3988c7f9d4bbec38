"""A provider that fetches a picture while PostgreSQL is down."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post

from libs.db.migrate import upgrade
from libs.embedded.postgres import PostgresServer
from libs.errors import NotFound, Unavailable
from services.scheduler.deps import MIGRATIONS
from tests.support.scheduler_world import World, open_stage, open_world

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that may be killed, with settings that lose nothing then."""
    with PostgresServer(tmp_path / "postgres") as server:
        upgrade(server.url, "scheduler", MIGRATIONS)
        yield server


@pytest_asyncio.fixture(loop_scope="package")
async def world(server: PostgresServer, tmp_path: Path) -> AsyncIterator[World]:
    async with open_stage(server.url) as stage, open_world(stage, tmp_path) as world:
        yield world


def kill(server: PostgresServer) -> None:
    assert server.child is not None and server.child.pid is not None
    os.kill(server.child.pid, signal.SIGKILL)
    server.child.stop()


def revive(server: PostgresServer) -> None:
    server.stop()
    server.start()


async def read(world: World, token: str) -> bytes:
    request = pb.ReadPublicationMediaRequest(token=token)
    _, *rest = [response async for response in world.stub.ReadPublicationMedia(request)]
    return b"".join(response.chunk for response in rest)


async def test_a_post_goes_out_although_the_database_is_down_at_its_time(
    world: World, server: PostgresServer
) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    picture = world.catalog.renditions[photo]
    post = await world.schedule(photo, after=90)
    await world.pass_time(40)
    [(bare,)] = await world.sql("SELECT media_token FROM scheduler.publications")
    [remote] = await world.buffer.admin.posts()
    address = remote["assets"][0]["source"].rpartition("/")[2].removesuffix(".jpg")
    assert await read(world, address) == await read(world, bare) == picture
    kill(server)
    await world.advance(60)
    [remote] = await world.buffer.admin.posts()
    assert remote["status"] == "sent"
    assert await read(world, address) == picture
    with pytest.raises(Unavailable):
        await read(world, bare)
    revive(server)
    await world.pass_time(30)
    assert (await world.get(post)).state == Post.STATE_POSTED
    assert len(await world.buffer.admin.posts()) == 1
    # The address would hold longer; the database knows that it is over.
    await world.advance(25 * 3600)
    with pytest.raises(NotFound):
        await read(world, address)
