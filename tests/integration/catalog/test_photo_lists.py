"""Lists of photos: states, tags, the best first, what posts make of them, and how they are read."""

import random
import re
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import persona_pb2, photo_pb2

from libs.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from libs.rpc.paging import PageRequest
from services.catalog import filters
from services.catalog.domain import photo as domain
from services.catalog.domain.measures import Measure
from services.catalog.domain.photo import (
    Embedding,
    EmbeddingState,
    Filing,
    FilingState,
    PhotoState,
    PostUse,
    Usage,
)
from services.catalog.ports import Listing
from services.catalog.repository.photos import listed
from tests.integration.catalog.library import Library

ACTIVE, ARCHIVED = photo_pb2.Photo.STATE_ACTIVE, photo_pb2.Photo.STATE_ARCHIVED


async def page(lib: Library, parent: str, **fields: Any) -> pb.ListPhotosResponse:
    return await lib.stub.ListPhotos(pb.ListPhotosRequest(parent=parent, **fields))


async def names(lib: Library, parent: str, filter: str = "", **fields: Any) -> list[str]:
    return [photo.name for photo in (await page(lib, parent, filter=filter, **fields)).photos]


async def tags(lib: Library, parent: str, **fields: Any) -> pb.ListPhotoTagsResponse:
    return await lib.stub.ListPhotoTags(pb.ListPhotoTagsRequest(parent=parent, **fields))


def with_quality(photo: domain.Photo, quality: float | None) -> dict[str, Any]:
    measures = () if quality is None else (Measure("sharpness", quality),)
    return {"picture": replace(photo.picture, measures=measures)}


async def of_quality(lib: Library, pillar: str, quality: float | None) -> str:
    """The name of a new photo of that quality."""
    photo = await lib.shelve(pillar)
    async with lib.catalog.changing() as tx:
        await tx.photos.save(replace(photo, **with_quality(photo, quality)))
        await tx.commit()
    return photo.name


async def test_archived_photos_are_put_away(lib: Library) -> None:
    persona, pillar = await lib.place()
    kept, gone = [(await lib.shelve(pillar, tags=("sea",))).name for _ in range(2)]
    request = pb.ArchivePhotoRequest(name=gone, etag="1", request_id=str(uuid.uuid4()))
    for _ in range(2):
        answer = (await lib.stub.ArchivePhoto(request)).photo
        assert (answer.state, answer.etag) == (ARCHIVED, "2")
    assert await lib.events(gone) == ["photo.updated"]
    assert await names(lib, persona) == [kept]
    assert await names(lib, persona, 'state = "ARCHIVED"') == [gone]
    assert await names(lib, persona, 'state = "*"') == [gone, kept]
    assert await names(lib, persona, '(state = "ACTIVE" OR state = ARCHIVED)') == [gone, kept]
    assert await names(lib, persona, 'state != "ARCHIVED" AND tag = "sea"') == [kept]
    counted = await lib.stub.GetLibraryStats(
        pb.GetLibraryStatsRequest(name=f"{persona}/libraryStats")
    )
    assert (counted.photos, counted.size_bytes) == (1, 1000)
    listed_pillars = await lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona))
    assert [p.photo_count for p in listed_pillars.pillars] == [1]
    assert [t.photo_count for t in (await tags(lib, persona)).photo_tags] == [1]
    assert (await lib.stub.GetPhoto(pb.GetPhotoRequest(name=gone))).state == ARCHIVED

    back = (await lib.stub.UnarchivePhoto(pb.UnarchivePhotoRequest(name=gone))).photo
    assert (back.state, back.etag) == (ACTIVE, "3")
    again = (await lib.stub.UnarchivePhoto(pb.UnarchivePhotoRequest(name=gone))).photo
    assert again == back, "it is in use already"
    assert await names(lib, persona) == [gone, kept]


