"""The pictures of publications, for whoever has the token."""

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post

from libs.errors import InvalidArgument, NotFound
from services.scheduler.usecases.media import SweepMedia
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")
CHUNK = 256 * 1024


async def read(
    world: World, token: str, **part: int
) -> tuple[pb.PublicationMediaInfo, list[bytes]]:
    request = pb.ReadPublicationMediaRequest(token=token, **part)
    first, *rest = [response async for response in world.stub.ReadPublicationMedia(request)]
    assert first.WhichOneof("payload") == "info"
    assert {response.WhichOneof("payload") for response in rest} <= {"chunk"}
    return first.info, [response.chunk for response in rest]


async def token_of(world: World) -> str:
    [(token,)] = await world.sql("SELECT media_token FROM scheduler.publications")
    return str(token)


async def test_the_picture_is_read_in_parts_by_its_token(world: World) -> None:
    await world.connect()
    photo = world.catalog.add_photo()
    # Bytes behind the end of a JPEG are ignored by all decoders.
    data = world.catalog.renditions[photo] + bytes(700_000)
    world.catalog.renditions[photo] = data
    await world.schedule(photo)
    await world.work()
    token = await token_of(world)
    assert len(token) == 32
    info, chunks = await read(world, token)
    assert (info.mime_type, info.size_bytes) == ("image/jpeg", len(data))
    assert len(info.etag) == 64
    assert b"".join(chunks) == data
    assert max(len(chunk) for chunk in chunks) <= CHUNK
    _, chunks = await read(world, token, offset=100, length=300_000)
    assert b"".join(chunks) == data[100:300_100]
    _, chunks = await read(world, token, offset=len(data) - 5)
    assert b"".join(chunks) == data[-5:]
    with pytest.raises(InvalidArgument):
        await read(world, token, offset=len(data) + 1)


async def test_a_token_ends_a_day_after_its_publication(world: World) -> None:
    await world.connect()
    post = await world.schedule(after=0)
    await world.pass_time(60)
    assert (await world.get(post)).state == Post.STATE_POSTED
    token = await token_of(world)
    await world.advance(23 * 3600)
    await read(world, token)
    await world.advance(3700)
    with pytest.raises(NotFound) as caught:
        await read(world, token)
    assert token not in str(caught.value)
    with pytest.raises(NotFound):
        await read(world, "A" * 32)
    with pytest.raises(InvalidArgument):
        await read(world, "short")


async def test_each_publication_has_a_token_of_its_own(world: World) -> None:
    await world.connect_both()
    await world.schedule()
    await world.schedule()
    rows = await world.sql("SELECT DISTINCT media_token FROM scheduler.publications")
    assert len(rows) == 4
    assert "media_token" not in repr(await world.sql("SELECT payload FROM scheduler.outbox"))


async def test_a_picture_lost_from_the_store_is_taken_over_again(world: World) -> None:
    await world.connect()
    await world.schedule(after=300)
    await world.work()
    [(key,)] = await world.sql("SELECT media_key FROM scheduler.posts")
    await world.blobs.delete(key)
    await world.advance(300)
    await world.pass_time(60)
    [remote] = await world.buffer.admin.posts()
    assert remote["status"] == "sent"
    assert await world.blobs.exists(key)


async def keys(world: World) -> list[str]:
    return [key async for key in world.blobs.list("publications")]


async def test_a_picture_is_removed_two_days_after_its_last_publication_ended(
    world: World,
) -> None:
    await world.connect()
    sweep = SweepMedia(world.out.store, world.out.blobs, world.clock)
    out = await world.schedule(after=0)
    waiting = await world.schedule(after=30 * 86400)
    await world.pass_time(80)
    assert (await world.get(out)).state == Post.STATE_POSTED
    assert len(await keys(world)) == 2
    await world.advance(47 * 3600)
    await sweep()
    assert len(await keys(world)) == 2
    await world.advance(3600)
    await sweep()
    await sweep()
    [kept] = await keys(world)
    [(key,)] = await world.sql("SELECT media_key FROM scheduler.posts WHERE media_key <> ''")
    assert kept == key
    await world.stub.CancelPost(pb.CancelPostRequest(name=waiting.name))
    await world.advance(49 * 3600)
    await sweep()
    assert await keys(world) == []


async def test_a_picture_stays_while_another_post_has_it_and_comes_back_for_a_retry(
    world: World,
) -> None:
    channel = await world.connect()
    photo = world.catalog.add_photo()
    sweep = SweepMedia(world.out.store, world.out.blobs, world.clock)
    for _ in range(2):
        post = await world.schedule(photo, after=20 * 86400)
        await world.work()
        await world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    post = await world.schedule(photo, after=3 * 86400)
    await world.work()
    await world.advance(49 * 3600)
    await sweep()
    assert len(await keys(world)) == 1
    await world.stub.PauseChannel(pb.PauseChannelRequest(name=channel.name))
    await world.pass_time(3 * 86400, step=6 * 3600)
    assert (await world.get(post)).state == Post.STATE_FAILED
    await world.advance(49 * 3600)
    await sweep()
    assert await keys(world) == []
    await world.stub.ResumeChannel(pb.ResumeChannelRequest(name=channel.name))
    await world.stub.RetryPost(pb.RetryPostRequest(name=post.name))
    await world.pass_time(120)
    assert (await world.get(post)).state == Post.STATE_POSTED
