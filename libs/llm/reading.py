"""What a language model answered: JSON, which it likes to wrap."""

import json
from typing import Any


class Unusable(Exception):
    """An answer that is not what was asked for. The message says what is wrong with it."""


def object_in(answer: str) -> dict[str, Any]:
    """The JSON object in an answer, without a fence and what stands around it. Raises Unusable."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        said = json.loads(answer[start : end + 1] if 0 <= start < end else answer)
    except (ValueError, RecursionError):
        raise Unusable("it is not JSON") from None
    if not isinstance(said, dict):
        raise Unusable("it is not a JSON object")
    return said


def text_in(said: dict[str, Any], name: str, most: int) -> str:
    """A text of an answer, on one line, that is neither empty nor too long. Raises Unusable."""
    text = said.get(name)
    if not isinstance(text, str) or not text.strip():
        raise Unusable(f"{name} must be a text that is not empty")
    text = one_line(text)
    if len(text) > most:
        raise Unusable(f"{name} must have {most} characters at most")
    return text


def one_line(text: str) -> str:
    """``text`` on one line, without what no database takes: NUL and halves of characters."""
    return " ".join(storable(text).split())


def storable(text: str) -> str:
    """``text`` without what no database takes: NUL and halves of characters."""
    return text.encode(errors="replace").decode().replace("\0", " ")