async def test_archiving_that_is_refused(lib: Library) -> None:
    persona, pillar = await lib.place()
    used = await lib.shelve(pillar, usage=Usage.SCHEDULED)
    with pytest.raises(FailedPrecondition) as raised:
        await lib.stub.ArchivePhoto(pb.ArchivePhotoRequest(name=used.name))
    assert raised.value.reason == "PHOTO_IN_USE"
    free = await lib.shelve(pillar)
    for call in (
        lib.stub.ArchivePhoto(pb.ArchivePhotoRequest(name=free.name, etag="7")),
        lib.stub.UnarchivePhoto(pb.UnarchivePhotoRequest(name=free.name, etag="7")),
    ):
        with pytest.raises(Conflict):
            await call
    nobody = f"{persona}/photos/{uuid.uuid4()}"
    with pytest.raises(NotFound):
        await lib.stub.ArchivePhoto(pb.ArchivePhotoRequest(name=nobody))
    posted = await lib.shelve(pillar, usage=Usage.POSTED, posted_time=lib.clock.now())
    archived = await lib.stub.ArchivePhoto(pb.ArchivePhotoRequest(name=posted.name))
    assert archived.photo.state == ARCHIVED
    await lib.stub.DeletePhoto(pb.DeletePhotoRequest(name=posted.name))


async def test_alternatives_of_one_field(lib: Library) -> None:
    persona, first = await lib.place()
    second = await lib.pillar(persona)
    third = await lib.pillar(persona)
    a = (await lib.shelve(first, tags=("sun", "sea"), file_name="a1.jpg")).name
    lib.clock.advance(1)
    b = (await lib.shelve(second, tags=("sea",), file_name="b1.jpg")).name
    lib.clock.advance(1)
    review = Filing(FilingState.REVIEW, 0.3)
    c = (await lib.shelve(third, tags=("snow",), filing=review, file_name="c1.jpg")).name
    expected = {
        '(tag = "sun" OR tag = "snow")': [c, a],
        '(tag = "sun" OR tag = "sea") AND tag = "sea"': [b, a],
        '(tag = "rain" OR tag = "fog")': [],
        f'(pillar = "{first}" OR pillar = "{third}")': [c, a],
        '(usage = "POSTED" OR usage = "UNUSED") AND tag = "sun"': [a],
        '(file_name = "a*" OR file_name = "c1.jpg")': [c, a],
        'filing.state = "REVIEW"': [c],
        '(filing.state = "REVIEW" OR filing.state = "PROPOSED")': [c],
        'filing.state != "REVIEW"': [b, a],
    }
    for filter, found in expected.items():
        assert await names(lib, persona, filter) == found, filter
    _, foreign = await lib.place()
    for filter in (
        'tag = "sun" OR tag = "sea"',
        '(tag = "sun" OR usage = "UNUSED")',
        '(usage = "UNUSED" OR usage = "SPARE")',
        f'(pillar = "{first}" OR pillar = "{foreign}")',
        'state = "AWAY"',
        'filing.state = "DONE"',
    ):
        with pytest.raises(InvalidArgument) as raised:
            await names(lib, persona, filter)
        assert raised.value.violations[0].field == "filter", filter


async def test_the_best_come_first_and_those_not_measured_last(lib: Library) -> None:
    persona, pillar = await lib.place()
    chance = random.Random(3)
    made: list[tuple[float, int, str]] = []
    for number in range(40):
        quality = chance.choice([None, None, 0.0, 0.1, 0.5, 0.5, chance.random()])
        name = await of_quality(lib, pillar, quality)
        made.append((-1 if quality is None else quality, number, name))
        lib.clock.advance(1)
    expected = [name for *_, name in sorted(made, reverse=True)]
    assert await names(lib, persona, order_by="quality desc", page_size=200) == expected
    found: list[str] = []
    token = ""
    while True:
        answer = await page(
            lib,
            persona,
            order_by="quality desc",
            page_size=chance.randint(1, 7),
            page_token=token,
        )
        found += [photo.name for photo in answer.photos]
        token = answer.next_page_token
        if not token:
            break
        await of_quality(lib, pillar, 1.0)  # before everything: it must move nothing
    assert found == expected
    best = (await page(lib, persona, order_by="quality desc", page_size=1)).photos[0]
    assert best.quality == 1.0
    assert not (await lib.stub.GetPhoto(pb.GetPhotoRequest(name=expected[-1]))).HasField("quality")
    for order in ("quality", "quality asc", "tags desc"):
        with pytest.raises(InvalidArgument) as raised:
            await names(lib, persona, order_by=order)
        assert raised.value.violations[0].field == "order_by"


