"""Posts from before: taken in once, never published, and their photos are spent."""

from datetime import UTC, datetime, timedelta

import pytest
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import PastPost, Post, PostResult, Publication
from google.rpc import code_pb2

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from libs.rpc.status import from_status
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

LONG_AGO = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


def past(external_id: str, photo: str, *, at: datetime = LONG_AGO, **fields: str) -> PastPost:
    made = PastPost(external_id=external_id, photo=photo, **fields)
    made.posted_time.FromDatetime(at)
    return made


async def take_in(
    world: World, *posts: PastPost, parent: str = "personas/nora"
) -> list[PostResult]:
    request = pb.ImportPostsRequest(parent=parent, posts=posts)
    return list((await world.stub.ImportPosts(request)).results)


async def test_a_past_post_is_posted_and_its_photo_spent(world: World) -> None:
    channel = await world.connect()
    photo = world.catalog.add_photo(pillar="tea")
    [result] = await take_in(
        world,
        past(
            "old-1",
            photo,
            caption="As it was",
            channel=channel.name,
            provider_post_id="b-17",
            permalink="https://insta.example/p/17",
        ),
    )
    assert result.status.code == code_pb2.OK
    post = result.post
    assert post == await world.get(post)
    assert (post.state, post.strategy) == (Post.STATE_POSTED, "imported")
    assert (post.external_id, post.caption) == ("old-1", "As it was")
    assert post.pillar == "personas/nora/pillars/tea"
    assert post.posted_time.ToDatetime(UTC) == LONG_AGO
    assert post.scheduled_time == post.posted_time
    assert list(post.channels) == [channel.name]
    [publication] = post.publications
    assert publication.state == Publication.STATE_POSTED
    assert publication.provider_post_id == "b-17"
    assert publication.permalink == "https://insta.example/p/17"
    with pytest.raises(AlreadyExists) as caught:
        await world.schedule(photo)
    assert caught.value.metadata == {
        "resource": "post",
        "name": post.name,
        "existing_post": post.name,
        "state": "POSTED",
    }
    await world.pass_time(3600, step=600)
    assert await world.buffer.admin.posts() == []
    [(payload,)] = await world.sql("SELECT payload FROM scheduler.outbox")
    event = event_pb2.PostChanged.FromString(bytes(payload))
    assert (event.state, event.photo, event.version) == ("POSTED", photo, 1)
    assert event.posted_time == post.posted_time


async def test_one_external_id_is_one_post_however_often_it_comes(world: World) -> None:
    photos = [world.catalog.add_photo() for _ in range(3)]
    posts = [past(f"old-{n}", photo) for n, photo in enumerate(photos)]
    first = await take_in(world, *posts[:2], posts[0])
    assert [r.post.external_id for r in first] == ["old-0", "old-1", "old-0"]
    assert first[0].post.name == first[2].post.name
    again = await take_in(world, *posts)
    assert [r.post.name for r in again[:2]] == [r.post.name for r in first[:2]]
    [(count, events)] = await world.sql(
        "SELECT (SELECT count(*) FROM scheduler.posts), (SELECT count(*) FROM scheduler.outbox)"
    )
    assert (count, events) == (3, 3)
    assert [p.channel for r in again for p in r.post.publications] == [""] * 3
    assert again[0].post.publications[0].provider_post_id == "nora/old-0"


async def test_each_past_post_has_a_result_of_its_own(world: World) -> None:
    await world.connect()
    scheduled, free, other = (world.catalog.add_photo() for _ in range(3))
    world.catalog.add_persona("otto")
    foreign = world.catalog.add_photo("otto")
    post = await world.schedule(scheduled)
    results = await take_in(
        world,
        past("taken", scheduled),
        past("gone", "personas/nora/photos/00000000-0000-0000-0000-00000000ffff"),
        past("foreign", foreign),
        past("future", other, at=world.now() + timedelta(hours=1)),
        past("nowhere", other, channel="personas/nora/channels/none"),
        past("good", free, provider="instagram", provider_post_id="7"),
        past("same", other, provider="instagram", provider_post_id="7"),
    )
    errors = [from_status(r.status) if r.status.code else None for r in results]
    kinds = [AlreadyExists, NotFound, NotFound, InvalidArgument, NotFound, None, AlreadyExists]
    assert [type(error) if error else None for error in errors] == kinds
    assert errors[0] is not None
    assert errors[0].metadata["existing_post"] == post.name
    assert [r.HasField("post") for r in results] == [kind is None for kind in kinds]
    assert errors[6] is not None
    assert errors[6].metadata["existing_post"] == results[5].post.name
    assert [r.photo for r in results][:2] == [scheduled, results[1].photo]


async def test_a_persona_must_be_there_and_the_catalog_too(world: World) -> None:
    photo = world.catalog.add_photo()
    with pytest.raises(NotFound, match="persona"):
        await take_in(world, past("1", photo), parent="personas/nobody")
    with pytest.raises(InvalidArgument, match="posts"):
        await take_in(world)
    world.catalog.add_persona("nora", Persona.STATE_ARCHIVED)
    with pytest.raises(FailedPrecondition) as caught:
        await take_in(world, past("1", photo))
    assert caught.value.reason == "ARCHIVED"
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await take_in(world, past("1", photo))
