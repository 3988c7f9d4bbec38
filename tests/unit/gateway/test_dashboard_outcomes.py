"""What the dashboard says of the last clustering run, as its script says it. Needs node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.static import PAGES

NODE = shutil.which("node")
AT = "2026-11-21T09:30:00Z"
ASK = """
import { changesOf, outcomeOf } from "./outcome.js";
import { Zone } from "./format.js";
const { runs, stats } = JSON.parse(process.argv[2]);
const zone = new Zone("Europe/Lisbon");
const told = runs.map((run) => outcomeOf(run ?? undefined, zone));
console.log(JSON.stringify([told, stats.map(changesOf)]));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node to run scripts with")


def _answers(folder: Path, runs: list[Any], stats: list[dict[str, int]]) -> Any:
    for name in ("outcome.js", "format.js"):
        shutil.copy(PAGES / "dashboard" / name, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "ask.js").write_text(ASK)
    asked = json.dumps({"runs": runs, "stats": stats})
    command = [str(NODE), str(folder / "ask.js"), asked]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(ran.stdout)


def test_each_state_of_the_last_run_has_a_line(tmp_path: Path) -> None:
    unavailable = {"code": 14, "message": "no index", "details": [{"reason": "UNAVAILABLE"}]}
    ended = {"endTime": AT}
    runs = [
        None,
        {"state": "JOB_STATE_QUEUED"},
        {"state": "JOB_STATE_RUNNING", "progress": {"done": 3, "total": 9}},
        {"state": "JOB_STATE_SUCCEEDED", "stats": {"noop": False, "items": 1200}, **ended},
        {"state": "JOB_STATE_SUCCEEDED", "stats": {"noop": True, "items": 1}, **ended},
        {"state": "JOB_STATE_FAILED", "error": unavailable, **ended},
        {"state": "JOB_STATE_CANCELLED", **ended},
    ]
    none = {"born": 0, "split": 0, "merged": 0, "retired": 0}
    told, changes = _answers(tmp_path, runs, [none, {**none, "born": 2, "retired": 1}])
    assert [each["state"] for each in told] == [
        "never run",
        "running",
        "running",
        "ok",
        "nothing new",
        "failed",
        "cancelled",
    ]
    never, _, _, ok, noop, failed, cancelled = (each["text"] for each in told)
    assert "Nothing has been grouped" in never
    assert ok == "succeeded at Sat, 21 Nov 2026, 09:30, 1,200 items."
    assert noop == "succeeded at Sat, 21 Nov 2026, 09:30, 1 item, nothing had changed."
    assert failed == "failed at Sat, 21 Nov 2026, 09:30: UNAVAILABLE: no index."
    assert cancelled == "cancelled at Sat, 21 Nov 2026, 09:30."
    assert changes == ["", "2 new, 1 gone"]