async def test_tags_are_counted_exactly(lib: Library) -> None:
    persona, pillar = await lib.place()
    chance = random.Random(5)
    words = [f"{letter}{n}" for letter in "ab" for n in range(12)]
    counts = dict.fromkeys(words, 0)
    for _ in range(60):
        some = tuple(chance.sample(words, chance.randint(0, 6)))
        away = chance.random() < 0.2
        state = PhotoState.ARCHIVED if away else PhotoState.ACTIVE
        await lib.shelve(pillar, tags=some, state=state)
        for word in () if away else some:
            counts[word] += 1
    _, foreign = await lib.place()
    await lib.shelve(foreign, tags=("b1", "elsewhere"))
    expected = sorted(((-n, word) for word, n in counts.items() if n))
    found: list[tuple[int, str]] = []
    token = ""
    while True:
        answer = await tags(lib, persona, page_size=chance.randint(1, 5), page_token=token)
        found += [(-tag.photo_count, tag.tag) for tag in answer.photo_tags]
        token = answer.next_page_token
        if not token:
            break
    assert found == expected
    only = await tags(lib, persona, prefix="b")
    assert [(-t.photo_count, t.tag) for t in only.photo_tags] == [
        x for x in expected if "b" in x[1]
    ]
    assert not (await tags(lib, persona, prefix="%")).photo_tags
    with pytest.raises(NotFound):
        await tags(lib, "personas/nobody-here")
    token = (await tags(lib, persona, page_size=1)).next_page_token
    for wrong in ({"prefix": "b"}, {"page_size": -1, "page_token": ""}):
        with pytest.raises(InvalidArgument):
            await tags(lib, persona, **{"page_token": token, **wrong})


async def test_posts_of_a_photo_are_told_newest_first(lib: Library) -> None:
    persona, pillar = await lib.place()
    photo = await lib.shelve(pillar)
    other = await lib.shelve(pillar)
    noon = lib.clock.now()
    uses = {
        f"{persona}/posts/{uuid.UUID(int=1)}": PostUse("CANCELLED"),
        f"{persona}/posts/{uuid.UUID(int=2)}": PostUse("POSTED", noon),
        f"{persona}/posts/{uuid.UUID(int=3)}": PostUse("SCHEDULED"),
    }
    async with lib.catalog.changing() as tx:
        for post, use in uses.items():
            await tx.photos.use(photo.id, post, use, 1)
        await tx.commit()
    got = await lib.stub.GetPhoto(pb.GetPhotoRequest(name=photo.name))
    posts = list(uses)
    assert [(p.post, p.state) for p in got.posts] == [
        (posts[2], "SCHEDULED"),
        (posts[1], "POSTED"),
    ]
    assert not got.posts[0].HasField("posted_time")
    assert got.posts[1].posted_time.ToJsonString() == "2026-03-02T12:00:00Z"
    async with lib.statements() as seen:
        in_list = {p.name: p for p in (await page(lib, persona)).photos}
    assert len(seen) == 1
    assert in_list[photo.name] == got
    assert not in_list[other.name].posts
    changed = photo_pb2.Photo(name=photo.name, caption="x")
    answer = await lib.stub.UpdatePhoto(pb.UpdatePhotoRequest(photo=changed))
    assert list(answer.posts) == list(got.posts), "a change answers the whole photo"


