"""Photos through the service: lists, filters, pages, changes, moves, deletion."""

import asyncio
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.events.v1 import event_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain.photo import Embedding, EmbeddingState, PostUse, Usage
from tests.integration.catalog.library import Library

Photo = photo_pb2.Photo


async def page(lib: Library, parent: str, **fields: Any) -> pb.ListPhotosResponse:
    return await lib.stub.ListPhotos(pb.ListPhotosRequest(parent=parent, **fields))


async def names(lib: Library, parent: str, filter: str = "", **fields: Any) -> list[str]:
    return [photo.name for photo in (await page(lib, parent, filter=filter, **fields)).photos]


async def get(lib: Library, name: str) -> Photo:
    return await lib.stub.GetPhoto(pb.GetPhotoRequest(name=name))


async def update(lib: Library, name: str, *paths: str, **fields: Any) -> Photo:
    request = pb.UpdatePhotoRequest(
        photo=Photo(name=name, **fields), update_mask=FieldMask(paths=paths)
    )
    return await lib.stub.UpdatePhoto(request)


def at(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


async def test_newest_first_or_oldest_first(lib: Library) -> None:
    persona, pillar = await lib.place()
    made = []
    for _ in range(3):
        made.append((await lib.shelve(pillar)).name)
        lib.clock.advance(1)
    assert await names(lib, persona) == made[::-1]
    assert await names(lib, persona, order_by="create_time desc") == made[::-1]
    assert await names(lib, persona, order_by="create_time") == made
    with pytest.raises(InvalidArgument) as raised:
        await names(lib, persona, order_by="file_name")
    assert raised.value.violations[0].field == "order_by"


async def test_filters(lib: Library) -> None:
    persona, first = await lib.place()
    second = await lib.pillar(persona)
    start = lib.clock.now()
    a = (await lib.shelve(first, tags=("sun", "sea"), file_name="IMG_1.jpg")).name
    lib.clock.advance(timedelta(days=1))
    b = (await lib.shelve(second, tags=("sun",), usage=Usage.SCHEDULED, file_name="b%.png")).name
    lib.clock.advance(timedelta(days=1))
    failed = Embedding(EmbeddingState.FAILED, error_reason="DAMAGED_IMAGE")
    c = (await lib.shelve(second, embedding=failed, file_name='IMG_"2".jpg')).name
    second_day = (start + timedelta(days=1)).isoformat()
    expected = {
        f'pillar = "{second}"': [c, b],
        f'pillar != "{second}"': [a],
        'tag = "sun"': [b, a],
        'tag = sun AND tag = "sea"': [a],
        'tag != "sun"': [c],
        'usage = "SCHEDULED"': [b],
        'usage != "SCHEDULED"': [c, a],
        'embedding.state = "FAILED"': [c],
        'file_name = "IMG_*"': [c, a],
        'file_name = "b%*"': [b],
        'file_name = "%*"': [],
        'file_name = "IMG_\\"2\\".jpg"': [c],
        'file_name != "IMG_*"': [b],
        f'create_time < "{second_day}"': [a],
        f'create_time >= "{second_day}" AND tag = "sun"': [b],
        f'create_time = "{second_day}"': [b],
    }
    for filter, found in expected.items():
        assert await names(lib, persona, filter) == found, filter


async def test_filters_that_cannot_be_meant(lib: Library) -> None:
    persona, _ = await lib.place()
    _, foreign = await lib.place()
    for filter in (
        'colour = "red"',
        'usage = "SPARE"',
        'embedding.state = "ready"',
        f'pillar = "{foreign}"',
        'pillar = "coffee"',
        'create_time > "yesterday"',
        'tag > "a"',
        'tag = "a" OR tag = "b"',
    ):
        with pytest.raises(InvalidArgument) as raised:
            await names(lib, persona, filter)
        assert raised.value.violations[0].field == "filter", filter


async def test_every_photo_is_listed_once_while_others_come_in(lib: Library) -> None:
    persona, pillar = await lib.place()
    chance = random.Random(7)
    for _ in range(60):
        await lib.shelve(pillar)
        lib.clock.advance(chance.choice([0, 0, 1]))
    before = set(await names(lib, persona, page_size=200))
    assert len(before) == 60
    for order in ("create_time desc", "create_time"):
        seen: list[str] = []
        token = ""
        while True:
            request = {"order_by": order, "page_size": chance.randint(1, 9), "page_token": token}
            answer = (await asyncio.gather(page(lib, persona, **request), lib.shelve(pillar)))[0]
            seen += [photo.name for photo in answer.photos]
            lib.clock.advance(chance.choice([0, 1]))
            token = answer.next_page_token
            if not token or len(seen) > 200:
                break
        assert len(seen) == len(set(seen))
        assert before <= set(seen)


async def test_a_token_fits_only_the_list_it_came_from(lib: Library) -> None:
    persona, pillar = await lib.place()
    other, _ = await lib.place()
    for _ in range(3):
        await lib.shelve(pillar)
    token = (await page(lib, persona, page_size=1)).next_page_token
    assert len((await page(lib, persona, page_size=1, page_token=token)).photos) == 1
    wrong: list[Any] = [
        page(lib, other, page_token=token),
        page(lib, persona, page_token=token, filter='tag = "a"'),
        page(lib, persona, page_token=token, order_by="create_time"),
        page(lib, persona, page_token=token[:-2] + "zz"),
        page(lib, persona, page_token="?"),
        lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona, page_token=token)),
    ]
    for answer in wrong:
        with pytest.raises(InvalidArgument) as raised:
            await answer
        assert raised.value.violations[0].field == "page_token"


