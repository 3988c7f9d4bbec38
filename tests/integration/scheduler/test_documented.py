"""The commands on the pages about publishing do what the pages say, one after the other."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.caption_service_pb2_grpc import add_CaptionServiceServicer_to_server
from colonnade.scheduler.v1.planner_service_pb2_grpc import add_PlannerServiceServicer_to_server
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import (
    add_SchedulerServiceServicer_to_server,
)
from typer.testing import CliRunner

from cli.main import app
from libs.ids import uuid7
from libs.rpc.auth import Authenticator
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.scheduler.caption_servicer import CaptionServicer
from services.scheduler.deps import planner_cases
from services.scheduler.module import CAPTIONS, PLANNER
from services.scheduler.planner_servicer import PlannerServicer
from services.scheduler.servicer import SchedulerServicer
from services.scheduler.usecases.write_texts import WriteTexts
from tests.support import documented
from tests.support.scheduler_world import SERVICE, World

pytestmark = pytest.mark.asyncio(loop_scope="package")

NORA = "personas/nora"
PAGES = ("publishing.md", "calendar.md", "captions.md")


@pytest_asyncio.fixture(loop_scope="package")
async def address(world: World, tmp_path: Path) -> AsyncIterator[str]:
    """Where all services of the scheduler answer. The command goes by the clock of this machine."""
    await world.advance((datetime.now(UTC) - world.now()).total_seconds())
    tokens, out = PageTokens(b"s"), world.out
    cases = planner_cases(out, world.settings)
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(
        SERVICE, add_SchedulerServiceServicer_to_server, SchedulerServicer(world.use, tokens)
    )
    planner = PlannerServicer(cases.plans, cases.export, tokens)
    server.add(PLANNER, add_PlannerServiceServicer_to_server, planner)
    author = CaptionServicer(WriteTexts(out.store, out.catalog, None))
    server.add(CAPTIONS, add_CaptionServiceServicer_to_server, author)
    place = f"unix:{tmp_path / 'scheduler.sock'}"
    await server.start([place])
    yield place
    await server.stop(0)


async def test_the_commands_of_the_pages_work(
    world: World, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world.catalog.personas[NORA] = Persona(
        name=NORA, time_zone="Europe/Lisbon", state=Persona.STATE_ACTIVE
    )
    world.catalog.add_pillar("light", 100, priority=3)
    for _ in range(8):
        world.catalog.add_photo(pillar="light", quality=0.5, caption="A cup")
    channel = await world.connect(channel_id="instagram")
    assert channel.name == f"{NORA}/channels/instagram"
    out = world.catalog.add_photo(caption="Snow")
    await world.schedule(out, after=0)
    await world.pass_time(60, step=20)
    post = await world.schedule(after=86400)
    new = world.catalog.add_photo(caption="Snow")
    ran = 0
    for page in PAGES:
        for words in documented.shown(documented.ROOT / "docs" / page, "colonnade"):
            if words[0] != "posts":
                continue
            photo = out if "--repeat-reason" in words else new
            line = [_meant(word, post.name, photo) for word in words]
            await _run(line, address)
            ran += 1
    assert ran >= 10
    assert (tmp_path / "mila.ics").read_text().startswith("BEGIN:VCALENDAR")
    posts = (await world.stub.ListPosts(pb.ListPostsRequest(parent=NORA))).posts
    assert len(posts) > 5, "the plans were carried out"


async def test_commands_tell_their_result_in_a_line_and_their_end_by_their_code(
    world: World, address: str
) -> None:
    await world.connect()
    photo, other = world.catalog.add_photo(), world.catalog.add_photo()
    said = await _run(["posts", "schedule", photo, "--at", "+2h"], address)
    assert re.fullmatch(rf"{NORA}/posts/\S+: scheduled, due .*\n  insta: ready *\n", said)
    again = await _run(["posts", "schedule", photo, "--at", "+2h"], address, code=1)
    assert "photo already scheduled" in again
    assert "at:" in await _run(["posts", "schedule", other, "--at", "noon"], address, code=2)
    [post] = (await world.stub.ListPosts(pb.ListPostsRequest(parent=NORA))).posts
    batch = ["posts", "batch", "nora", photo, other, "--every", "2h", "--start", "+1d"]
    told = (await _run(batch, address, code=1)).splitlines()
    assert [" not scheduled: " in line for line in told] == [True, False]
    assert "illegal state move" in await _run(["posts", "retry", post.name], address, code=1)
    called_off = json.loads(await _run(["posts", "cancel", post.name, "--json"], address))
    assert (called_off["name"], called_off["state"]) == (post.name, "STATE_CANCELLED")
    watched = await _run(["posts", "watch", post.name], address, code=1)
    assert "cancelled" in watched, "whoever waits for it to be out must not go on"
    unknown = f"{NORA}/posts/{uuid7()}"
    assert "not found" in await _run(["posts", "watch", unknown], address, code=1)


async def test_a_photo_is_scheduled_in_the_next_free_slot(world: World, address: str) -> None:
    await world.connect()
    cup = ["--caption", "A cup", "--hashtag", "tea"]
    times = set[str]()
    for _ in range(2):
        photo = world.catalog.add_photo()
        words = ["posts", "schedule", photo, "--at", "slot", *cup, "--json"]
        made = json.loads(await _run(words, address))
        assert (made["strategy"], made["finalText"]) == ("cadence", "A cup\n\n#tea")
        times.add(made["scheduledTime"])
    assert len(times) == 2
    again = await _run(["posts", "schedule", photo, "--at", "slot"], address, code=1)
    assert "photo already scheduled" in again


async def test_a_post_that_was_missed_is_tried_again_at_a_time(world: World, address: str) -> None:
    await world.connect()
    post = await world.schedule(after=60)
    await world.advance(25 * 3600)
    await world.work()
    shown = json.loads(await _run(["posts", "show", post.name, "--json"], address))
    assert shown["state"] == "STATE_FAILED"
    await _run(["posts", "watch", post.name], address, code=1)
    at = (world.now() + timedelta(hours=3)).isoformat()
    tried = json.loads(await _run(["posts", "retry", post.name, "--at", at, "--json"], address))
    assert tried["state"] == "STATE_SCHEDULED"
    assert datetime.fromisoformat(tried["scheduledTime"]) == datetime.fromisoformat(at)


async def _run(words: list[str], address: str, code: int = 0) -> str:
    """What the command said, in whichever way."""
    ran = await asyncio.to_thread(
        CliRunner().invoke, app, words, input="y\n", env={"COLONNADE_ADDRESS": address}
    )
    assert ran.exit_code == code, (words, ran.output, ran.exception)
    assert ran.output
    return ran.output


def _meant(word: str, post: str, photo: str) -> str:
    """A word of a page, with what is there in place of what it only hints at."""
    word = re.sub(r"^personas/\w+/posts/.*", post, word)
    word = re.sub(r"^personas/\w+/photos/.*", photo, word)
    return "nora" if word == "mila" else word
