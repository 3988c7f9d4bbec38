"""What is said of lines that hold no item."""

from typing import cast

from cli.connection import Suite
from cli.item_imports import import_lines

NOBODY = cast(Suite, None)  # nothing is sent


async def test_a_line_that_cannot_be_read_is_told_with_its_number() -> None:
    lines = [b'{"title": "caf\xe9"}\n', b"\n", b"{\n", b"[]\n", b'{"titel": "x"}\n']
    report = await import_lines(NOBODY, "projects/lumen", lines, "manual", quiet=True)
    assert [place for place, _ in report.refused] == ["line 1", "line 3", "line 4", "line 5"]
    reasons = [why for _, why in report.refused]
    assert reasons[0].startswith("is not UTF-8 text: ")
    assert reasons[1].startswith("is not JSON at column ")
    assert reasons[2:] == ["is no object in braces", "titel is no field of an item"]
