"""Words of a text, in a form in which two that mean the same are mostly equal."""

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SHORT = 3

# Words that say nothing about what a text is about.
_STOPWORDS = """a about after all also am an and any are as at be because been before being between
    both but by can could did do does doing down during each few for from further had has have
    having he her here hers him his how i if in into is it its itself just me more most my no nor
    not of off on once only or other our ours out over own per same she should so some such than
    that the their theirs them then there these they this those through to too under until up very
    was we were what when where which while who whom why will with without would yet you your yours
"""
STOPWORDS = frozenset(_STOPWORDS.split())


def words(text: str) -> list[str]:
    """The words of ``text``, lower-case, in their order."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def stem(word: str) -> str:
    """``word`` without the endings of English plurals; short words stay as they are."""
    if len(word) <= _SHORT or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word.removesuffix("s")


def stems(text: str) -> list[str]:
    """The stems of the words of ``text`` that carry meaning, in their order."""
    return [stem(word) for word in words(text) if word not in STOPWORDS]


def holds(text: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether ``phrase`` stands in ``text`` in one piece; both as stems. Nothing holds nothing."""
    size = len(phrase)
    starts = range(len(text) - size + 1) if size else ()
    return any(tuple(text[start : start + size]) == tuple(phrase) for start in starts)
