"""The commands that the documentation shows."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")])

_FENCED: Final = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_VARIABLES: Final = r"(?:[A-Z_0-9]+=\S* )*"
_STOPS: Final = {"|", ";", "&&", ">", "&"}


def shown(page: Path, program: str) -> list[list[str]]:
    """The words of each line of the page's blocks that runs ``program``, without its name and
    without what stands in brackets."""
    return [_words(line, program) for line in _lines(page) if _is_of(line, program)]


def named(page: Path, program: str) -> list[list[str]]:
    """The same of what stands within sentences, where arguments may be left out."""
    rest = _FENCED.sub("", page.read_text())
    texts = (" ".join(text.split()) for text in _INLINE.findall(rest))
    return [_words(text, program) for text in texts if _is_of(text, program)]


def _lines(page: Path) -> Iterator[str]:
    for block in _FENCED.findall(page.read_text()):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            yield line.strip().removeprefix("$ ")


def _is_of(line: str, program: str) -> bool:
    return re.match(f"{_VARIABLES}{program} ", line) is not None


def _words(line: str, program: str) -> list[str]:
    rest = re.sub(f"^{_VARIABLES}{program} ", "", line)
    words = shlex.split(re.sub(r" \[[^]]*\]", "", rest), comments=True)
    end = next((n for n, word in enumerate(words) if word in _STOPS), len(words))
    return [word.rstrip(";") for word in words[:end]]
