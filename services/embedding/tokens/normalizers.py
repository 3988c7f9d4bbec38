"""What is done to a text before it is split."""

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

from services.embedding.tokens.characters import compiled, is_control, is_ideograph, lower
from services.embedding.tokens.errors import UnknownRule

Normalizer = Callable[[str], str]
Rules = dict[str, Any]


def normalizer(rules: Rules | None) -> Normalizer:
    """The function that ``rules`` describe. Raises ``UnknownRule``."""
    if rules is None:
        return str
    kind = rules.get("type")
    if kind in ("NFC", "NFD", "NFKC", "NFKD"):
        return partial(unicodedata.normalize, kind)
    make = _KINDS.get(str(kind))
    if make is None:
        raise UnknownRule(f"the normalizer {kind!r} is not known here")
    return make(rules)


def _sequence(rules: Rules) -> Normalizer:
    steps = [normalizer(each) for each in rules["normalizers"]]

    def run(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return run


def _replace(rules: Rules) -> Normalizer:
    pattern, content = pattern_of(rules["pattern"]), rules["content"]
    return lambda text: pattern.sub(lambda _: content, text)


def pattern_of(rules: Rules) -> re.Pattern[str]:
    """The pattern of a rule: a text as it is, or a regular expression. Raises ``UnknownRule``."""
    if "String" in rules:
        return re.compile(re.escape(rules["String"]))
    return compiled(rules["Regex"])


def _strip(rules: Rules) -> Normalizer:
    left, right = rules.get("strip_left", True), rules.get("strip_right", True)

    def run(text: str) -> str:
        text = text.lstrip() if left else text
        return text.rstrip() if right else text

    return run


def _prepend(rules: Rules) -> Normalizer:
    prefix = rules["prepend"]
    return lambda text: prefix + text if text else text


def _bert(rules: Rules) -> Normalizer:
    lowercase = rules.get("lowercase", True)
    accents = rules.get("strip_accents")
    steps: list[Normalizer] = []
    if rules.get("clean_text", True):
        steps.append(_clean)
    if rules.get("handle_chinese_chars", True):
        steps.append(_set_apart)
    if lowercase if accents is None else accents:
        steps.append(_without_accents)
    if lowercase:
        steps.append(lower)

    def run(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return run


def _clean(text: str) -> str:
    kept = (c for c in text if c not in "\0\ufffd" and not is_control(c))
    return "".join(" " if c.isspace() else c for c in kept)


def _set_apart(text: str) -> str:
    return "".join(f" {c} " if is_ideograph(c) else c for c in text)


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


_KINDS: dict[str, Callable[[Rules], Normalizer]] = {
    "Sequence": _sequence,
    "Lowercase": lambda _: lower,
    "Replace": _replace,
    "Strip": _strip,
    "Prepend": _prepend,
    "BertNormalizer": _bert,
}
