"""Previews through the service: equal to what happens once the change is made, and kept nowhere."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import gap_report_pb2, persona_pb2, pillar_pb2
from colonnade.catalog.v1 import planning_service_pb2 as planning
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from services.catalog.domain.photo import Filing, FilingState, Rights, Usage
from tests.integration.catalog.library import Library

Pillar = pillar_pb2.Pillar
Change = planning.PillarChange
CHANGES = 40


def at(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


async def preview(lib: Library, persona: str, **fields: Any) -> planning.PreviewGapsResponse:
    return await lib.planning.PreviewGaps(planning.PreviewGapsRequest(parent=persona, **fields))


async def analyze(lib: Library, persona: str, **fields: Any) -> gap_report_pb2.GapReport:
    request = pb.AnalyzeGapsRequest(parent=persona, **fields)
    return (await lib.stub.AnalyzeGaps(request)).gap_report


def said(report: gap_report_pb2.GapReport) -> gap_report_pb2.GapReport:
    """What a report says, without its name and when it was made."""
    copy = gap_report_pb2.GapReport()
    copy.CopyFrom(report)
    copy.ClearField("name")
    copy.ClearField("create_time")
    return copy


async def filled(lib: Library, dice: random.Random) -> tuple[str, list[str]]:
    """A persona with three pillars and photos in every state."""
    persona = await lib.persona()
    pillars = [await lib.pillar(persona, weight=weight) for weight in (40, 30, 20)]
    now = lib.clock.now()
    for pillar in pillars:
        for _ in range(dice.randint(0, 6)):
            age = timedelta(days=dice.choice([1, 10, 40, 90]))
            fields: dict[str, Any] = dice.choice(
                [
                    {},
                    {},
                    {"usage": Usage.SCHEDULED},
                    {"usage": Usage.POSTED, "posted_time": now - timedelta(days=3)},
                    {"rights": Rights(held=True)},
                    {"filing": Filing(FilingState.REVIEW)},
                ]
            )
            await lib.shelve(pillar, create_time=now - age, **fields)
    return persona, pillars


def some_changes(pillars: list[str], dice: random.Random) -> list[Change]:
    """Changes whose weights fit, whatever the others are."""
    changes = []
    for pillar in dice.sample(pillars, dice.randint(0, len(pillars))):
        change = Change(pillar=pillar)
        if dice.random() < 0.7:
            change.weight = dice.randint(0, 20)
        match dice.choice(["own", "clear", "as it is"]):
            case "own":
                change.posts_per_week = dice.randint(0, 10)
            case "clear":
                change.clear_posts_per_week = True
        states = [Pillar.STATE_UNSPECIFIED, Pillar.STATE_ACTIVE, Pillar.STATE_INACTIVE]
        change.state = dice.choice(states)
        changes.append(change)
    return changes


async def apply(
    lib: Library, persona: str, changes: list[Change], posts_per_week: int | None
) -> None:
    """Makes the changes by the methods that keep them."""
    for change in changes:
        pillar = Pillar(name=change.pillar)
        request = pb.UpdatePillarRequest(pillar=pillar)
        for field in ("weight", "posts_per_week"):
            if change.HasField(field):
                setattr(request.pillar, field, getattr(change, field))
                request.update_mask.paths.append(field)
        if change.clear_posts_per_week:
            request.update_mask.paths.append("posts_per_week")
        if change.state:
            request.pillar.state = change.state
            request.update_mask.paths.append("state")
        if request.update_mask.paths:
            await lib.stub.UpdatePillar(request)
    if posts_per_week:
        cadence = persona_pb2.Cadence(posts_per_week=posts_per_week)
        changed = persona_pb2.Persona(name=persona, cadence=cadence)
        await lib.stub.UpdatePersona(pb.UpdatePersonaRequest(persona=changed))


async def test_a_preview_is_the_report_after_the_change_was_made(lib: Library) -> None:
    dice = random.Random(23)
    persona, pillars = await filled(lib, dice)
    now = at(lib.clock.now())
    for _ in range(CHANGES):
        changes = some_changes(pillars, dice)
        in_all = dice.choice([None, dice.randint(1, 70)])
        fields = {"horizon_days": dice.randint(1, 365), "as_of_time": now}
        before = await analyze(lib, persona, **fields)
        seen = await preview(lib, persona, changes=changes, posts_per_week=in_all, **fields)
        await apply(lib, persona, changes, in_all)
        after = await analyze(lib, persona, **fields)
        assert said(seen.current) == said(before)
        assert said(seen.preview) == said(after)


async def counts(lib: Library) -> dict[str, int]:
    """How many rows each table of the schema has."""
    tables = await lib.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'catalog'"
    )
    return {
        table.table_name: (await lib.rows(f"SELECT count(*) FROM catalog.{table.table_name}"))[0][0]
        for table in tables
    }


async def test_a_preview_writes_nothing(lib: Library) -> None:
    persona, pillars = await filled(lib, random.Random(1))
    before = await counts(lib)
    assert "request_log" in before
    assert "outbox" in before
    async with lib.statements() as seen:
        await preview(lib, persona, changes=[Change(pillar=pillars[0], weight=1)], posts_per_week=9)
    assert await counts(lib) == before
    assert len(seen) == 2
    assert all(statement.startswith("SELECT") for statement in seen)


async def test_costs_are_the_photos_to_make_by_their_price(lib: Library) -> None:
    persona = await lib.persona()
    pillar = await lib.pillar(persona, weight=50)
    first = await lib.shelve(pillar)
    await lib.shelve(pillar, scene=first.id)
    change = Change(pillar=pillar, weight=100)
    answer = await preview(lib, persona, changes=[change], cost_per_photo=12.5)
    assert (answer.current.total_gap, answer.preview.total_gap) == (5.75, 11.75)
    assert (answer.current_cost.photos, answer.current_cost.cost) == (6, 75.0)
    assert (answer.preview_cost.photos, answer.preview_cost.cost) == (12, 150.0)
    assert not answer.current.name
    assert not answer.preview.name
    free = await preview(lib, persona)
    assert (free.current_cost.photos, free.current_cost.cost) == (6, 0.0)
    assert said(free.current) == said(free.preview)


async def test_what_is_refused_is_what_saving_refuses(lib: Library) -> None:
    persona = await lib.persona()
    pillar = await lib.pillar(persona, weight=60)
    city = await lib.pillar(persona, weight=40)
    with pytest.raises(FailedPrecondition) as raised:
        await preview(lib, persona, changes=[Change(pillar=pillar, weight=61)])
    assert raised.value.reason == "WEIGHTS_EXCEED_100"
    assert raised.value.metadata == {"sum": "101", "left": "60"}
    other, foreign = await lib.place()
    for unknown in (f"{persona}/pillars/nothing", foreign):
        with pytest.raises(NotFound):
            await preview(lib, persona, changes=[Change(pillar=unknown)])
    with pytest.raises(InvalidArgument) as twice:
        await preview(lib, persona, changes=[Change(pillar=p) for p in (pillar, city, pillar)])
    assert [v.field for v in twice.value.violations] == ["changes[2].pillar"]
    for fields in ({"posts_per_week": 71}, {"horizon_days": 366}, {"cost_per_photo": -1}):
        with pytest.raises(InvalidArgument) as wrong:
            await preview(lib, persona, **fields)
        assert [v.field for v in wrong.value.violations] == list(fields)
    with pytest.raises(NotFound):
        await preview(lib, "personas/nobody-here")
    empty = await lib.persona()
    with pytest.raises(FailedPrecondition) as none:
        await preview(lib, empty)
    assert none.value.reason == "NO_PILLARS"
    assert other
