"""Measures of photos: made with the import, made again in the background, each for itself."""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.events.v1 import event_pb2

from libs.aio import BlockingPool
from libs.errors import InvalidArgument, NotFound, Unavailable
from libs.llm.chat import ChatModel
from libs.llm.settings import VisionModelSettings
from services.catalog.captions import ModelCaptioner
from services.catalog.deps import analysis
from services.catalog.domain.blobs import original_key, thumbnail_key
from services.catalog.domain.measures import MEASURED, Measure
from services.catalog.domain.photo import Photo
from services.catalog.ports import Captioner
from services.catalog.usecases.analysis import ANALYZE_TASK, LEASE, MAX_ATTEMPTS, PAUSE
from tests.integration.catalog.library import Library
from tests.support.llm.stand_in import MODEL, fails, language_model, says

State = photo_pb2.PhotoMeasure
PENDING, READY, FAILED, SKIPPED = (
    State.STATE_PENDING,
    State.STATE_READY,
    State.STATE_FAILED,
    State.STATE_SKIPPED,
)


@dataclass
class Painter:
    """A model that sees. ``away``: it cannot be reached."""

    away: bool = False
    seen: list[bytes] = field(default_factory=list)

    async def caption(self, thumbnail: bytes) -> str:
        if self.away:
            raise Unavailable("the language model did not answer")
        self.seen.append(thumbnail)
        return "Waves under a blue sky."


async def work(lib: Library, captioner: Captioner | None = None, blobs: Any = None) -> None:
    """One round of the job."""
    pool = BlockingPool("measure", 1)
    try:
        kept = blobs or lib.blobs
        await analysis(lib.settings, lib.database, kept, pool, lib.clock, captioner).run()
    finally:
        pool.close()


async def ask(lib: Library, persona: str, **fields: Any) -> int:
    request = pb.AnalyzePhotosRequest(parent=persona, **fields)
    return int((await lib.stub.AnalyzePhotos(request)).photos)


async def get(lib: Library, name: str) -> photo_pb2.Photo:
    return await lib.stub.GetPhoto(pb.GetPhotoRequest(name=name))


async def measures(lib: Library, name: str) -> dict[str, photo_pb2.PhotoMeasure]:
    return {m.id: m for m in (await get(lib, name)).analysis.measures}


async def states(lib: Library, name: str) -> dict[str, int]:
    return {id: measure.state for id, measure in (await measures(lib, name)).items()}


async def stored(lib: Library, name: str) -> Photo:
    persona, id = name.removeprefix("personas/").split("/photos/")
    async with lib.catalog.changing() as tx:
        return (await tx.photos.locked_all(persona, [id]))[id]


async def with_measures(lib: Library, name: str, found: Sequence[Measure]) -> None:
    """The photo as one on which only these measures are stored."""
    photo = await stored(lib, name)
    async with lib.catalog.changing() as tx:
        picture = replace(photo.picture, measures=tuple(found))
        await tx.photos.save(replace(photo, picture=picture))
        await tx.commit()