async def test_page_sizes(lib: Library) -> None:
    persona, pillar = await lib.place()
    await asyncio.gather(*(lib.shelve(pillar) for _ in range(51)))
    assert len((await page(lib, persona)).photos) == 50
    assert len((await page(lib, persona, page_size=1000)).photos) == 51
    with pytest.raises(InvalidArgument):
        await page(lib, persona, page_size=-1)
    with pytest.raises(NotFound):
        await page(lib, "personas/nobody-here")


async def test_reading_photos_costs_one_statement(lib: Library) -> None:
    persona, pillar = await lib.place()
    photo = await lib.shelve(pillar)
    async with lib.statements() as seen:
        await get(lib, photo.name)
        await page(lib, persona)
        await lib.stub.GetLibraryStats(pb.GetLibraryStatsRequest(name=f"{persona}/libraryStats"))
    assert len(seen) == 3


async def test_library_stats_count_by_state(lib: Library) -> None:
    persona, pillar = await lib.place()
    now = lib.clock.now()
    pending = Embedding()
    await lib.shelve(pillar)
    await lib.shelve(pillar, embedding=pending)
    await lib.shelve(pillar, usage=Usage.SCHEDULED)
    await lib.shelve(pillar, usage=Usage.POSTED, posted_time=now)
    request = pb.GetLibraryStatsRequest(name=f"{persona}/libraryStats")
    stats = await lib.stub.GetLibraryStats(request)
    assert (stats.name, stats.photos, stats.size_bytes) == (request.name, 4, 4000)
    assert (stats.embedding_pending, stats.embedding_ready, stats.embedding_failed) == (1, 3, 0)
    assert (stats.unused, stats.scheduled, stats.posted) == (2, 1, 1)
    empty = await lib.persona()
    request = pb.GetLibraryStatsRequest(name=f"{empty}/libraryStats")
    assert (await lib.stub.GetLibraryStats(request)).photos == 0
    with pytest.raises(NotFound):
        await lib.stub.GetLibraryStats(
            pb.GetLibraryStatsRequest(name="personas/nobody-here/libraryStats")
        )


async def test_update_changes_texts_tags_and_rights(lib: Library) -> None:
    _, pillar = await lib.place()
    name = (await lib.shelve(pillar, tags=("old",), alt_text="kept")).name
    until = datetime(2027, 1, 1, tzinfo=UTC)
    rights = photo_pb2.UsageRights(expire_time=at(until), notice="By Ada", held=True)
    changed = await update(
        lib,
        name,
        "tags",
        "caption",
        "rights",
        tags=["b", "a", "b"],
        caption="Now",
        alt_text="ignored",
        rights=rights,
    )
    assert list(changed.tags) == ["b", "a"]
    assert (changed.caption, changed.alt_text, changed.rights) == ("Now", "kept", rights)
    assert await get(lib, name) == changed
    ((payload,),) = await lib.rows(
        "SELECT payload FROM catalog.outbox WHERE subject = :s AND type = 'photo.updated'", s=name
    )
    told = event_pb2.PhotoUpdated.FromString(bytes(payload))
    assert list(told.tags) == ["b", "a"]
    assert list(told.texts) == ["Now", "kept"]
    cleared = await update(lib, name, "*")
    assert (list(cleared.tags), cleared.caption, cleared.HasField("rights")) == ([], "", False)
    assert cleared.pillar == pillar


async def test_update_that_changes_nothing_tells_nobody(lib: Library) -> None:
    _, pillar = await lib.place()
    photo = await lib.shelve(pillar, caption="same")
    assert (await update(lib, photo.name, "caption", caption="same")).etag == "1"
    assert await lib.events(photo.name) == []


