"""Templates of pillars through the service: read, and applied all or nothing."""

import asyncio
import uuid
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import pillar_pb2
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.pillar_template_pb2 import PillarTemplate

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from tests.integration.catalog.library import Library

Apply = planning.ApplyPillarTemplateRequest
COFFEE = "pillarTemplates/coffee-shop"


async def apply(lib: Library, persona: str, **fields: Any) -> planning.ApplyPillarTemplateResponse:
    fields.setdefault("pillar_template", COFFEE)
    return await lib.planning.ApplyPillarTemplate(Apply(parent=persona, **fields))


async def pillars(lib: Library, persona: str) -> list[pillar_pb2.Pillar]:
    return list((await lib.stub.ListPillars(pb.ListPillarsRequest(parent=persona))).pillars)


async def test_templates_are_listed_by_pages_and_got(lib: Library) -> None:
    listed: list[PillarTemplate] = []
    token = ""
    while True:
        request = planning.ListPillarTemplatesRequest(page_size=4, page_token=token)
        page = await lib.planning.ListPillarTemplates(request)
        listed += page.pillar_templates
        token = page.next_page_token
        if not token:
            break
    assert [t.name.rpartition("/")[2] for t in listed] == [
        "artist-maker",
        "coffee-shop",
        "fitness-coach",
        "local-shop",
        "software-team",
        "travel-creator",
    ]
    for template in listed:
        one = planning.GetPillarTemplateRequest(name=template.name)
        assert await lib.planning.GetPillarTemplate(one) == template
        assert sum(pillar.weight for pillar in template.pillars) == 100
        assert not any(pillar.name for pillar in template.pillars)
    with pytest.raises(NotFound):
        await lib.planning.GetPillarTemplate(
            planning.GetPillarTemplateRequest(name="pillarTemplates/nothing")
        )
    with pytest.raises(InvalidArgument):
        await lib.planning.ListPillarTemplates(
            planning.ListPillarTemplatesRequest(page_token="made-up")
        )


async def test_what_is_applied_is_there(lib: Library) -> None:
    persona = await lib.persona()
    answer = await apply(lib, persona)
    there = await pillars(lib, persona)
    assert len(there) == 5
    assert {p.name: p for p in answer.pillars} == {p.name: p for p in there}
    assert not answer.skipped
    assert sum(pillar.weight for pillar in there) == 100
    assert all(pillar.guidelines.topics for pillar in there)


async def test_all_or_nothing(lib: Library) -> None:
    persona = await lib.persona()
    mine = await lib.pillar(persona, display_name="from the OVEN", weight=1)
    with pytest.raises(AlreadyExists, match="from the OVEN"):
        await apply(lib, persona)
    other = await lib.pillar(persona, display_name="Other", weight=30)
    for mode in (Apply.MODE_CREATE, Apply.MODE_SKIP_EXISTING):
        with pytest.raises((FailedPrecondition, AlreadyExists)):
            await apply(lib, persona, mode=mode)
    assert {pillar.name for pillar in await pillars(lib, persona)} == {mine, other}


async def test_weights_that_do_not_fit_create_nothing(lib: Library) -> None:
    persona = await lib.persona()
    mine = await lib.pillar(persona, weight=1)
    with pytest.raises(FailedPrecondition) as raised:
        await apply(lib, persona)
    assert raised.value.reason == "WEIGHTS_EXCEED_100"
    assert [pillar.name for pillar in await pillars(lib, persona)] == [mine]


async def test_existing_pillars_are_left_as_they_are(lib: Library) -> None:
    persona = await lib.persona()
    mine = await lib.pillar(persona, display_name="from the OVEN", weight=20)
    await lib.shelve(mine)
    answer = await apply(lib, persona, mode=Apply.MODE_SKIP_EXISTING)
    (skipped,) = answer.skipped
    assert (skipped.name, skipped.display_name, skipped.photo_count) == (mine, "from the OVEN", 1)
    assert len(answer.pillars) == 4
    assert len(await pillars(lib, persona)) == 5
    again = await apply(lib, persona, mode=Apply.MODE_SKIP_EXISTING)
    assert (len(again.pillars), len(again.skipped)) == (0, 5)


async def test_the_same_request_has_its_effect_once(lib: Library) -> None:
    persona = await lib.persona()
    mine = await lib.pillar(persona, display_name="from the OVEN", weight=20)
    fields = {"mode": Apply.MODE_SKIP_EXISTING, "request_id": str(uuid.uuid4())}
    first = await apply(lib, persona, **fields)
    assert await apply(lib, persona, **fields) == first
    await lib.stub.DeletePillar(pb.DeletePillarRequest(name=first.pillars[0].name))
    left = await apply(lib, persona, **fields)
    assert list(left.pillars) == list(first.pillars)[1:]
    assert [pillar.name for pillar in left.skipped] == [mine]
    fields["mode"] = Apply.MODE_CREATE
    with pytest.raises(AlreadyExists) as reused:
        await apply(lib, persona, **fields)
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_two_at_once_cannot_both_take_the_hundred(lib: Library) -> None:
    persona = await lib.persona()
    templates = (COFFEE, "pillarTemplates/travel-creator")
    answers = await asyncio.gather(
        *(apply(lib, persona, pillar_template=template) for template in templates),
        return_exceptions=True,
    )
    (refused,) = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(refused, FailedPrecondition)
    assert refused.reason == "WEIGHTS_EXCEED_100"
    assert len(await pillars(lib, persona)) == 5


async def test_what_is_refused(lib: Library) -> None:
    persona = await lib.persona()
    with pytest.raises(NotFound):
        await apply(lib, persona, pillar_template="pillarTemplates/nothing")
    with pytest.raises(NotFound):
        await apply(lib, "personas/nobody-here")
    await lib.stub.ArchivePersona(pb.ArchivePersonaRequest(name=persona))
    with pytest.raises(FailedPrecondition) as raised:
        await apply(lib, persona)
    assert raised.value.reason == "ARCHIVED"


async def test_it_costs_five_statements_at_most(lib: Library) -> None:
    persona = await lib.persona()
    async with lib.statements() as seen:
        await apply(lib, persona, request_id=str(uuid.uuid4()))
    assert len(seen) <= 5