async def test_every_field_of_a_photo_is_filled(lib: Library) -> None:
    persona, pillar = await lib.place()
    photo = await lib.photo(
        persona,
        pillar=pillar,
        file_name="a.jpg",
        source_path="trip/a.jpg",
        tags=["sea"],
    )
    key = photo.name.rpartition("/")[2]
    later = lib.clock.now() + timedelta(days=9)
    async with lib.catalog.changing() as tx:
        stored = (await tx.photos.locked_all(persona.partition("/")[2], [key]))[key]
        await tx.photos.save(
            replace(
                stored,
                picture=replace(stored.picture, taken_time=lib.clock.now()),
                alt_text="A wave",
                caption="Waves",
                usage=Usage.SCHEDULED,
                embedding=Embedding(EmbeddingState.READY, "model", "1"),
                rights=domain.Rights(expire_time=later, notice="By Ada"),
                filing=Filing(FilingState.PROPOSED, 0.8, "like 3 others"),
            )
        )
        await tx.photos.use(key, f"{persona}/posts/{uuid.uuid4()}", PostUse("SCHEDULED"), 1)
        await tx.commit()
    got = await lib.stub.GetPhoto(pb.GetPhotoRequest(name=photo.name))
    empty = {field.name for field in photo_pb2.Photo.DESCRIPTOR.fields} - {
        field.name for field, _ in got.ListFields()
    }
    assert empty <= {"lineage"}, "a photo that was imported has no lineage"
    states = {m.id: m.state for m in got.analysis.measures}
    ready, skipped = photo_pb2.PhotoMeasure.STATE_READY, photo_pb2.PhotoMeasure.STATE_SKIPPED
    assert states == {
        **dict.fromkeys(("sharpness", "exposure", "resolution", "colourfulness"), ready),
        "caption": skipped,
    }
    values = [m.value for m in got.analysis.measures if m.state == ready]
    assert got.quality == pytest.approx(sum(values) / 4)


async def test_personas_are_listed_with_their_counts(lib: Library) -> None:
    full, pillar = await lib.place()
    empty = await lib.persona()
    for fields in ({}, {"usage": Usage.SCHEDULED}, {"state": PhotoState.ARCHIVED}):
        await lib.shelve(pillar, **fields)
    request = pb.ListPersonasRequest(page_size=200, include_stats=True)
    async with lib.statements() as seen:
        answer = await lib.stub.ListPersonas(request)
    assert len(seen) == 2, "one for the personas, one for all their counts"
    assert len(answer.stats) == len(answer.personas)
    by_name = {s.name: s for s in answer.stats}
    assert [s.name for s in answer.stats] == [f"{p.name}/libraryStats" for p in answer.personas]
    for persona in (full, empty):
        name = f"{persona}/libraryStats"
        alone = await lib.stub.GetLibraryStats(pb.GetLibraryStatsRequest(name=name))
        assert by_name[name] == alone
    assert (by_name[f"{full}/libraryStats"].photos, by_name[f"{full}/libraryStats"].scheduled) == (
        2,
        1,
    )
    assert by_name[f"{empty}/libraryStats"] == persona_pb2.LibraryStats(
        name=f"{empty}/libraryStats"
    )
    assert not (await lib.stub.ListPersonas(pb.ListPersonasRequest())).stats


ROWS = 24_000
"""Enough that reading them all, or sorting them, would cost more than any index."""


_AT_ONCE = 3_000


async def fill(lib: Library, persona: str, pillars: list[str]) -> None:
    """Rows in bulk: a tenth scheduled, a tenth archived, some in the inbox, a few not embedded."""
    statement = """
        INSERT INTO catalog.photos (
            id, persona_id, pillar_id, file_name, sha256, mime_type, size_bytes, width, height,
            thumbnail_sha256, measures, quality, tags, state, usage, embedding_state, filing_state,
            scene, create_time, update_time, version
        )
        SELECT gen_random_uuid(), :persona, (CAST(:pillars AS text[]))[1 + n % :size],
            'IMG_' || n || '.jpg', md5(:persona || n), 'image/jpeg', 1000, 40, 30, md5('t' || n),
            '[]', CASE WHEN n % 17 = 0 THEN NULL ELSE (n * 7919 % 1000) / 1000.0 END,
            CASE WHEN n % 500 = 0 THEN ARRAY['rare', 'sea'] ELSE ARRAY['sea'] END,
            CASE WHEN n % 10 = 1 THEN 'ARCHIVED' ELSE 'ACTIVE' END,
            CASE WHEN n % 10 = 2 THEN 'SCHEDULED' ELSE 'UNUSED' END,
            CASE WHEN n % 200 = 3 THEN 'FAILED' ELSE 'READY' END,
            CASE WHEN n % 50 = 4 THEN 'REVIEW' ELSE 'CONFIRMED' END,
            gen_random_uuid(), CAST(:start AS timestamptz) + n * interval '1 second', now(), 1
        FROM generate_series(CAST(:first AS int), :last) AS n
    """
    for first in range(1, ROWS, _AT_ONCE):
        await lib.rows(
            statement,
            persona=persona.partition("/")[2],
            pillars=[pillar.rpartition("/")[2] for pillar in pillars],
            size=len(pillars),
            start=lib.clock.now(),
            first=first,
            last=first + _AT_ONCE - 1,
        )
    await lib.rows("ANALYZE catalog.photos")