async def test_updates_that_are_refused(lib: Library) -> None:
    persona, pillar = await lib.place()
    other = await lib.pillar(persona)
    name = (await lib.shelve(pillar)).name
    noon = at(lib.clock.now())
    never = photo_pb2.UsageRights(embargo_time=noon, expire_time=noon)
    refused: list[tuple[Any, str]] = [
        (update(lib, name, "pillar", pillar=other), "photo.pillar"),
        (update(lib, name, "colour"), "update_mask"),
        (update(lib, name, "tags", tags=["Not A Slug"]), "photo.tags[0]"),
        (update(lib, name, "tags", tags=[f"t{n}" for n in range(21)]), "photo.tags"),
        (update(lib, name, "rights", rights=never), "photo.rights.expire_time"),
        (update(lib, name, "alt_text", alt_text="x" * 1501), "photo.alt_text"),
    ]
    for answer, field in refused:
        with pytest.raises(InvalidArgument) as raised:
            await answer
        assert raised.value.violations[0].field == field
    with pytest.raises(NotFound):
        await update(lib, f"{persona}/photos/{uuid.uuid4()}", "caption", caption="x")


async def test_stale_etag_and_repeated_request(lib: Library) -> None:
    _, pillar = await lib.place()
    name = (await lib.shelve(pillar)).name
    await update(lib, name, "caption", caption="a", etag="1")
    with pytest.raises(Conflict):
        await update(lib, name, "caption", caption="b", etag="1")
    with pytest.raises(Conflict):
        await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=name, etag="1"))
    request = pb.UpdatePhotoRequest(
        photo=Photo(name=name, caption="c", etag="2"), request_id=str(uuid.uuid4())
    )
    answers = [await lib.stub.UpdatePhoto(request) for _ in range(2)]
    assert [(photo.caption, photo.etag) for photo in answers] == [("c", "3"), ("c", "3")]


async def test_concurrent_updates_are_all_kept_or_refused(lib: Library) -> None:
    _, pillar = await lib.place()
    name = (await lib.shelve(pillar)).name
    await asyncio.gather(
        *(update(lib, name, field, **{field: "x"}) for field in ("caption", "alt_text"))
    )
    photo = await get(lib, name)
    assert (photo.caption, photo.alt_text, photo.etag) == ("x", "x", "3")


async def test_move_stays_in_the_persona(lib: Library) -> None:
    persona, pillar = await lib.place()
    other = await lib.pillar(persona, display_name="Coffee")
    foreign = await lib.pillar(await lib.persona(), display_name="Coffee")
    photo = await lib.shelve(pillar)
    request = pb.MovePhotoRequest(name=photo.name, pillar=other, request_id=str(uuid.uuid4()))
    for _ in range(2):
        assert (await lib.stub.MovePhoto(request)).photo.pillar == other
    assert await lib.events(photo.name) == ["photo.updated"]
    for pillar in (foreign, f"{persona}/pillars/none"):
        with pytest.raises(NotFound):
            await lib.stub.MovePhoto(pb.MovePhotoRequest(name=photo.name, pillar=pillar))
    assert (await get(lib, photo.name)).pillar == other


async def test_delete_is_refused_while_a_post_uses_the_photo(lib: Library) -> None:
    persona, pillar = await lib.place()
    photo = await lib.shelve(pillar, usage=Usage.SCHEDULED)
    with pytest.raises(FailedPrecondition) as raised:
        await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=photo.name))
    assert raised.value.reason == "PHOTO_IN_USE"
    used = await lib.shelve(pillar, usage=Usage.SCHEDULED)
    post = f"{persona}/posts/{uuid.uuid4()}"
    async with lib.catalog.changing() as tx:
        await tx.photos.use(used.id, post, PostUse("SCHEDULED"), 1)
        await tx.commit()
    with pytest.raises(FailedPrecondition) as raised:
        await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=used.name))
    assert raised.value.metadata["posts"] == post
    free = await lib.shelve(pillar, usage=Usage.POSTED, posted_time=lib.clock.now())
    request = pb.DeletePhotoRequest(name=free.name, request_id=str(uuid.uuid4()))
    for _ in range(2):
        await lib.stub.DeletePhoto(request)
    assert await lib.events(free.name) == ["photo.deleted"]
    with pytest.raises(NotFound):
        await get(lib, free.name)


async def test_a_photo_of_another_persona_is_not_found(lib: Library) -> None:
    persona, pillar = await lib.place()
    other, _ = await lib.place()
    photo = await lib.shelve(pillar)
    with pytest.raises(NotFound):
        await get(lib, photo.name.replace(persona, other))
    with pytest.raises(InvalidArgument):
        await get(lib, f"{persona}/photos/17")


async def test_sum_over_pillars_is_the_total(lib: Library) -> None:
    persona, first = await lib.place()
    second = await lib.pillar(persona)
    for pillar in (first, first, second):
        await lib.shelve(pillar)
    listed = await lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona))
    by_filter = [len(await names(lib, persona, f'pillar = "{p}"')) for p in (first, second)]
    assert [pillar.photo_count for pillar in listed.pillars] == by_filter == [2, 1]
    assert len(await names(lib, persona)) == 3
