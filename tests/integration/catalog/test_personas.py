"""Personas through the service: names, time zones, config, masks, etags, requests sent twice."""

import asyncio
import uuid

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import persona_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidArgument, NotFound
from tests.integration.catalog.library import Library

Persona = persona_pb2.Persona


def create(request_id: str = "", persona_id: str = "", **fields: object) -> pb.CreatePersonaRequest:
    return pb.CreatePersonaRequest(
        persona=Persona(**fields),  # type: ignore[arg-type]
        persona_id=persona_id,
        request_id=request_id,
    )


def full_persona(display_name: str) -> Persona:
    captions = persona_pb2.CaptionConfig
    hashtags = persona_pb2.HashtagStrategy
    return Persona(
        display_name=display_name,
        time_zone="Europe/Lisbon",
        voice="Dry, never loud.",
        caption_config=captions(
            tone=captions.TONE_PLAYFUL,
            voice_attributes=["dry", "warm"],
            length=captions.LENGTH_SHORT,
            emoji_density=captions.EMOJI_DENSITY_NONE,
            topics=["coffee"],
            avoid_topics=["politics"],
            example_captions=["Morning."],
            max_length=300,
        ),
        hashtag_strategy=hashtags(
            niche_categories=["espresso"],
            target_hashtags=["#coffee", "#café"],
            avoid_hashtags=["#follow4follow"],
            brand_hashtags=["#nora"],
            size_mix=hashtags.SIZE_MIX_NICHE_HEAVY,
            max_hashtags=9,
        ),
        cadence=persona_pb2.Cadence(
            posts_per_week=4,
            min_gap_hours=20,
            windows=[{"weekday": 2, "start_minute": 300, "end_minute": 480}],  # type: ignore
            blackout_dates=["2026-12-24"],
        ),
    )


async def test_round_trip_keeps_every_field(lib: Library) -> None:
    sent = full_persona("Nora & Friends")
    created = await lib.stub.CreatePersona(pb.CreatePersonaRequest(persona=sent))
    assert created.name == "personas/nora-friends"
    assert created.state == Persona.STATE_ACTIVE
    got = await lib.stub.GetPersona(pb.GetPersonaRequest(name=created.name))
    assert got == created
    for field in ("name", "state", "create_time", "update_time", "etag"):
        got.ClearField(field)
    assert got == sent