@pytest.mark.parametrize("deep", [False, True], ids=["first", "deep"])
@pytest.mark.parametrize(
    ("filter", "order", "index"),
    [
        ("", "", "photos_(of_state|listed)"),
        ("", "create_time", "photos_(of_state|listed)"),
        ("", "quality desc", "photos_by_quality"),
        ('state = "*"', "", "photos_listed"),
        ('state = "ARCHIVED"', "", "photos_of_state"),
        ('state = "ARCHIVED"', "quality desc", "photos_by_quality"),
        ('pillar = "{pillar}"', "", "photos_of_pillar"),
        ('pillar = "{pillar}"', "create_time", "photos_of_pillar"),
        ('pillar = "{pillar}"', "quality desc", "photos_by_quality"),
        ('usage = "UNUSED"', "", "photos_"),
        ('usage = "SCHEDULED"', "create_time", "photos_of_usage"),
        ('usage = "UNUSED"', "quality desc", "photos_by_quality"),
        ('pillar = "{pillar}" AND usage = "UNUSED"', "quality desc", "photos_by_quality"),
        ('tag = "sea"', "", "photos_(of_state|listed)"),
        ('tag = "rare"', "", "photos_"),
        ('(tag = "rare" OR tag = "sea")', "quality desc", "photos_by_quality"),
        ('embedding.state = "FAILED"', "", "photos_not_embedded"),
        ('filing.state = "REVIEW"', "", "photos_not_settled"),
        ('file_name = "IMG_77*"', "", "photos_"),
        ('create_time < "2026-03-02T13:00:00Z"', "", "photos_(of_state|listed)"),
    ],
)
async def test_lists_are_read_by_an_index(
    lib: Library, crowd: tuple[str, str], filter: str, order: str, index: str, deep: bool
) -> None:
    """The plan, not the time: an index gives the rows in order, and only a page is read of them."""
    persona, pillar = crowd
    id = persona.partition("/")[2]
    conditions = filters.photo_conditions(filter.format(pillar=pillar), id)
    field, descending = filters.photo_order(order)
    middle = (lib.clock.now() + timedelta(seconds=ROWS / 2)).isoformat()
    first = (0.5,) if field == "quality" else ()
    after = (*first, middle, str(uuid.UUID(int=0))) if deep else None
    rows = listed(id, Listing(PageRequest(50, after), conditions, descending, field))
    plan = await explained(lib, rows)
    assert re.search(index, plan), plan
    assert "Seq Scan on photos" not in plan, plan
    if index != "photos_":
        assert "Sort Key" not in plan, plan


async def explained(lib: Library, rows: sa.Select[Any]) -> str:
    literal = {"literal_binds": True}
    text = rows.compile(lib.database.engine, compile_kwargs=literal)
    # Colons and percent signs are the driver's, not ours.
    async with lib.database.transaction() as connection:
        answer = await connection.exec_driver_sql("EXPLAIN " + str(text).replace("%", "%%"))
        return "\n".join(row[0] for row in answer)


@pytest.fixture
async def crowd(lib: Library) -> tuple[str, str]:
    """A persona with very many photos, made once, and one of its pillars."""
    persona = "personas/crowd"
    if not await lib.rows("SELECT FROM catalog.personas WHERE id = 'crowd' AND voice = 'filled'"):
        await lib.persona(display_name="Crowd")
        pillars = [await lib.pillar(persona, display_name=f"C{n}") for n in range(10)]
        await fill(lib, persona, pillars)
        await lib.rows("UPDATE catalog.personas SET voice = 'filled' WHERE id = 'crowd'")
    return persona, f"{persona}/pillars/c1"
