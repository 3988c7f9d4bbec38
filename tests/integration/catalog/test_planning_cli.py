"""``colonnade gaps``, ``pillars``, ``campaigns`` and older exports, as people type them."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import output
from libs.rpc.auth import Authenticator
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.catalog.domain.photo import Filing, FilingState, Usage
from services.catalog.module import CATALOG, PLANNING
from services.catalog.servicers.catalog import CatalogServicer
from services.catalog.servicers.planning import PlanningServicer
from tests.integration.catalog.library import Library
from tests.integration.catalog.test_photos_cli import WIDTH, Shell


@pytest.fixture
async def shell(
    lib: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    tokens = PageTokens(b"s")
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(*CATALOG, CatalogServicer(lib.cases, tokens, lib.clock, lib.settings.max_bytes))
    planning = PlanningServicer(lib.cases, tokens, lib.clock, is_stopping=lambda: False)
    server.add(*PLANNING, planning)
    address = f"unix:{tmp_path / 'catalog.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


async def test_templates_gaps_and_what_if(lib: Library, shell: Shell) -> None:
    persona = await lib.persona()
    assert "travel-creator" in await shell.says("pillars", "templates")
    assert "In the cup" in await shell.says("pillars", "templates", "coffee-shop")
    made = await shell.says("pillars", "apply-template", persona, "coffee-shop")
    assert "created" in made
    assert "in-the-cup, weight 30" in made
    again = ("pillars", "apply-template", persona, "coffee-shop")
    assert "already exists" in await shell.says(*again, code=1)
    assert "left as it is" in await shell.says(*again, "--skip-existing")

    cup, oven = (f"{persona}/pillars/{id}" for id in ("in-the-cup", "from-the-oven"))
    for _ in range(6):
        await lib.shelve(cup)
    await lib.shelve(cup, filing=Filing(FilingState.REVIEW))
    await lib.shelve(oven, usage=Usage.SCHEDULED)
    shown = await shell.says("gaps", persona)
    for words in ("Gaps over 30 days", "18 Apr", "empty", "unsorted", "scheduled", "has no photo"):
        assert words in shown

    (report,) = await shell.json("gaps", persona, "--history")
    id = report["name"].rpartition("/")[2]
    assert id in await shell.says("gaps", persona, "--history")
    lib.clock.advance(60)
    assert await shell.json("gaps", persona, "--report", id) == report

    changes = ("--what-if", "in-the-cup=10,from-the-oven=40", "--cadence", "5", "--cost", "12.5")
    tried = await shell.says("gaps", persona, *changes)
    for words in ("30 → 10", "20 → 40", "photos to make: 11 → 22, for 137.50 → 275.00"):
        assert words in tried
    answer = await shell.json("gaps", persona, *changes)
    assert (answer["currentCost"]["photos"], answer["previewCost"]["photos"]) == (11, 22)
    assert len(await shell.json("gaps", persona, "--history")) == 1, "a preview is not kept"
    assert "would sum to 169" in await shell.says(
        "gaps", persona, "--what-if", "in-the-cup=99", code=1
    )
    assert "city=2/week" in await shell.says("gaps", persona, "--what-if", "cup", code=2)


async def test_campaigns(lib: Library, shell: Shell, tmp_path: Path) -> None:
    persona = await lib.persona()
    await lib.pillar(persona, display_name="Slow Mornings")
    plan = tmp_path / "spring.json"

    def write(*posts: dict[str, Any]) -> None:
        plan.write_text(json.dumps({"displayName": "Spring", "posts": posts}))

    import_ = ("campaigns", "import", persona, str(plan))
    write({"pillar": "slow-mornings", "when": 1}, {"colour": 2})
    wrong = await shell.says(*import_, code=2)
    assert "campaign.posts[0].when: is not a known field" in wrong
    assert "campaign.posts[1].colour: is not a known field" in wrong

    past = (lib.clock.now() - timedelta(days=1)).isoformat()
    good = {"pillar": "slow mornings", "title": "Steam", "caption": "Early."}
    write(good, {"pillar": "Sea", "title": "x"}, {**good, "scheduledTime": past})
    wrong = await shell.says(*import_, code=2)
    assert "campaign.posts[1].pillar: there is no pillar 'Sea'" in wrong
    assert "campaign.posts[2].scheduled_time: is in the past" in wrong

    write(good, {"pillar": "Sea", "description": "Waves at noon"})
    assert "nothing was kept" in await shell.says(*import_, "--create-pillars", "--dry-run")
    assert await shell.json("campaigns", "list", persona) == []
    assert "2 posts" in await shell.says(*import_, "--create-pillars")
    (kept,) = await shell.json("campaigns", "list", persona)
    assert "Spring" in await shell.says("campaigns", "list", persona)
    id = kept["name"].rpartition("/")[2]
    shown = await shell.says("campaigns", "show", persona, id)
    assert "Steam" in shown
    assert "Waves at noon" in shown
    posts = (await shell.json("campaigns", "show", persona, id))["posts"]
    assert [post["pillar"].rpartition("/")[2] for post in posts] == ["slow-mornings", "sea"]


async def test_personas_of_older_exports(shell: Shell, tmp_path: Path) -> None:
    export = tmp_path / "nora.json"
    export.write_text(json.dumps({"id": "older-nora", "name": "Older Nora", "tone": "edgy"}))
    assert "created personas/older-nora" in await shell.says("personas", "import", str(export))
    export.write_text(json.dumps([{"name": "Other", "mood": "sunny"}]))
    wrong = await shell.says("personas", "import", str(export), code=2)
    assert "persona[0].mood: is not a known field" in wrong


async def test_how_a_persona_writes_and_posts(lib: Library, shell: Shell) -> None:
    persona = await lib.persona()
    asked = ("personas", "update", persona)
    assert "name what is to be changed" in await shell.says(*asked, code=2)
    texts = ("--tone", "playful", "--emoji", "none", "--avoid-topic", "beer,wine")
    tags = ("--mix", "niche-heavy", "--brand-hashtag", "#nora")
    rhythm = ("--posts-per-week", "5", "--blackout", "2026-12-24")
    changed = json.loads(await shell.says(*asked, *texts, *tags, *rhythm, "--json"))
    captions = changed["captionConfig"]
    assert (captions["tone"], captions["emojiDensity"]) == ("TONE_PLAYFUL", "EMOJI_DENSITY_NONE")
    assert captions["avoidTopics"] == ["beer", "wine"]
    assert changed["hashtagStrategy"]["sizeMix"] == "SIZE_MIX_NICHE_HEAVY"
    assert changed["cadence"]["postsPerWeek"] == 5
    assert changed["cadence"]["blackoutDates"] == ["2026-12-24"]

    again = json.loads(await shell.says(*asked, "--avoid-topic", "", "--length", "short", "--json"))
    assert again["captionConfig"] == {**captions, "avoidTopics": [], "length": "LENGTH_SHORT"}
    assert again["cadence"] == changed["cadence"]
    wrong = await shell.says(*asked, "--hashtag", "no spaces please", code=2)
    assert "hashtag" in wrong
