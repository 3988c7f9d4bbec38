"""What docs/library.md tells people to type works."""

import json
import re
import shlex
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from libs.rpc.contracts import SERVICES
from tests.integration.catalog.library import Library
from tests.integration.catalog.test_photos_cli import Shell
from tests.integration.catalog.test_photos_cli import shell as shell
from tests.integration.catalog.world import empty_request

PAGE = Path(__file__).parents[3] / "docs" / "library.md"
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    for line in block.replace("\\\n", " ").splitlines()
]
COMMANDS = [line for line in LINES if line.startswith("colonnade ")]
CALLS = [line for line in LINES if line.startswith("grpcurl ")]


@pytest.fixture
async def nora(lib: Library) -> dict[str, str]:
    """The persona of the page, and two photos of it."""
    if await lib.rows("SELECT FROM catalog.personas WHERE id = 'nora'"):
        coast = "personas/nora/pillars/coast"
    else:
        coast = await lib.pillar(await lib.persona(display_name="Nora"), display_name="Coast")
    names = [(await lib.shelve(coast, tags=("sea",))).name for _ in range(2)]
    return dict(zip(("$PHOTO", "$OTHER"), names, strict=True))


def test_every_line_is_run() -> None:
    assert len(COMMANDS) + len(CALLS) == len(LINES)
    assert COMMANDS and CALLS


@pytest.mark.parametrize("line", COMMANDS)
async def test_commands(shell: Shell, nora: dict[str, str], line: str) -> None:
    words = [nora.get(word, word) for word in shlex.split(line)[1:]]
    assert await shell.says(*words)


@pytest.mark.parametrize("line", CALLS)
async def test_calls(lib: Library, nora: dict[str, str], line: str) -> None:
    words = shlex.split(line)
    service, method = words[-1].split("/")
    descriptor = next(s for s in SERVICES["catalog"] if s.full_name == service)
    request = empty_request(descriptor.methods_by_name[method])
    ParseDict(json.loads(words[words.index("-d") + 1]), request)
    answer = await getattr(lib.stub, method)(request)
    rows = next(field for field, _ in answer.ListFields() if field.is_repeated)
    assert len(getattr(answer, rows.name)) >= 1
    assert nora
