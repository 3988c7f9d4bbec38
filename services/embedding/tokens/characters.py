"""Kinds of characters, as the tokenizers of models tell them apart."""

import re
import sys
import unicodedata
from functools import cache
from itertools import groupby

from services.embedding.tokens.errors import UnknownRule

_PROPERTY = re.compile(r"\\p\{(\w+)\}")


def lower(text: str) -> str:
    """Each character by itself in lower case, whatever stands beside it."""
    return "".join(character.lower() for character in text)


def is_control(character: str) -> bool:
    """Whether it has no width and no meaning in a text."""
    return character not in "\t\n\r" and unicodedata.category(character).startswith("C")


def is_punctuation(character: str) -> bool:
    """Whether BERT takes it as such, which includes every symbol of ASCII."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")


def is_ideograph(character: str) -> bool:
    """Whether it is of a block of Chinese characters, each of which is a word to BERT."""
    code = ord(character)
    return any(first <= code <= last for first, last in _IDEOGRAPHS)


_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def compiled(pattern: str) -> re.Pattern[str]:
    r"""The regular expression, whose ``\p{L}`` and the like the standard library lacks.

    Raises ``UnknownRule``.
    """
    parts, depth, position = [], 0, 0
    for found in _PROPERTY.finditer(pattern):
        before = pattern[position : found.start()]
        depth += _brackets(before)
        ranges = _ranges(found[1])
        parts += [before, ranges if depth else f"[{ranges}]"]
        position = found.end()
    try:
        return re.compile("".join([*parts, pattern[position:]]))
    except re.error as error:
        raise UnknownRule(f"the pattern {pattern!r} is not understood: {error}") from error


def _brackets(text: str) -> int:
    plain = re.sub(r"\\.", "", text)
    return plain.count("[") - plain.count("]")


@cache
def _ranges(category: str) -> str:
    """Every character of a Unicode category, as the inside of a class."""
    matching = (
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)).startswith(category)
    )
    runs = []
    for _, run in groupby(enumerate(matching), lambda pair: pair[1] - pair[0]):
        codes = [code for _, code in run]
        runs.append(f"\\U{codes[0]:08x}-\\U{codes[-1]:08x}")
    if not runs:
        raise UnknownRule(f"there are no characters of the kind {category!r}")
    return "".join(runs)
