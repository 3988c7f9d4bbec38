"""What the patterns of the contracts ask for, in words."""

import re

_LITERAL = re.compile(r"[A-Za-z]+")
_CHOICE = re.compile(r"\(([A-Za-z]+)(\|[A-Za-z]+)+\)")
_ID = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_KNOWN = {
    _ID: "must be 1 to 63 lower-case letters, digits and hyphens, starting with a letter",
    "^[a-z0-9][a-z0-9-]{0,39}$": "must be up to 40 lower-case letters, digits and hyphens",
    "^[a-z][a-z0-9_-]{0,39}$": (
        "must be up to 40 lower-case letters, digits, - and _, starting with a letter"
    ),
    "^#?[\\p{L}\\p{N}_]{1,100}$": "must be a # and then letters, digits or underscores",
    "^[0-9a-f]{64}$": "must be a SHA-256 in lower-case hexadecimal",
    "^[A-Za-z0-9_-]{22,64}$": "must be a token of 22 to 64 letters, digits, - and _",
    "^[A-Za-z0-9_.-]{22,400}$": "must be a token of 22 to 400 letters, digits, -, _ and dots",
    "^[A-Za-z0-9_-]{22,512}$": "must be a token of 22 to 512 letters, digits, - and _",
    "^[A-Z][A-Z0-9_]{0,63}$": "must be a reason such as IMAGE_TOO_LARGE",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "must be a date such as 2026-12-24",
}


def in_words(pattern: str) -> str:
    """What a text must be to match ``pattern``; empty where nothing better than it is known."""
    if pattern in _KNOWN:
        return _KNOWN[pattern]
    bare = pattern.removeprefix("^").removesuffix("$")
    shape = _shape_of_name(_CHOICE.sub(r"\1", bare).split("/"))
    return f"must be a name such as {shape}" if shape else ""


def _shape_of_name(segments: list[str]) -> str:
    """``personas/{persona}/photos/{photo}`` for the pattern of such a name."""
    if len(segments) < 2 or _LITERAL.fullmatch(segments[0]) is None:
        return ""
    shape: list[str] = []
    for segment in segments:
        literal = _LITERAL.fullmatch(segment)
        shape.append(segment if literal else f"{{{_singular(shape[-1])}}}")
    return "/".join(shape)


def _singular(collection: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", collection).lower()
    return words.removesuffix("es") if words.endswith("ches") else words.removesuffix("s")