async def test_time_zone_defaults_to_utc_and_id_can_be_chosen(lib: Library) -> None:
    created = await lib.stub.CreatePersona(create(persona_id="the-barista", display_name="写真"))
    assert (created.name, created.time_zone) == ("personas/the-barista", "UTC")


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "../etc/passwd", "/etc/localtime"])
async def test_unknown_time_zone_is_refused_by_field(lib: Library, zone: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await lib.persona(time_zone=zone)
    assert [v.field for v in raised.value.violations] == ["persona.time_zone"]


async def test_wrong_config_names_every_field(lib: Library) -> None:
    wrong = Persona(
        display_name="Wrong",
        hashtag_strategy=persona_pb2.HashtagStrategy(target_hashtags=["#fine", "not one"]),
        cadence=persona_pb2.Cadence(blackout_dates=["2026-02-30"]),
    )
    with pytest.raises(InvalidArgument) as raised:
        await lib.stub.CreatePersona(pb.CreatePersonaRequest(persona=wrong))
    assert [v.field for v in raised.value.violations] == [
        "persona.hashtag_strategy.target_hashtags[1]",
        "persona.cadence.blackout_dates[0]",
    ]


@pytest.mark.parametrize("name", ["", "   "])
async def test_display_name_must_not_be_empty(lib: Library, name: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await lib.stub.CreatePersona(create(persona_id="nobody", display_name=name))
    assert raised.value.violations[0].field == "persona.display_name"


async def test_display_name_without_an_id_in_it_asks_for_one(lib: Library) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await lib.stub.CreatePersona(create(display_name="写真"))
    assert raised.value.violations[0].field == "persona_id"


async def test_display_names_are_unique_without_case(lib: Library) -> None:
    await lib.stub.CreatePersona(create(persona_id="strasse", display_name="Straße"))
    with pytest.raises(AlreadyExists):
        await lib.stub.CreatePersona(create(persona_id="other", display_name="STRASSE"))


async def test_concurrent_creates_of_one_name_give_one_persona(lib: Library) -> None:
    requests = [create(persona_id=f"twin-{n}", display_name="Twin") for n in range(6)]
    answers = await asyncio.gather(
        *(lib.stub.CreatePersona(request) for request in requests), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, AlreadyExists)]
    assert len(refused) == 5
    assert len(await lib.rows("SELECT 1 FROM catalog.personas WHERE display_name = 'Twin'")) == 1


async def test_same_request_id_gives_the_first_answer(lib: Library) -> None:
    request = create(request_id=str(uuid.uuid4()), display_name="Once")
    first = await lib.stub.CreatePersona(request)
    again = await asyncio.gather(*(lib.stub.CreatePersona(request) for _ in range(4)))
    assert all(answer == first for answer in again)


async def test_same_request_id_for_another_request_is_refused(lib: Library) -> None:
    id = str(uuid.uuid4())
    await lib.stub.CreatePersona(create(request_id=id, display_name="Reused"))
    with pytest.raises(AlreadyExists) as raised:
        await lib.stub.CreatePersona(create(request_id=id, display_name="Reused Otherwise"))
    assert raised.value.reason == "REQUEST_ID_REUSED"


async def test_delete_can_be_repeated_with_its_request_id(lib: Library) -> None:
    name = await lib.persona()
    request = pb.DeletePersonaRequest(name=name, request_id=str(uuid.uuid4()))
    await lib.stub.DeletePersona(request)
    await lib.stub.DeletePersona(request)
    with pytest.raises(NotFound):
        await lib.stub.DeletePersona(pb.DeletePersonaRequest(name=name))


async def update(lib: Library, paths: list[str], **fields: object) -> Persona:
    persona = Persona(**fields)  # type: ignore[arg-type]
    request = pb.UpdatePersonaRequest(persona=persona, update_mask=FieldMask(paths=paths))
    return await lib.stub.UpdatePersona(request)


async def test_update_changes_only_what_the_mask_names(lib: Library) -> None:
    created = await lib.stub.CreatePersona(pb.CreatePersonaRequest(persona=full_persona("Masked")))
    lib.clock.advance(60)
    changed = await update(
        lib,
        ["caption_config.tone", "voice"],
        name=created.name,
        caption_config=persona_pb2.CaptionConfig(length=persona_pb2.CaptionConfig.LENGTH_LONG),
        display_name="Ignored",
    )
    assert changed.voice == ""
    assert changed.display_name == "Masked"
    assert changed.caption_config.tone == persona_pb2.CaptionConfig.TONE_UNSPECIFIED
    assert changed.caption_config.length == persona_pb2.CaptionConfig.LENGTH_SHORT
    assert list(changed.caption_config.topics) == ["coffee"]
    assert changed.etag != created.etag
    assert changed.update_time.seconds == created.update_time.seconds + 60
    assert await lib.stub.GetPersona(pb.GetPersonaRequest(name=created.name)) == changed


async def test_update_without_a_mask_takes_what_is_set(lib: Library) -> None:
    name = await lib.persona(voice="calm", time_zone="Asia/Tokyo")
    changed = await update(lib, [], name=name, voice="loud")
    assert (changed.voice, changed.time_zone) == ("loud", "Asia/Tokyo")


async def test_update_of_everything_resets_what_is_not_sent(lib: Library) -> None:
    name = await lib.persona(voice="calm", time_zone="Asia/Tokyo")
    changed = await update(lib, ["*"], name=name, display_name="Fresh Start")
    assert (changed.voice, changed.time_zone) == ("", "UTC")


async def test_unknown_mask_path_is_refused(lib: Library) -> None:
    name = await lib.persona()
    with pytest.raises(InvalidArgument) as raised:
        await update(lib, ["vioce"], name=name, voice="x")
    assert raised.value.violations[0].field == "update_mask"


async def test_stale_etag_is_refused_and_a_fresh_one_passes(lib: Library) -> None:
    name = await lib.persona()
    first = await lib.stub.GetPersona(pb.GetPersonaRequest(name=name))
    second = await update(lib, ["voice"], name=name, voice="a", etag=first.etag)
    with pytest.raises(Conflict) as raised:
        await update(lib, ["voice"], name=name, voice="b", etag=first.etag)
    assert raised.value.reason == "STALE_ETAG"
    third = await update(lib, ["voice"], name=name, voice="b", etag=second.etag)
    with pytest.raises(Conflict):
        await lib.stub.DeletePersona(pb.DeletePersonaRequest(name=name, etag=second.etag))
    await lib.stub.DeletePersona(pb.DeletePersonaRequest(name=name, etag=third.etag))


async def test_archived_persona_is_readable_and_takes_nothing_new(lib: Library) -> None:
    persona, pillar = await lib.place()
    answer = await lib.stub.ArchivePersona(pb.ArchivePersonaRequest(name=persona))
    assert answer.persona.state == Persona.STATE_ARCHIVED
    again = await lib.stub.ArchivePersona(pb.ArchivePersonaRequest(name=persona))
    assert again.persona.etag == answer.persona.etag
    assert (await lib.stub.GetPillar(pb.GetPillarRequest(name=pillar))).name == pillar
    for adding in (lib.pillar(persona), lib.upload(persona)):
        with pytest.raises(FailedPrecondition) as raised:
            await adding
        assert raised.value.reason == "ARCHIVED"


async def test_delete_is_refused_while_there_are_pillars(lib: Library) -> None:
    persona, pillar = await lib.place()
    with pytest.raises(FailedPrecondition) as raised:
        await lib.stub.DeletePersona(pb.DeletePersonaRequest(name=persona))
    assert raised.value.reason == "NOT_EMPTY"
    await lib.stub.DeletePillar(pb.DeletePillarRequest(name=pillar))
    await lib.stub.DeletePersona(pb.DeletePersonaRequest(name=persona))
    with pytest.raises(NotFound):
        await lib.stub.GetPersona(pb.GetPersonaRequest(name=persona))


async def test_list_filters_by_state_and_prefix(lib: Library) -> None:
    kept = await lib.persona(display_name="Zebra One")
    archived = await lib.persona(display_name="Zebra Two")
    await lib.persona(display_name="Yak")
    await lib.stub.ArchivePersona(pb.ArchivePersonaRequest(name=archived))

    async def names(filter: str) -> list[str]:
        answer = await lib.stub.ListPersonas(pb.ListPersonasRequest(filter=filter))
        return [persona.name for persona in answer.personas]

    assert await names('display_name = "zebra*"') == [kept, archived]
    assert await names('display_name = "zebra*" AND state = "ACTIVE"') == [kept]
    assert await names('display_name = "ZEBRA TWO"') == [archived]
    assert await names('display_name = "zebra%*"') == []
    with pytest.raises(InvalidArgument, match="ACTIVE, ARCHIVED"):
        await names('state = "GONE"')
    with pytest.raises(InvalidArgument, match="there is no field 'voice'"):
        await names('voice = "dry"')


async def test_unknown_and_malformed_names(lib: Library) -> None:
    with pytest.raises(NotFound):
        await lib.stub.GetPersona(pb.GetPersonaRequest(name="personas/nobody-here"))
    with pytest.raises(InvalidArgument):
        await lib.stub.GetPersona(pb.GetPersonaRequest(name="persona/nora"))
    with pytest.raises(InvalidArgument) as raised:
        await update(lib, ["voice"], name="nora", voice="x")
    assert raised.value.violations[0].field == "persona.name"


async def test_reading_a_persona_costs_one_statement(lib: Library) -> None:
    name = await lib.persona()
    async with lib.statements() as seen:
        await lib.stub.GetPersona(pb.GetPersonaRequest(name=name))
    assert len(seen) == 1
