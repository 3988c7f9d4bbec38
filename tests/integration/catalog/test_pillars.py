"""Pillars through the service: weights, dates, names, counts, deletion."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import pillar_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain import pillar as domain
from tests.integration.catalog.library import Library
from tests.support.wait import eventually

Pillar = pillar_pb2.Pillar


def at(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


async def get(lib: Library, name: str) -> Pillar:
    return await lib.stub.GetPillar(pb.GetPillarRequest(name=name))


async def update(lib: Library, name: str, *paths: str, **fields: Any) -> Pillar:
    request = pb.UpdatePillarRequest(
        pillar=Pillar(name=name, **fields), update_mask=FieldMask(paths=paths)
    )
    return await lib.stub.UpdatePillar(request)


async def test_round_trip_keeps_every_field(lib: Library) -> None:
    persona = await lib.persona()
    sent = Pillar(
        display_name="Café Life",
        description="Tables, cups, mornings.",
        weight=40,
        priority=5,
        posts_per_week=0,
        start_time=at(datetime(2026, 1, 1, tzinfo=UTC)),
        end_time=at(datetime(2027, 1, 1, tzinfo=UTC)),
        guidelines=pillar_pb2.Guidelines(
            tone="calm", topics=["cups"], avoid_topics=["brands"], style_notes="Window light."
        ),
        state=Pillar.STATE_INACTIVE,
    )
    request = pb.CreatePillarRequest(parent=persona, pillar=sent, pillar_id="cafe")
    created = await lib.stub.CreatePillar(request)
    assert created.name == f"{persona}/pillars/cafe"
    got = await get(lib, created.name)
    assert got == created
    assert got.HasField("posts_per_week")
    for field in ("name", "create_time", "update_time", "etag"):
        got.ClearField(field)
    assert got == sent


async def test_defaults(lib: Library) -> None:
    persona = await lib.persona()
    pillar = await get(lib, await lib.pillar(persona, display_name="Plain"))
    assert (pillar.priority, pillar.state, pillar.weight) == (3, Pillar.STATE_ACTIVE, 0)
    assert not pillar.HasField("posts_per_week")


@pytest.mark.parametrize("attempt", range(5))
async def test_parallel_creates_cannot_exceed_100_together(lib: Library, attempt: int) -> None:
    persona = await lib.persona()
    answers = await asyncio.gather(
        *(lib.pillar(persona, weight=60) for _ in range(2)), return_exceptions=True
    )
    (refused,) = [answer for answer in answers if isinstance(answer, FailedPrecondition)]
    assert refused.reason == "WEIGHTS_EXCEED_100"
    assert refused.metadata == {"sum": "120", "left": "40"}
    assert len([answer for answer in answers if isinstance(answer, str)]) == 1


async def test_a_create_waits_for_the_one_before_it(lib: Library) -> None:
    persona = await lib.persona()
    id = persona.removeprefix("personas/")
    now = lib.clock.now()

    async def waits() -> bool:
        return second.done() or bool(
            await lib.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        )

    async with lib.catalog.changing() as tx:
        await tx.personas.locked(id)
        await tx.pillars.add(domain.Pillar(id, "first", "First", now, now, weight=60))
        second = asyncio.create_task(lib.pillar(persona, weight=60))
        await eventually(waits)
        await tx.commit()
    with pytest.raises(FailedPrecondition, match="would sum to 120"):
        await second


async def test_inactive_and_ended_pillars_do_not_weigh(lib: Library) -> None:
    persona = await lib.persona()
    past = at(lib.clock.now() - timedelta(seconds=1))
    await lib.pillar(persona, weight=60)
    inactive = await lib.pillar(persona, weight=60, state=Pillar.STATE_INACTIVE)
    ended = await lib.pillar(persona, weight=60, end_time=past)
    await lib.pillar(persona, weight=40)
    with pytest.raises(FailedPrecondition, match="would sum to 160; 0 of 100 is left"):
        await update(lib, inactive, "state", state=Pillar.STATE_ACTIVE)
    with pytest.raises(FailedPrecondition, match="would sum to 160"):
        await update(lib, ended, "end_time")
    assert (await update(lib, ended, "display_name", display_name="Ended")).weight == 60


async def test_a_pillar_does_not_weigh_against_itself(lib: Library) -> None:
    persona = await lib.persona()
    pillar = await lib.pillar(persona, weight=100)
    assert (await update(lib, pillar, "weight", weight=90)).weight == 90
    await lib.pillar(persona, weight=10)
    with pytest.raises(FailedPrecondition, match="90 of 100 is left"):
        await update(lib, pillar, "weight", weight=91)


async def test_end_must_be_later_than_start(lib: Library) -> None:
    persona = await lib.persona()
    noon = at(lib.clock.now())
    with pytest.raises(InvalidArgument) as raised:
        await lib.pillar(persona, start_time=noon, end_time=noon)
    assert raised.value.violations[0].field == "pillar.end_time"


@pytest.mark.parametrize(
    ("field", "value"), [("weight", 101), ("priority", 6), ("posts_per_week", 71)]
)
async def test_ranges(lib: Library, field: str, value: int) -> None:
    persona = await lib.persona()
    with pytest.raises(InvalidArgument) as raised:
        await lib.pillar(persona, **{field: value})
    assert raised.value.violations[0].field == f"pillar.{field}"


async def test_names_are_unique_in_a_persona_and_free_in_another(lib: Library) -> None:
    persona = await lib.persona()
    await lib.pillar(persona, display_name="Coffee")
    with pytest.raises(AlreadyExists):
        await lib.stub.CreatePillar(
            pb.CreatePillarRequest(
                parent=persona, pillar=Pillar(display_name="COFFEE"), pillar_id="other"
            )
        )
    assert await lib.pillar(await lib.persona(), display_name="Coffee")


async def test_same_request_id_gives_the_first_answer(lib: Library) -> None:
    request = pb.CreatePillarRequest(
        parent=await lib.persona(),
        pillar=Pillar(display_name="Once", weight=60),
        request_id=str(uuid.uuid4()),
    )
    answers = await asyncio.gather(*(lib.stub.CreatePillar(request) for _ in range(4)))
    assert len({answer.SerializeToString() for answer in answers}) == 1


async def test_photos_are_counted_and_keep_the_pillar(lib: Library) -> None:
    persona, pillar = await lib.place()
    photo = await lib.photo(persona)
    await lib.photo(persona)
    assert (await get(lib, pillar)).photo_count == 2
    with pytest.raises(FailedPrecondition) as raised:
        await lib.stub.DeletePillar(pb.DeletePillarRequest(name=pillar))
    assert raised.value.reason == "NOT_EMPTY"
    other = await lib.pillar(persona)
    await lib.stub.MovePhoto(pb.MovePhotoRequest(name=photo.name, pillar=other))
    listed = await lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona))
    assert {p.name: p.photo_count for p in listed.pillars} == {pillar: 1, other: 1}


async def test_listing_many_pillars_with_counts_costs_one_statement(lib: Library) -> None:
    persona, _ = await lib.place()
    for _ in range(5):
        await lib.pillar(persona)
    await lib.photo(persona)
    async with lib.statements() as seen:
        await lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona))
    assert len(seen) == 1


async def test_list_filters_by_state(lib: Library) -> None:
    persona, active = await lib.place()
    inactive = await lib.pillar(persona, state=Pillar.STATE_INACTIVE)

    async def names(filter: str) -> list[str]:
        request = pb.ListPillarsRequest(parent=persona, filter=filter)
        return [pillar.name for pillar in (await lib.stub.ListPillars(request)).pillars]

    assert await names('state = "ACTIVE"') == [active]
    assert await names("state != ACTIVE") == [inactive]


async def test_etag_and_unknown_names(lib: Library) -> None:
    persona, pillar = await lib.place()
    etag = (await get(lib, pillar)).etag
    await update(lib, pillar, "weight", weight=5, etag=etag)
    with pytest.raises(Conflict):
        await update(lib, pillar, "weight", weight=6, etag=etag)
    with pytest.raises(Conflict):
        await lib.stub.DeletePillar(pb.DeletePillarRequest(name=pillar, etag=etag))
    for missing in (f"{persona}/pillars/none", "personas/nobody-here/pillars/none"):
        with pytest.raises(NotFound):
            await get(lib, missing)
        with pytest.raises(NotFound):
            await update(lib, missing, "weight", weight=1)
    for listing in (lib.pillar("personas/nobody-here"), list_of(lib, "personas/nobody-here")):
        with pytest.raises(NotFound):
            await listing


async def list_of(lib: Library, persona: str) -> pb.ListPillarsResponse:
    return await lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona))


async def test_pillar_of_another_persona_is_not_found(lib: Library) -> None:
    persona, pillar = await lib.place()
    other, _ = await lib.place()
    with pytest.raises(NotFound):
        await get(lib, pillar.replace(persona, other))
