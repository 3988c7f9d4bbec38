"""``colonnade photos`` and ``personas`` against the service, as people type it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import output
from cli.main import app
from libs.rpc.auth import Authenticator
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.catalog.domain.measures import Measure
from services.catalog.domain.photo import PostUse, Usage
from services.catalog.module import CATALOG
from services.catalog.servicers.catalog import CatalogServicer
from tests.integration.catalog.library import Library

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Shell:
    """Types ``colonnade …`` into a terminal of 80 columns."""

    address: str

    async def says(self, *words: str, code: int = 0) -> str:
        """What is printed for people, complaints included, on one line."""
        text = await self._run(words, code)
        # An address or a name is not broken, however long it is.
        lines = [line for line in text.splitlines() if " " in line]
        assert max(map(len, lines), default=0) <= WIDTH, text
        return " ".join(text.split())

    async def json(self, *words: str, code: int = 0) -> Any:
        """What is printed for programs."""
        return json.loads(await self._run([*words, "--json"], code))

    async def _run(self, words: Any, code: int) -> str:
        environment = {"COLONNADE_PEERS__CATALOG": self.address}
        ran = await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment)
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        return ran.output


@pytest.fixture
async def shell(
    lib: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    servicer = CatalogServicer(lib.cases, PageTokens(b"s"), lib.clock, lib.settings.max_bytes)
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(*CATALOG, servicer)
    address = f"unix:{tmp_path / 'catalog.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


def ids(photos: list[dict[str, Any]]) -> list[str]:
    return [photo["name"].rpartition("/")[2] for photo in photos]


async def test_lists_by_what_photos_are_and_how_good(shell: Shell, lib: Library) -> None:
    persona, first = await lib.place()
    second = await lib.pillar(persona)
    nora, short = persona.partition("/")[2], second.rpartition("/")[2]
    a = await lib.shelve(first, tags=("sea", "sun"), file_name="IMG_[1].jpg")
    lib.clock.advance(1)
    picture = replace(a.picture, sha256="b", measures=(Measure("sharpness", 0.9),))
    b = await lib.shelve(second, tags=("sea",), picture=picture)
    lib.clock.advance(1)
    c = await lib.shelve(second, tags=("snow",), usage=Usage.SCHEDULED)
    expected = {
        (): [c.id, b.id, a.id],
        ("--order", "oldest"): [a.id, b.id, c.id],
        ("--order", "best", "--limit", "1"): [b.id],
        ("--tag", "sea"): [b.id, a.id],
        ("--tag", "sea", "--tag", "sun"): [a.id],
        ("--tag", "sun,snow", "--any"): [c.id, a.id],
        ("--pillar", short): [c.id, b.id],
        ("--pillar", short, "--usage", "unused"): [b.id],
        ("--state", "archived"): [],
        ("--filter", 'file_name = "IMG*"', "--state", "all"): [a.id],
    }
    for options, found in expected.items():
        assert ids(await shell.json("photos", "list", nora, *options)) == found, options
    shown = await shell.says("photos", "list", nora)
    assert a.id in shown and "0.90" in shown and "IMG_" in shown
    assert "quality" in await shell.says("photos", "list", nora, "--order", "best")
    wrong = await shell.says("photos", "list", nora, "--filter", "colour = red", code=2)
    assert "there is no field 'colour'" in wrong
    tags = await shell.json("photos", "tags", nora)
    assert [(t["tag"], t["photoCount"]) for t in tags] == [("sea", 2), ("snow", 1), ("sun", 1)]
    assert "snow" in await shell.says("photos", "tags", nora, "--prefix", "s", "--limit", "2")


async def test_changes_many_and_tells_of_each(shell: Shell, lib: Library) -> None:
    persona, pillar = await lib.place()
    nora = persona.partition("/")[2]
    one, other = [(await lib.shelve(pillar)).name for _ in range(2)]
    used = (await lib.shelve(pillar, usage=Usage.SCHEDULED)).name
    gone = f"{persona}/photos/{uuid.uuid4()}"
    said = await shell.says("photos", "tag", one, other, "--add", "sea,sun")
    assert said.count("sea, sun") == 2
    said = await shell.says("photos", "tag", one, gone, "--remove", "sun", code=1)
    assert f"there is no photo named {gone}" in said
    assert one in said
    id = one.rpartition("/")[2]
    await lib.pillar(persona, display_name="Coffee")
    assert "coffee" in await shell.says("photos", "move", id, "coffee", "--persona", nora)
    said = await shell.says("photos", "archive", one, used, code=1)
    assert "archived" in said and "a post that is not out yet uses" in said
    results = await shell.json("photos", "unarchive", one, "nonsense", "--persona", nora, code=1)
    assert [r["status"].get("code", 0) for r in results] == [0, 3]
    assert "give --persona with ids" in await shell.says("photos", "archive", id, code=2)
    assert "give --add or --remove" in await shell.says("photos", "tag", one, code=2)


async def test_rights_measures_and_everything_else_of_a_photo(shell: Shell, lib: Library) -> None:
    persona, pillar = await lib.place()
    nora = persona.partition("/")[2]
    photo = await lib.shelve(pillar, picture=await measured(lib))
    post = f"{persona}/posts/{uuid.uuid4()}"
    async with lib.catalog.changing() as tx:
        await tx.photos.use(photo.id, post, PostUse("SCHEDULED"), 1)
        await tx.commit()
    said = await shell.says(
        *("photos", "rights", photo.name, "--embargo", "2027-01-01T00:00Z"),
        *("--notice", "By [Ada]", "--hold"),
    )
    assert "held back" in said and "not before 2027" in said and "By [Ada]" in said
    said = await shell.says("photos", "rights", photo.name, "--embargo", "-", "--release")
    assert "not before" not in said and "By [Ada]" in said, "what is not given stays"
    assert "expires" in await shell.says("photos", "rights", photo.name, "--expires", "x", code=2)
    assert "--hold" in await shell.says("photos", "rights", photo.name, code=2)
    shown = await shell.says("photos", "show", photo.name)
    for part in (post, "By [Ada]", "confirmed", "0.50", "failed: too dark", "skipped"):
        assert part in shown, part
    assert "1 photo will be" in await shell.says("photos", "analyze", nora)
    said = await shell.says("photos", "analyze", nora, photo.id, "--measure", "beauty", code=2)
    assert "there is no measure 'beauty'" in said


async def measured(lib: Library) -> Any:
    plain = (await lib.shelve((await lib.place())[1])).picture
    measures = (Measure("sharpness", 0.5), Measure.failed("exposure", "MEASURE_FAILED", "too dark"))
    return replace(plain, measures=measures)


async def test_personas_with_their_counts(shell: Shell, lib: Library) -> None:
    persona, pillar = await lib.place()
    await lib.shelve(pillar)
    listed = await shell.json("personas", "list", "--stats")
    (found,) = [p for p in listed if p["name"] == persona]
    assert (found["libraryStats"]["photos"], found["libraryStats"]["unused"]) == (1, 1)
    assert persona.partition("/")[2] in await shell.says("personas", "list", "--stats")
