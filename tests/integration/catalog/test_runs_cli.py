"""``colonnade runs`` as people type it, and candidates over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli import output
from cli.main import app
from gateway.app import build_app
from gateway.module import UPLOADS
from gateway.openapi import ApiInfo, build_document
from gateway.photo_media import media_routes
from gateway.routes import build_bindings
from gateway.upload import UploadAdapter
from libs.rpc.auth import Authenticator
from libs.rpc.channels import open_channel
from libs.rpc.contracts import SERVICES
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.catalog.module import CATALOG, PLANNING, RUNS
from services.catalog.servicers.catalog import CatalogServicer
from services.catalog.servicers.planning import PlanningServicer
from services.catalog.servicers.runs import RunServicer
from tests.integration.catalog.contest import Contests
from tests.integration.catalog.library import Library, picture
from tests.integration.catalog.test_photos_cli import WIDTH, Shell
from tests.integration.catalog.world import World


@pytest.fixture
async def shell(
    lib: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    tokens = PageTokens(b"s")
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(*RUNS, RunServicer(lib.cases, tokens, lib.clock, lib.settings.max_bytes))
    planning = PlanningServicer(lib.cases, tokens, lib.clock, is_stopping=lambda: False)
    server.add(*PLANNING, planning)
    catalog = CatalogServicer(lib.cases, tokens, lib.clock, lib.settings.max_bytes)
    server.add(*CATALOG, catalog)
    address = f"unix:{tmp_path / 'catalog.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


def files(folder: Path, count: int) -> list[str]:
    """The paths of new pictures."""
    paths = [folder / f"cup {number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(60_000 + number))
    return list(map(str, paths))


async def test_from_a_brief_to_a_photo(lib: Library, shell: Shell, tmp_path: Path) -> None:
    persona = await lib.persona()
    suggestion = await World(lib).suggestion(persona)
    accepted = await shell.json("suggestions", "accept", suggestion.name)
    run = accepted["run"]["name"]
    added = await shell.json("runs", "upload", run, *files(tmp_path, 3))
    assert [each["candidate"]["fileName"] for each in added] == [
        "cup 0.jpg",
        "cup 1.jpg",
        "cup 2.jpg",
    ]
    again = await shell.says("runs", "upload", run, *files(tmp_path, 1))
    assert "there already" in again
    asked = await shell.json("runs", "next", run)
    assert not asked["done"]
    voted = await shell.json("runs", "vote", run, "left")
    assert voted["vote"]["winner"] == asked["left"]["name"]
    assert "taken back" in await shell.says("runs", "undo", run)
    assert (await shell.json("runs", "next", run)) == asked
    while not (await shell.json("runs", "next", run, "--confidence", "1"))["done"]:
        await shell.json("runs", "vote", run, "left", "--confidence", "1")
    assert "to vote" in await shell.says("gaps", persona)
    over = await shell.says("runs", "next", run, "--confidence", "1")
    assert "voting is over (no pairs left) after 3 of 3 pairs" in over
    assert "voting is over" in await shell.says("runs", "vote", run, "right", code=1)
    board = await shell.json("runs", "leaderboard", run)
    assert len(board["candidates"]) == 3
    assert "the best is, with a probability of" in await shell.says("runs", "leaderboard", run)
    ended = await shell.json("runs", "winner", run)
    assert ended["run"]["winner"] == board["leader"]
    assert ended["photo"]["pillar"] == suggestion.pillar
    told = await shell.says("runs", "lineage", ended["photo"]["name"])
    for words in (run, suggestion.name, "winner", "3 votes count"):
        assert words in told
    assert await shell.json("runs", "show", run) == await shell.json("runs", "lineage", run)


async def test_a_run_of_ones_own_placed_later(lib: Library, shell: Shell, tmp_path: Path) -> None:
    persona, pillar = await lib.place()
    nora = persona.partition("/")[2]
    made = await shell.json("runs", "create", nora, "--title", "Cup", "--prompt", "a cup")
    run = made["name"]
    assert "no pillar, running" in await shell.says("runs", "list", nora)
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    mixed = await shell.says("runs", "upload", run, *files(tmp_path, 2), str(bad), code=1)
    assert "cup 1.jpg (added)" in mixed
    assert "notes.txt" in mixed
    assert "no winner yet" in await shell.says("runs", "place", run, code=1)
    first = (await shell.json("runs", "leaderboard", run))["candidates"][0]["name"]
    assert "no photo yet" in await shell.says("runs", "winner", run, first.rpartition("/")[2])
    assert run in await shell.says("runs", "list", nora, "--unplaced")
    back = await shell.json("runs", "winner", run, "--take-back")
    assert back["run"]["state"] == "STATE_WAITING"
    assert "rejected" in await shell.says("runs", "reject", run, first.rpartition("/")[2])
    await shell.json("runs", "winner", run)
    placed = await shell.json("runs", "place", run, "--pillar", pillar.rpartition("/")[2])
    assert placed["photo"]["pillar"] == pillar
    assert await shell.json("runs", "list", nora, "--unplaced") == []
    other = (await shell.json("runs", "create", nora, "--pillar", pillar))["name"]
    assert "cancelled" in await shell.says("runs", "cancel", other)
    assert "no candidate that could win" in await shell.says("runs", "winner", other, code=1)


async def test_voting_by_hand_shows_addresses_and_takes_what_people_type(
    lib: Library, shell: Shell
) -> None:
    persona, _ = await lib.place()
    run, _ = await Contests(lib).filled(persona, 4)
    typed = "left\nsideways\nundo\nundo\nr\nleft\nstop\n"
    environment = {"COLONNADE_PEERS__CATALOG": shell.address, "COLONNADE_URL": "http://studio"}
    ran = await asyncio.to_thread(
        CliRunner().invoke, app, ["runs", "vote", run], input=typed, env=environment
    )
    assert ran.exit_code == 0, ran.output
    assert f"http://studio/v1/{run}/candidates/" in ran.output
    for words in ("pair 1 of 6 at most", "say left, right, undo or stop", "taken back", "pair 3"):
        assert words in ran.output
    assert "no vote of yours" in " ".join(ran.output.split())


async def test_candidates_over_rest(lib: Library, shell: Shell) -> None:
    persona, _ = await lib.place()
    stranger = await lib.persona()
    run = (await Contests(lib).run(persona)).name
    catalog = SERVICES["catalog"]
    channel = open_channel(shell.address, catalog)
    channels = {service.full_name: channel for service in (*catalog, *SERVICES["scheduler"])}
    uploads = dict.fromkeys(UPLOADS, UploadAdapter(file_name="file_name"))
    bindings = build_bindings(catalog, uploads=UPLOADS)
    app = build_app(
        bindings=bindings,
        channels=channels,
        document=build_document(bindings, ApiInfo("T", "1"), uploads=uploads),
        ready=lambda: True,
        uploads=uploads,
        extra_routes=media_routes(channels),
    )
    transport = httpx.ASGITransport(app)
    data = picture(61_616)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        file = {"file": ("cup.jpg", data, "image/jpeg")}
        answer = await client.post(f"/v1/{run}/candidates:upload", files=file)
        assert answer.status_code == 200, answer.text
        candidate = answer.json()["candidate"]
        assert candidate["fileName"] == "cup.jpg"
        content = await client.get(candidate["contentUri"])
        assert (content.status_code, content.content) == (200, data)
        part = await client.get(candidate["contentUri"], headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, data[10:20])
        assert (await client.get(candidate["thumbnailUri"])).headers["content-type"] == "image/jpeg"
        foreign = candidate["contentUri"].replace(persona, stranger)
        assert (await client.get(foreign)).status_code == 404
        name = candidate["name"]
        chosen = await client.post(f"/v1/{name}:chooseWinner", json={})
        assert chosen.json()["run"]["winner"] == name
        told = await client.get(f"/v1/{run}:lineage")
        assert told.json()["run"]["name"] == run
    await channel.close()
