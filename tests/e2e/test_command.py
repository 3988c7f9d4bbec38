"""The ``colonnade`` command against a running suite, as people type it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import work
from tests.e2e.conftest import Library, Provider
from tests.support.buffer import INSTAGRAM_ID, Admin
from tests.support.harness import SuiteInOne
from tests.support.pictures import encoded, waves
from tests.support.wait import eventually


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands against one suite."""

    suite: SuiteInOne

    async def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What the command printed: on standard output if it worked, else the complaint."""
        ran = await work.colonnade(self.suite, *arguments, **environment)
        assert ran.code == code, f"{arguments}: {ran}"
        assert "Traceback" not in ran.err
        return ran.out if code == 0 else ran.err + ran.out

    async def json(self, *arguments: str, code: int = 0, **environment: str) -> Any:
        """The JSON that the command printed, and nothing but it."""
        ran = await work.colonnade(self.suite, *arguments, "--json", **environment)
        assert ran.code == code, f"{arguments}: {ran}"
        return json.loads(ran.out)

    async def shows(self, commands: Mapping[str, str]) -> None:
        """Runs commands that only read, a few at a time; each must print its text."""
        few = asyncio.Semaphore(3)

        async def check(command: str, text: str) -> None:
            async with few:
                shown = await self.run(*command.split())
            assert text in shown, f"{command}: {shown}"

        await asyncio.gather(*(check(command, text) for command, text in commands.items()))


@pytest.fixture
def shell(suite_in_one: SuiteInOne) -> Shell:
    return Shell(suite_in_one)


async def test_the_main_job_on_the_command_line(
    shell: Shell, library: Library, provider: Provider, buffer: Admin
) -> None:
    await a_persona_and_its_pillars(shell)
    photos = await a_folder_of_photos(shell, library)
    clusters = await clusters_of_them(shell, photos)
    await the_inbox(shell)
    post = await a_channel_and_posts(shell, provider, photos)
    await shell.shows(
        {
            "personas list": "Kim Lee",
            "personas show kim-lee": f"{len(photos) - 1} ready, 0 pending",
            "pillars list kim-lee": "City",
            "photos list kim-lee --limit 3": photos[1]["fileName"],
            f"photos show {photos[0]['name']}": photos[0]["sha256"],
            f"photos similar {photos[0]['name']}": "personas/kim-lee/photos/",
            f"clusters show {clusters[0]['name']}": clusters[0]["title"],
            "clusters list kim-lee": clusters[0]["title"],
            "gaps kim-lee --horizon 7": "Gaps over 7 days",
            "channels list kim-lee": "instagram",
            "posts list kim-lee": "posted",
            f"posts show {post['name']}": "#sea",
        }
    )


async def a_persona_and_its_pillars(shell: Shell) -> None:
    create = ("personas", "create", "Kim Lee", "--time-zone", "Europe/Paris")
    made = await shell.json(*create)
    assert (made["name"], made["timeZone"]) == ("personas/kim-lee", "Europe/Paris")
    assert "already exists" in await shell.run(*create, code=1)
    city = ("pillars", "create", "kim-lee", "City", "--weight", "40")
    await shell.run("pillars", "create", "kim-lee", "Sea", "--weight", "70")
    assert "weights exceed 100" in await shell.run(*city, code=1)
    await shell.run("pillars", "update", "kim-lee", "sea", "--weight", "60")
    assert "created" in await shell.run(*city)


async def a_folder_of_photos(shell: Shell, library: Library) -> list[dict[str, Any]]:
    folder = str(library.folder)
    arguments = ("photos", "import", folder, "--persona", "kim-lee", "--tag", "first,trip")
    report = await shell.json(*arguments, code=1)
    assert report["failed"] == len(library.of("damaged"))
    assert report["duplicate"] == len(library.of("exact-duplicate"))
    assert sum(report[x] for x in ("imported", "duplicate", "skipped", "failed")) == len(
        library.pictures
    )
    assert len(report["failures"]) == min(20, report["failed"])
    again = await shell.run(*arguments, code=1)
    assert "0 imported" in again
    assert f"failed: {library.of('damaged')[0].path}:" in again
    photos: list[dict[str, Any]] = await shell.json("photos", "list", "kim-lee", "--limit", "100")
    assert len(photos) == report["imported"]
    assert photos[0]["tags"] == ["first", "trip"]
    moved = await shell.run("photos", "move", photos[0]["name"], "city")
    assert "personas/kim-lee/pillars/city" in moved
    return photos


async def the_inbox(shell: Shell) -> None:
    """Photos in the folders city and sea were filed; the others wait, and are sorted in bulk."""
    filter = ("--filter", 'filing.state = "PROPOSED"', "--limit", "100")
    filed = await shell.json("photos", "list", "kim-lee", *filter)
    reasons = {photo["filing"]["reason"] for photo in filed}
    assert any("its folder sea matches the pillar Sea" in reason for reason in reasons), reasons
    waiting = await shell.json("inbox", "kim-lee")
    flowers = [p for p in waiting if p["sourcePath"].startswith("flowers/")]
    assert flowers
    assert flowers[0]["filing"]["reason"] in (await shell.run("inbox", "kim-lee"))
    moved = await shell.run("inbox", "move", "kim-lee", "city", "flowers/*")
    assert f"moved {len(flowers)} photos" in moved
    assert "wait in the inbox" in await shell.run("inbox", "propose", "kim-lee")
    assert "nothing in the inbox is called flowers" in await shell.run(
        "inbox", "accept", "kim-lee", "flowers/*", code=1
    )
    await shell.run("inbox", "accept", "kim-lee", "--min-confidence", "0")
    left = await shell.json("inbox", "kim-lee")
    assert all(not photo["filing"]["confidence"] for photo in left)


async def clusters_of_them(shell: Shell, photos: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async def ready() -> bool:
        shown = await shell.json("personas", "show", "kim-lee")
        return bool(shown[1]["embeddingReady"] == len(photos))

    await eventually(ready, within=900)
    run = await shell.json("clusters", "run", "kim-lee")
    clusters: list[dict[str, Any]] = await shell.json("clusters", "list", "kim-lee")
    assert len(clusters) == run["stats"]["clusters"] > 0
    return clusters


async def a_channel_and_posts(
    shell: Shell, provider: Provider, photos: list[dict[str, Any]]
) -> dict[str, Any]:
    create = ("channels", "create", "kim-lee", INSTAGRAM_ID, "--endpoint", provider.url)
    assert "COLONNADE_PROVIDER_TOKEN" in await shell.run(*create, code=2)
    channel = await shell.json(*create, "--id", "studio", COLONNADE_PROVIDER_TOKEN=provider.token)
    assert (channel["name"], channel["accessToken"]) == ("personas/kim-lee/channels/studio", "")
    # Instagram takes pictures from 4:5 to 1.91:1; the library has narrower ones too.
    photos = sorted(photos, key=lambda p: not 0.8 <= p["width"] / p["height"] <= 1.91)
    fit = next(p["name"] for p in photos[3:] if work.is_postable(p["width"], p["height"]))
    schedule = ("posts", "schedule", fit, "--caption", "Ahoy", "--hashtag", "sea")
    assert "at" in await shell.run(*schedule, "--at", "yesterday", code=2)
    posted: dict[str, Any] = await shell.json(*schedule, "--at", "now", "--wait")
    assert posted["state"] == "STATE_POSTED"
    assert "photo already scheduled" in await shell.run(*schedule, "--at", "+2d", code=1)
    # It may be a copy of the other one.
    again = ("--repeat-reason", "a series")
    later = await shell.json("posts", "schedule", photos[1]["name"], "--at", "+2d", *again)
    assert "cancelled" in await shell.run("posts", "cancel", later["name"])
    assert "deleted" in await shell.run("photos", "delete", photos[2]["name"])
    return posted


async def test_a_dry_run_stores_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encoded(waves()))
    await shell.run("personas", "create", "Dry")
    missing = await shell.run("photos", "import", str(tmp_path), "--persona", "dry", code=1)
    assert "no pillar yet" in missing
    await shell.run("pillars", "create", "dry", "Any", "--weight", "10")
    report = await shell.json("photos", "import", str(tmp_path), "--persona", "dry", "--dry-run")
    assert report["imported"] == 1
    assert await shell.json("photos", "list", "dry") == []


async def test_an_unknown_persona_is_said_once_and_before_any_upload(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "good.png").write_bytes(encoded(waves()))
    said = await shell.run("photos", "import", str(tmp_path), "--persona", "nobody", code=1)
    assert said.count("personas/nobody") == 1
    assert "not found" in said


async def test_the_status_is_told_by_service(shell: Shell) -> None:
    names = ("catalog", "embedding", "clustering", "scheduler")

    async def status(*options: str) -> str:
        """What it says when all are ready, as they may not be to a machine that is busy."""
        ran = await work.colonnade(shell.suite, "status", *options)
        return ran.out if ran.code == 0 else ""

    told = await eventually(lambda: status("--json"), within=120)
    assert json.loads(told) == dict.fromkeys(names, "ready")
    said = await eventually(status, within=120)
    assert said.count("ready") == len(names)
