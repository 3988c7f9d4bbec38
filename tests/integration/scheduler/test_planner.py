"""The calendar is filled from what the catalog has: looked at first, then scheduled."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import Filing, Photo, UsageRights
from colonnade.scheduler.v1 import planner_service_pb2 as pb
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.plan_pb2 import CalendarPlan, PlanOptions
from colonnade.scheduler.v1.planner_service_pb2_grpc import (
    PlannerServiceStub,
    add_PlannerServiceServicer_to_server,
)
from colonnade.scheduler.v1.post_pb2 import Post, PostResult
from typer.testing import CliRunner

from cli import output
from cli.main import app
from libs.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from libs.rpc.auth import Authenticator
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.scheduler.deps import planner_cases
from services.scheduler.module import PLANNER
from services.scheduler.planner_servicer import PlannerServicer
from tests.support.rpc import serve
from tests.support.scheduler_sites import Site
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

NORA = "personas/nora"
LISBON = ZoneInfo("Europe/Lisbon")


@pytest_asyncio.fixture(loop_scope="package")
async def planner(world: World) -> AsyncIterator[PlannerServiceStub]:
    cases = planner_cases(world.out, world.settings)
    servicer = PlannerServicer(cases.plans, cases.export, PageTokens(b"s"))
    register = add_PlannerServiceServicer_to_server
    async with serve(servicer, PLANNER, register, PlannerServiceStub) as stub:
        yield stub


def stocked(world: World, count: int = 8) -> None:
    """Two pillars with photos, best first, five posts a week."""
    persona = Persona(name=NORA, time_zone="Europe/Lisbon", state=Persona.STATE_ACTIVE)
    persona.cadence.posts_per_week = 5
    world.catalog.personas[NORA] = persona
    for pillar, weight in (("light", 60), ("stone", 40)):
        world.catalog.add_pillar(pillar, weight, priority=3)
        for number in range(count):
            world.catalog.add_photo(
                pillar=pillar, quality=1 - number / 100, caption=f"{pillar} {number}"
            )


async def preview(planner: PlannerServiceStub, **options: Any) -> CalendarPlan:
    request = pb.PreviewPlanRequest(parent=NORA, options=PlanOptions(**options))
    return (await planner.PreviewPlan(request)).plan


async def commit(planner: PlannerServiceStub, **fields: Any) -> list[PostResult]:
    options = PlanOptions(**fields.pop("options", {}))
    request = pb.CommitPlanRequest(parent=NORA, options=options, **fields)
    return list((await planner.CommitPlan(request)).results)


async def posts(world: World) -> list[Post]:
    page = await world.stub.ListPosts(scheduler.ListPostsRequest(parent=NORA, page_size=200))
    return list(page.posts)


async def decisions(planner: PlannerServiceStub) -> list[Any]:
    page = await planner.ListPlanDecisions(pb.ListPlanDecisionsRequest(parent=NORA))
    return list(page.plan_decisions)


async def test_what_was_shown_is_what_is_scheduled_with_its_reasons(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world)
    plan = await preview(planner, days=14)
    assert await preview(planner, days=14) == plan, "looking changes nothing"
    assert await posts(world) == []
    assert await decisions(planner) == []
    # How many depends on the day of the week on which this runs.
    assert 8 <= len(plan.posts) <= 12
    assert {post.pillar.rpartition("/")[2] for post in plan.posts} == {"light", "stone"}
    for planned in plan.posts:
        local = planned.scheduled_time.ToDatetime(UTC).astimezone(LISBON)
        assert 5 <= local.hour < 8 or 10 <= local.hour < 15
        assert planned.reason
    results = await commit(planner, options={"days": 14}, fingerprint=plan.fingerprint)
    assert [result.post.photo for result in results] == [post.photo for post in plan.posts]
    made = results[0].post
    assert (made.state, made.strategy) == (Post.STATE_SCHEDULED, "share")
    assert made.scheduled_time == plan.posts[0].scheduled_time
    assert made.caption == "light 0", "what is said of the photo"
    kept = await decisions(planner)
    assert {each.post: each.planned_post for each in kept} == {
        result.post.name: planned for result, planned in zip(results, plan.posts, strict=True)
    }
    one = await planner.GetPlanDecision(pb.GetPlanDecisionRequest(name=kept[0].name))
    assert one == kept[0]
    assert [task for task, _ in world.queue.waiting] == ["scheduler.prepare"] * len(results)
    assert (await preview(planner, days=14)).posts == [], "the cadence is filled"


async def test_a_plan_that_is_another_by_now_is_refused(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world)
    plan = await preview(planner)
    await world.schedule(plan.posts[0].photo, after=9 * 86400)
    with pytest.raises(Conflict) as refused:
        await commit(planner, fingerprint=plan.fingerprint)
    assert refused.value.reason == "PLAN_CHANGED"
    assert len(await posts(world)) == 1
    assert await decisions(planner) == []
    assert (await commit(planner))[0].post.photo != plan.posts[0].photo


async def test_the_same_request_is_carried_out_once(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world)
    request = str(uuid.uuid4())
    first = await commit(planner, request_id=request)
    again = await commit(planner, request_id=request)
    assert [r.post.name for r in again] == [r.post.name for r in first]
    with pytest.raises(AlreadyExists):
        await commit(planner, request_id=request, caption="another")


async def test_two_who_plan_at_once_do_not_share_a_slot_or_a_photo(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world)
    answers = await asyncio.gather(*(commit(planner) for _ in range(4)), return_exceptions=True)
    assert all(isinstance(a, list | Conflict) for a in answers), answers
    found = await posts(world)
    assert len({post.photo for post in found}) == len(found)
    times = sorted(post.scheduled_time.ToDatetime(UTC) for post in found)
    assert len({at.astimezone(LISBON).date() for at in times}) == len(times)


async def test_what_a_network_refuses_is_not_proposed(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world, 0)
    flat = world.catalog.add_photo(pillar="light", width=400, height=20, quality=0.9)
    good = world.catalog.add_photo(pillar="stone", quality=0.1)
    assert [post.photo for post in (await preview(planner)).posts] == [good]
    results = await commit(planner)
    assert [result.post.photo for result in results] == [good]
    assert flat not in {post.photo for post in await posts(world)}


async def test_a_network_that_wants_descriptions_gets_the_photos_that_have_one(
    world: World, planner: PlannerServiceStub, site: Callable[[str], Site]
) -> None:
    await site("bluesky").connect()
    stocked(world, count=2)
    # More and better ones than are looked at for so few slots.
    silent = {
        world.catalog.add_photo(pillar="light", quality=1.0, alt_text="", width=8, height=6)
        for _ in range(55)
    }
    plan = await preview(planner, days=14)
    planned = [post.photo for post in plan.posts]
    assert plan.unfit_counts == {"ALT_TEXT_MISSING": 55}
    assert sorted(planned) == sorted(set(world.catalog.photos) - silent)
    results = await commit(planner, options={"days": 14})
    assert [(result.photo, result.status.code) for result in results] == [
        (photo, 0) for photo in planned
    ]


async def test_a_post_that_cannot_be_made_leaves_no_decision(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world, 0)
    taken = world.catalog.add_photo(pillar="light", quality=0.9)
    good = world.catalog.add_photo(pillar="stone", quality=0.1)
    # Its bytes are in a post already, under another name.
    twin = world.catalog.add_photo(sha256=world.catalog.photos[taken].sha256, pillar="other")
    await world.schedule(twin, after=20 * 86400)
    results = {result.photo: result for result in await commit(planner)}
    assert results[taken].status.code != 0
    assert results[good].post.photo == good
    assert [each.planned_post.photo for each in await decisions(planner)] == [good]


async def test_a_catalog_that_is_away_is_told(world: World, planner: PlannerServiceStub) -> None:
    stocked(world)
    world.catalog.is_down = True
    with pytest.raises(Unavailable):
        await preview(planner)


async def test_only_what_can_be_used_then_is_planned(
    world: World, planner: PlannerServiceStub
) -> None:
    stocked(world)
    slots = len((await preview(planner)).posts)
    world.catalog.photos.clear()
    later = UsageRights()
    later.embargo_time.FromDatetime(world.now() + timedelta(days=60))
    world.catalog.add_photo(rights=later)
    world.catalog.add_photo(rights=UsageRights(held=True))
    world.catalog.add_photo(filing=Filing(state=Filing.STATE_REVIEW))
    world.catalog.add_photo(state=Photo.STATE_ARCHIVED)
    world.catalog.add_photo(pillar="unplanned")
    plan = await preview(planner)
    assert list(plan.posts) == []
    assert plan.unfilled_count == slots


async def test_photos_like_those_that_go_out_keep_their_distance(
    world: World, planner: PlannerServiceStub
) -> None:
    await world.connect()
    stocked(world, 3)
    scene = "personas/nora/photos/scene"
    for photo in world.catalog.photos.values():
        if photo.pillar.endswith("light") and photo.quality > 0.985:
            photo.scene = scene
    first = next(p.name for p in world.catalog.photos.values() if p.quality == 1)
    await world.schedule(first, after=86400)
    plan = await preview(planner, max_posts=3)
    assert all(world.catalog.photos[post.photo].scene != scene for post in plan.posts)


@pytest.mark.parametrize(
    "strategy",
    [
        PlanOptions.STRATEGY_BEST_FIRST,
        PlanOptions.STRATEGY_ROTATION,
        PlanOptions.STRATEGY_THEME,
    ],
)
async def test_the_strategy_is_remembered(
    world: World, planner: PlannerServiceStub, strategy: int
) -> None:
    await world.connect()
    stocked(world)
    results = await commit(planner, options={"strategy": strategy, "max_posts": 2})
    assert len(results) == 2
    assert {each.strategy for each in await decisions(planner)} == {strategy}


async def test_what_is_wrong_is_named(world: World, planner: PlannerServiceStub) -> None:
    stocked(world)
    past = PlanOptions()
    past.start_time.FromDatetime(world.now() - timedelta(days=1))
    with pytest.raises(InvalidArgument) as refused:
        await planner.PreviewPlan(pb.PreviewPlanRequest(parent=NORA, options=past))
    assert refused.value.violations[0].field == "options.start_time"
    with pytest.raises(InvalidArgument) as refused:
        await preview(planner, days=91)
    assert refused.value.violations[0].field == "options.days"
    with pytest.raises(NotFound):
        await planner.PreviewPlan(pb.PreviewPlanRequest(parent="personas/nobody"))
    with pytest.raises(FailedPrecondition) as unconnected:
        await commit(planner)
    assert unconnected.value.reason == "NO_CHANNEL"
    name = f"{NORA}/planDecisions/{uuid.uuid4()}"
    with pytest.raises(NotFound):
        await planner.GetPlanDecision(pb.GetPlanDecisionRequest(name=name))


async def test_the_calendar_of_another_program(world: World, planner: PlannerServiceStub) -> None:
    await world.connect()
    stocked(world)
    post = await world.schedule(caption="Bread, butter; and\nthe sea " + "é" * 60)
    cancelled = await world.schedule(after=3 * 86400)
    await world.stub.CancelPost(scheduler.CancelPostRequest(name=cancelled.name))
    body = await planner.ExportCalendar(pb.ExportCalendarRequest(parent=NORA))
    assert body.content_type == "text/calendar; charset=utf-8"
    lines = body.data.decode().split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    text = body.data.decode().replace("\r\n ", "")
    assert text.count("BEGIN:VEVENT") == 1
    assert f"UID:{post.name}\r\n" in text
    at = post.scheduled_time.ToDatetime(UTC)
    assert f"DTSTART:{at:%Y%m%dT%H%M%SZ}\r\n" in text
    assert "SUMMARY:Bread\\, butter\\; and\r\n" in text
    assert "the sea " + "é" * 60 in text
    with pytest.raises(NotFound):
        await planner.ExportCalendar(pb.ExportCalendarRequest(parent="personas/nobody"))


async def test_the_command(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.connect()
    stocked(world)
    cases = planner_cases(world.out, world.settings)
    server = RpcServer(Authenticator(), Metrics().rpc)
    servicer = PlannerServicer(cases.plans, cases.export, PageTokens(b"s"))
    server.add(PLANNER, add_PlannerServiceServicer_to_server, servicer)
    address = f"unix:{tmp_path / 'planner.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", 80)

    async def says(*words: str) -> str:
        environment = {"COLONNADE_PEERS__SCHEDULER": address}
        ran = await asyncio.to_thread(CliRunner().invoke, app, ["posts", *words], env=environment)
        assert ran.exit_code == 0, (words, ran.output, ran.exception)
        assert max(map(len, ran.output.splitlines())) <= 80, ran.output
        return " ".join(ran.output.split())

    try:
        shown = await says("preview", "nora", "--days", "10", "--max", "2")
        assert shown.startswith("2 posts")
        assert "is to have 60 %" in shown
        assert await posts(world) == []
        await says("plan", "nora", "--days", "10", "--max", "2", "--strategy", "best-first")
        assert len(await posts(world)) == 2
        assert "the best photo left" in await says("decisions", "nora")
        file = tmp_path / "nora.ics"
        assert (await says("calendar", "nora", "--ics", str(file))).startswith("2 posts in")
        assert file.read_text().startswith("BEGIN:VCALENDAR")
    finally:
        await server.stop(0)
