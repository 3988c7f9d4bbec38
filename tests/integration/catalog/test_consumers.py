"""What other services tell: embeddings, scenes, posts. Twice, late, or about nobody."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.events.v1 import event_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from libs.events.stream import Event, Reject
from services.catalog.consumers import Consumers
from services.catalog.domain.photo import Photo
from services.catalog.usecases.facts import FactCases
from tests.integration.catalog.library import Library

Usage = photo_pb2.Photo
State = photo_pb2.PhotoEmbedding
EVENING = datetime(2026, 3, 1, 18, tzinfo=UTC)


@pytest.fixture
def consumers(lib: Library) -> Consumers:
    return Consumers(FactCases(lib.catalog, lib.clock, lib.cases.filing))


def event(message: Message, id: str = "") -> Event:
    payload = message.SerializeToString()
    return Event(id or str(uuid.uuid4()), "type", "subject", "key", payload, EVENING)


def embedded(photo: str, scene: str = "", model: str = "net") -> Event:
    message = event_pb2.PhotoEmbedded(photo=photo, model=model, revision="7", scene=scene or photo)
    return event(message)


def post(
    photo: str, state: str, version: int, *, number: int = 1, posted: datetime | None = None
) -> Event:
    message = event_pb2.PostChanged(post=f"p/{number}", photo=photo, state=state, version=version)
    if posted:
        timestamp = Timestamp()
        timestamp.FromDatetime(posted)
        message.posted_time.CopyFrom(timestamp)
    return event(message)


async def get(lib: Library, photo: Photo) -> photo_pb2.Photo:
    return await lib.stub.GetPhoto(pb.GetPhotoRequest(name=photo.name))


async def posted_time(lib: Library, photo: Photo) -> Any:
    rows = await lib.rows("SELECT posted_time FROM catalog.photos WHERE id = :id", id=photo.id)
    return rows[0].posted_time


async def test_embedded_photo_is_ready(lib: Library, consumers: Consumers) -> None:
    persona, _ = await lib.place()
    uploaded = await lib.photo(persona)
    await consumers.embedded(embedded(uploaded.name))
    photo = await lib.stub.GetPhoto(pb.GetPhotoRequest(name=uploaded.name))
    assert photo.embedding == State(state=State.STATE_READY, model="net", revision="7")
    assert photo.scene == uploaded.scene
    assert photo.etag == "2"


async def test_failure_says_why_and_success_heals_it(lib: Library, consumers: Consumers) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar)
    failed = event_pb2.PhotoEmbeddingFailed(
        photo=photo.name, reason="DAMAGED_IMAGE", message="It cannot be decoded."
    )
    await consumers.embedding_failed(event(failed))
    embedding = (await get(lib, photo)).embedding
    assert embedding.state == State.STATE_FAILED
    assert embedding.error.message == "It cannot be decoded."
    info = error_details_pb2.ErrorInfo()
    assert embedding.error.details[0].Unpack(info)
    assert info.reason == "DAMAGED_IMAGE"
    await consumers.embedded(embedded(photo.name))
    embedding = (await get(lib, photo)).embedding
    assert (embedding.state, embedding.HasField("error")) == (State.STATE_READY, False)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_chains_of_scenes_join_in_any_order(
    lib: Library, consumers: Consumers, order: tuple[int, ...]
) -> None:
    _, pillar = await lib.place()
    a, b, c, alone = [await lib.shelve(pillar) for _ in range(4)]
    told = [embedded(a.name), embedded(b.name, a.name), embedded(c.name, b.name)]
    for index in order:
        await consumers.embedded(told[index])
    await consumers.embedded(embedded(alone.name))
    assert {(await get(lib, photo)).scene for photo in (a, b, c)} == {a.id}
    assert (await get(lib, alone)).scene == alone.id


async def test_chains_join_when_told_at_the_same_time(lib: Library, consumers: Consumers) -> None:
    _, pillar = await lib.place()
    for _ in range(5):
        a, b, c = [await lib.shelve(pillar) for _ in range(3)]
        await asyncio.gather(
            consumers.embedded(embedded(c.name, b.name)),
            consumers.embedded(embedded(b.name, a.name)),
        )
        assert {(await get(lib, photo)).scene for photo in (a, b, c)} == {a.id}


async def test_a_scene_gathered_around_a_photo_that_is_gone(
    lib: Library, consumers: Consumers
) -> None:
    _, pillar = await lib.place()
    a, b = await lib.shelve(pillar), await lib.shelve(pillar)
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=a.name))
    await consumers.embedded(embedded(b.name, a.name))
    assert (await get(lib, b)).scene == a.id


async def test_a_photo_can_leave_its_scene(lib: Library, consumers: Consumers) -> None:
    _, pillar = await lib.place()
    a, b = await lib.shelve(pillar), await lib.shelve(pillar)
    await consumers.embedded(embedded(b.name, a.name))
    await consumers.embedded(embedded(b.name, model="better-net"))
    assert (await get(lib, b)).scene == b.id


@pytest.mark.parametrize(
    ("state", "usage"),
    [
        ("DRAFT", Usage.USAGE_SCHEDULED),
        ("SCHEDULED", Usage.USAGE_SCHEDULED),
        ("POSTING", Usage.USAGE_SCHEDULED),
        ("FAILED", Usage.USAGE_SCHEDULED),
        ("POSTED", Usage.USAGE_POSTED),
        ("CANCELLED", Usage.USAGE_UNUSED),
        ("SOMETHING_NEW", Usage.USAGE_SCHEDULED),
    ],
)
async def test_usage_follows_the_post(
    lib: Library, consumers: Consumers, state: str, usage: int
) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar)
    await consumers.post_changed(post(photo.name, state, 1))
    assert (await get(lib, photo)).usage == usage


async def test_posted_time_is_kept(lib: Library, consumers: Consumers) -> None:
    _, pillar = await lib.place()
    photo, other = await lib.shelve(pillar), await lib.shelve(pillar)
    earlier = EVENING - timedelta(hours=3)
    await consumers.post_changed(post(photo.name, "POSTED", 3, posted=earlier))
    assert await posted_time(lib, photo) == earlier
    await consumers.post_changed(post(other.name, "POSTED", 3))
    assert await posted_time(lib, other) == EVENING, "the time of the event, for want of a better"


async def test_older_news_of_a_post_change_nothing(lib: Library, consumers: Consumers) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar)
    for state, version in (("SCHEDULED", 1), ("CANCELLED", 3), ("SCHEDULED", 2)):
        await consumers.post_changed(post(photo.name, state, version))
    assert (await get(lib, photo)).usage == Usage.USAGE_UNUSED


async def test_posts_of_one_photo_do_not_mix_their_versions(
    lib: Library, consumers: Consumers
) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar)

    async def usage_after(state: str, version: int, number: int) -> int:
        posted = EVENING if state == "POSTED" else None
        told = post(photo.name, state, version, number=number, posted=posted)
        await consumers.post_changed(told)
        return int((await get(lib, photo)).usage)

    assert await usage_after("CANCELLED", 9, 1) == Usage.USAGE_UNUSED
    assert await usage_after("SCHEDULED", 1, 2) == Usage.USAGE_SCHEDULED
    assert await usage_after("POSTED", 4, 2) == Usage.USAGE_POSTED
    assert await usage_after("SCHEDULED", 1, 3) == Usage.USAGE_SCHEDULED
    assert await usage_after("CANCELLED", 2, 3) == Usage.USAGE_POSTED


async def test_an_event_that_arrives_again_changes_nothing(
    lib: Library, consumers: Consumers
) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar)
    told = embedded(photo.name)
    await asyncio.gather(*(consumers.embedded(told) for _ in range(3)))
    assert (await get(lib, photo)).etag == "2"
    await consumers.embedded(embedded(photo.name, model="better-net"))
    await consumers.embedded(told)
    assert (await get(lib, photo)).embedding.model == "better-net"


async def test_unknown_photos_are_left_alone(lib: Library, consumers: Consumers) -> None:
    persona, _ = await lib.place()
    for name in (f"{persona}/photos/{uuid.uuid4()}", f"personas/gone/photos/{uuid.uuid4()}"):
        await consumers.embedded(embedded(name))
        await consumers.post_changed(post(name, "SCHEDULED", 1))
        failed = event_pb2.PhotoEmbeddingFailed(photo=name, reason="X", message="x")
        await consumers.embedding_failed(event(failed))
    await consumers.post_changed(post("", "AWAITING_IMAGE", 1))


async def test_what_cannot_be_understood_is_rejected(lib: Library, consumers: Consumers) -> None:
    persona, pillar = await lib.place()
    other, _ = await lib.place()
    photo = await lib.shelve(pillar)
    foreign = f"{other}/photos/{uuid.uuid4()}"
    garbage = Event("id", "type", "subject", "key", b"\xff\xff", EVENING)
    handlers: list[tuple[Callable[[Event], Awaitable[None]], Event]] = [
        (consumers.embedded, garbage),
        (consumers.embedding_failed, garbage),
        (consumers.post_changed, garbage),
        (consumers.embedded, embedded(f"{persona}/photos/17")),
        (consumers.embedded, embedded(photo.name, foreign)),
        (consumers.post_changed, post("photo", "SCHEDULED", 1)),
    ]
    for handle, told in handlers:
        with pytest.raises(Reject):
            await handle(told)


def test_subscriptions_name_the_events_of_the_contract(consumers: Consumers) -> None:
    assert set(consumers.of_embeddings()) == {"photo.embedded", "photo.embedding_failed"}
    assert set(consumers.of_posts()) == {"post.changed"}
