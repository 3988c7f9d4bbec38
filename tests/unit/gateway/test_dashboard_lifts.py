"""Where the dashboard draws lifts, as its script says it. Needs node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.static import PAGES

NODE = shutil.which("node")
ASK = """
import { marksOf, placeOf, widthOf } from "./lifts.js";
const { sets, places, widths } = JSON.parse(process.argv[2]);
const drawn = places.map(([lift, width]) => placeOf(lift, width));
console.log(JSON.stringify([sets.map(widthOf), drawn, widths.map(marksOf)]));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node to run scripts with")


def _answers(folder: Path, **asked: Any) -> Any:
    shutil.copy(PAGES / "dashboard" / "lifts.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "ask.js").write_text(ASK)
    command = [str(NODE), str(folder / "ask.js"), json.dumps(asked)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(ran.stdout)


def test_the_axis_is_even_on_both_sides_and_holds_all_that_it_can(tmp_path: Path) -> None:
    sets = [
        [],
        [{"low": 0.9, "high": 1.8}],
        [{"low": 0.9, "high": 2.0}, {"low": 0.3, "high": 1.1}],
        [{"low": 0.00001, "high": 9e9}],
    ]
    places = [[1, 2], [2, 2], [0.5, 2], [2, 4], [0.25, 4], [100, 4], [0.001, 4]]
    widths, drawn, marks = _answers(tmp_path, sets=sets, places=places, widths=[2, 8])
    assert widths == [2, 2, 4, 16]
    assert drawn == [50, 100, 0, 75, 0, 100, 0]
    assert [mark["text"] for mark in marks[0]] == ["1⁄2", "×1", "×2"]
    assert [mark["text"] for mark in marks[1]] == ["1⁄8", "1⁄2.8", "×1", "×2.8", "×8"]