async def test_what_failed_is_measured_again(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    before = await get(lib, name)
    broken = [
        Measure.failed(m.id, "MEASURE_FAILED", "ValueError: no")
        if m.id in ("exposure", "sharpness")
        else Measure(m.id, m.value)
        for m in before.analysis.measures
        if m.id in MEASURED
    ]
    await with_measures(lib, name, broken)
    shown = await measures(lib, name)
    assert shown["exposure"].state == FAILED
    assert shown["exposure"].error.message == "ValueError: no"
    assert shown["resolution"].state == READY
    whole = await get(lib, name)
    left = [m.value for m in before.analysis.measures if m.id in ("resolution", "colourfulness")]
    assert whole.quality == pytest.approx(sum(left) / 2), "the others still count"

    request = {"request_id": str(uuid.uuid4())}
    assert [await ask(lib, persona, **request) for _ in range(2)] == [1, 1]
    assert lib.queue.sent == [(ANALYZE_TASK, persona.partition("/")[2], "catalog")]
    pending = await states(lib, name)
    assert {id for id, state in pending.items() if state == PENDING} == {"exposure", "sharpness"}
    await work(lib)
    after = await get(lib, name)
    assert after.analysis == before.analysis
    assert after.quality == before.quality
    assert int(after.etag) > int(whole.etag)
    assert await ask(lib, persona) == 0, "nothing failed any more"


async def test_only_what_is_asked_for_is_measured_again(lib: Library) -> None:
    persona, _ = await lib.place()
    one, other = [(await lib.photo(persona)).name for _ in range(2)]
    failed = [Measure.failed(id, "MEASURE_FAILED", "no") for id in MEASURED]
    for name in (one, other):
        await with_measures(lib, name, failed)
    assert await ask(lib, persona, names=[one], measures=["resolution"]) == 1
    await work(lib)
    assert (await states(lib, one))["resolution"] == READY
    assert (await states(lib, one))["sharpness"] == FAILED
    assert set((await states(lib, other)).values()) == {FAILED, SKIPPED}
    assert await ask(lib, persona, measures=["resolution"]) == 1, "of one it is made already"
    assert await ask(lib, persona, names=[one]) == 1, "whatever failed"
    await work(lib)
    assert set((await states(lib, one)).values()) == {READY, SKIPPED}
    assert await ask(lib, persona, names=[one], measures=["sharpness"]) == 1, "again, though ready"


async def test_photos_from_before_a_measure_existed_get_it(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    before = await get(lib, name)
    old = [Measure(m.id, m.value) for m in before.analysis.measures][:3]
    await with_measures(lib, name, old)
    assert (await states(lib, name))["colourfulness"] == PENDING
    id = uuid.UUID(name.rpartition("/")[2])
    # As the migration leaves it.
    await lib.rows(
        "UPDATE catalog.photos SET measure_due = :now WHERE id = :id", now=lib.clock.now(), id=id
    )
    await work(lib)
    assert (await get(lib, name)).analysis == before.analysis


async def test_photos_whose_measures_nobody_waits_for_can_be_named(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    before = await get(lib, name)
    await with_measures(lib, name, [])
    await work(lib)
    assert (await states(lib, name))["sharpness"] == PENDING, "as rows from elsewhere may be"
    assert await ask(lib, persona, names=[name]) == 1
    await work(lib)
    assert (await get(lib, name)).analysis == before.analysis


async def test_requests_that_are_refused(lib: Library) -> None:
    persona, pillar = await lib.place()
    _, foreign = await lib.place()
    mine, theirs = (await lib.shelve(pillar)).name, (await lib.shelve(foreign)).name
    refused: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"measures": ["beauty"]}, InvalidArgument),
        ({"names": ["holiday.jpg"]}, InvalidArgument),
        ({"names": [f"{persona}/photos/17"]}, InvalidArgument),
        ({"names": [mine] * 2}, InvalidArgument),
        ({"names": [f"{persona}/photos/{uuid.uuid4()}" for _ in range(201)]}, InvalidArgument),
        ({"names": [mine, theirs]}, NotFound),
        ({"names": [mine, f"{persona}/photos/{uuid.uuid4()}"]}, NotFound),
    ]
    for fields, error in refused:
        with pytest.raises(error):
            await ask(lib, persona, **fields)
    with pytest.raises(NotFound):
        await ask(lib, "personas/nobody-here")
    async with lib.statements() as seen:
        await ask(lib, persona, names=[mine], measures=["sharpness"])
    assert len(seen) <= 5


