"""Texts as providers give them back."""

import html
import re
import unicodedata
from collections.abc import Collection
from typing import Final

_BREAK: Final = re.compile(r"<br\s*/?>|</p>|</div>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]+>")
_HOST: Final = re.compile(r"(?<![\w/])(@\w[\w.-]*)@\w[\w-]*(?:\.[\w-]+)*")
_LINK: Final = re.compile(r"(https?://\S+)")
_SPACE: Final = re.compile(r"\s+")


def comparable(text: str) -> str:
    """``text`` in a form in which equal texts are equal: NFC, plain line ends, no margins."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()


def plain(markup: str) -> str:
    """The text of a piece of HTML."""
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", markup)))


def letters(text: str) -> str:
    """``text`` without its white space, which HTML does not keep."""
    return _SPACE.sub("", comparable(text))


def without_hosts(text: str) -> str:
    """``text`` with its mentions as servers show them: ``@bob`` for ``@bob@o.social``."""
    return _HOST.sub(r"\1", text)


def is_but_for_links(shown: str, sent: str, shorteners: Collection[str]) -> bool:
    """Whether ``shown`` is ``sent``, where any link may stand as one of the ``shorteners``."""
    parts, wanted = _LINK.split(comparable(shown)), _LINK.split(comparable(sent))
    return len(parts) == len(wanted) and all(
        part == want or (place % 2 == 1 and part.split("/")[2] in shorteners)
        for place, (part, want) in enumerate(zip(parts, wanted, strict=True))
    )
