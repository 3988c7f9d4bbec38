"""What the dashboard makes of times that are typed for a persona's time zone. Needs node."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.static import PAGES

NODE = shutil.which("node")
ASK = """
import { Zone } from "./format.js";
const told = JSON.parse(process.argv[2]).map(([zone, value, was]) => {
  try {
    return new Zone(zone).fromInput(value, "scheduled_time", was) ?? null;
  } catch (error) {
    return error.violations[0];
  }
});
console.log(JSON.stringify(told));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node to run scripts with")


def _asked(folder: Path, questions: list[list[str]]) -> list[str | dict[str, str] | None]:
    shutil.copy(PAGES / "dashboard" / "format.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "ask.js").write_text(ASK)
    command = [str(NODE), str(folder / "ask.js"), json.dumps(questions)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    told: list[str | dict[str, str] | None] = json.loads(ran.stdout)
    return told


def test_a_time_that_clocks_there_show_once_is_that_moment(tmp_path: Path) -> None:
    zones = ("Europe/Lisbon", "America/Santiago", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
    values = [f"2026-{month:02}-15T{hour:02}:30" for month in range(1, 13) for hour in (0, 3, 23)]
    questions = [[zone, value] for zone in zones for value in values]
    told = _asked(tmp_path, questions)
    for (zone, value), answer in zip(questions, told, strict=True):
        meant = datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        assert answer == f"{meant:%Y-%m-%dT%H:%M:%S}.000Z", (zone, value)


@pytest.mark.parametrize(
    ("zone", "value", "words"),
    [
        ("Europe/Lisbon", "2026-03-29T01:30", "never comes"),
        ("America/New_York", "2026-03-08T02:00", "never comes"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "never comes"),
        ("Europe/Lisbon", "2026-10-25T01:30", "comes twice"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "comes twice"),
    ],
)
def test_a_time_that_clocks_do_not_show_once_is_refused_at_its_field(
    tmp_path: Path, zone: str, value: str, words: str
) -> None:
    [told] = _asked(tmp_path, [[zone, value]])
    assert isinstance(told, dict)
    assert told["field"] == "scheduled_time"
    assert words in told["description"]
    assert zone in told["description"]


def test_the_hours_around_a_change_are_taken(tmp_path: Path) -> None:
    lisbon = "Europe/Lisbon"
    values = ["2026-03-29T00:59", "2026-03-29T02:00", "2026-10-25T00:59", "2026-10-25T02:00"]
    assert _asked(tmp_path, [[lisbon, value] for value in values]) == [
        "2026-03-29T00:59:00.000Z",
        "2026-03-29T01:00:00.000Z",
        "2026-10-24T23:59:00.000Z",
        "2026-10-25T02:00:00.000Z",
    ]


def test_what_was_not_changed_stays_the_same_moment(tmp_path: Path) -> None:
    was = "2026-10-25T01:30:20Z"
    questions = [["Europe/Lisbon", "2026-10-25T01:30", was], ["Europe/Lisbon", "", was]]
    assert _asked(tmp_path, questions) == [was, None]