async def test_lost_bytes_are_told_and_the_photo_stays(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    picture = (await stored(lib, name)).picture
    await lib.blobs.delete(thumbnail_key(picture))
    await ask(lib, persona, names=[name], measures=list(MEASURED))
    await work(lib)
    assert set((await states(lib, name)).values()) == {READY, SKIPPED}, "made of the original"
    await lib.blobs.delete(original_key(picture))
    await ask(lib, persona, names=[name], measures=["sharpness"])
    await work(lib)
    shown = await measures(lib, name)
    assert shown["sharpness"].state == FAILED
    assert "originals/" in shown["sharpness"].error.message
    assert shown["exposure"].state == READY


async def test_a_damaged_thumbnail_fails_what_looks_at_it(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    await lib.blobs.put(thumbnail_key((await stored(lib, name)).picture), b"\xff\xd8 no picture")
    await ask(lib, persona, names=[name], measures=["sharpness", "caption"])
    await work(lib, Painter())
    shown = await states(lib, name)
    assert (shown["sharpness"], shown["caption"]) == (FAILED, READY)


class Away:
    """A blob store that does not answer."""

    async def get(self, key: str) -> bytes:
        raise Unavailable(f"nobody knows where {key} is")


async def test_an_outage_uses_up_no_try(lib: Library) -> None:
    persona, _ = await lib.place()
    names = [(await lib.photo(persona)).name for _ in range(3)]
    await ask(lib, persona, names=names, measures=["sharpness"])
    for _ in range(MAX_ATTEMPTS + 2):
        await work(lib, blobs=Away())
        assert {(await states(lib, name))["sharpness"] for name in names} == {PENDING}
        await work(lib)
        assert (await states(lib, names[0]))["sharpness"] == PENDING, "not at once"
        lib.clock.advance(PAUSE)
    await work(lib)
    assert {(await states(lib, name))["sharpness"] for name in names} == {READY}


async def test_a_worker_that_dies_is_followed_by_another_until_it_is_enough(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    await ask(lib, persona, names=[name], measures=["sharpness"])
    for _ in range(MAX_ATTEMPTS):
        async with lib.catalog.changing() as tx:
            now = lib.clock.now()
            assert [due.photo.name for due in await tx.photos.take_due(now, now + LEASE, 9)] == [
                name
            ]
            assert await tx.photos.take_due(now, now + LEASE, 9) == []
            await tx.commit()
        lib.clock.advance(LEASE + timedelta(seconds=1))
    await work(lib)
    shown = (await measures(lib, name))["sharpness"]
    assert shown.state == FAILED
    assert "ended early" in shown.error.message
    assert (await get(lib, name)).quality
    assert await ask(lib, persona) == 1
    await work(lib)
    assert (await states(lib, name))["sharpness"] == READY


async def test_a_caption_fails_alone_and_is_filled_by_a_retry(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    before = await get(lib, name)
    assert (await states(lib, name))["caption"] == SKIPPED, "no model by default"
    painter = Painter(away=True)
    assert await ask(lib, persona, names=[name], measures=["caption"]) == 1
    await work(lib, painter)
    shown = (await measures(lib, name))["caption"]
    assert (shown.state, shown.text) == (FAILED, "")
    assert shown.error.message == "the language model did not answer"
    numbers = [m for m in (await get(lib, name)).analysis.measures if m.id != "caption"]
    assert numbers == [m for m in before.analysis.measures if m.id != "caption"]
    painter.away = False
    assert await ask(lib, persona) == 1
    await work(lib, painter)
    shown = (await measures(lib, name))["caption"]
    assert (shown.state, shown.text) == (READY, "Waves under a blue sky.")
    told = await lib.rows(
        "SELECT payload FROM catalog.outbox WHERE subject = :s AND type = 'photo.updated'"
        " ORDER BY id",
        s=name,
    )
    last = event_pb2.PhotoUpdated.FromString(bytes(told[-1].payload))
    assert list(last.texts) == ["Waves under a blue sky."]
    assert not shown.HasField("error")
    thumbnail = await lib.blobs.get(thumbnail_key((await stored(lib, name)).picture))
    assert painter.seen == [thumbnail]
    assert (await get(lib, name)).quality == before.quality, "a text is no number"
    assert (await get(lib, name)).caption == "", "what people write is theirs"
    await ask(lib, persona, names=[name], measures=["caption"])
    await work(lib)
    assert (await states(lib, name))["caption"] == SKIPPED, "there is no model any more"


async def test_the_model_is_shown_the_thumbnail(lib: Library) -> None:
    persona, _ = await lib.place()
    name = (await lib.photo(persona)).name
    async with language_model([says("  A wave,\nseen from\tabove. ")]) as stand_in:
        settings = VisionModelSettings.model_validate(
            {"base_url": stand_in.url, "model": MODEL, "timeout": 60.0}
        )
        async with ChatModel(settings) as model:
            await ask(lib, persona, names=[name], measures=["caption"])
            await work(lib, ModelCaptioner(model))
            thumbnail = await lib.blobs.get(thumbnail_key((await stored(lib, name)).picture))
            (asked,) = stand_in.asked
            question, picture = asked.body["messages"][0]["content"]
            assert "one plain sentence" in question["text"]
            url = picture["image_url"]["url"]
            assert url == "data:image/jpeg;base64," + base64.b64encode(thumbnail).decode()
            assert (await measures(lib, name))["caption"].text == "A wave, seen from above."
            stand_in.will(fails(400))
            await ask(lib, persona, names=[name], measures=["caption"])
            await work(lib, ModelCaptioner(model))
            told = (await measures(lib, name))["caption"]
            assert (told.state, told.text) == (FAILED, "")
            assert "HTTP 400" in told.error.message
