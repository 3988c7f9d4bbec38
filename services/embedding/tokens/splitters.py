"""How a text is split into what the model of a tokenizer gets one by one."""

from collections.abc import Callable
from itertools import chain, groupby
from typing import Any

from services.embedding.tokens.characters import compiled, is_punctuation
from services.embedding.tokens.errors import UnknownRule
from services.embedding.tokens.normalizers import Rules, pattern_of

Splitter = Callable[[str], list[str]]

_METASPACE = "\u2581"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def splitter(rules: Rules | None) -> Splitter:
    """The function that ``rules`` describe. Raises ``UnknownRule``."""
    if rules is None:
        return lambda text: [text] if text else []
    kind = rules.get("type")
    make = _KINDS.get(str(kind))
    if make is None:
        raise UnknownRule(f"the pre-tokenizer {kind!r} is not known here")
    return make(rules)


def _sequence(rules: Rules) -> Splitter:
    steps = [splitter(each) for each in rules["pretokenizers"]]

    def run(text: str) -> list[str]:
        pieces = [text]
        for step in steps:
            pieces = list(chain.from_iterable(map(step, pieces)))
        return pieces

    return run


def _bert(_: Rules) -> Splitter:
    """Words, and each punctuation mark by itself."""

    def run(text: str) -> list[str]:
        pieces: list[str] = []
        for word in text.split():
            for is_mark, run in groupby(word, is_punctuation):
                characters = list(run)
                pieces += characters if is_mark else ["".join(characters)]
        return pieces

    return run


def _whitespace(_: Rules) -> Splitter:
    return str.split


def _split(rules: Rules) -> Splitter:
    """By a pattern, of which only what is found remains, or what lies between."""
    pattern = pattern_of(rules["pattern"])
    behavior, invert = rules["behavior"], rules.get("invert", False)
    if behavior == "Removed" and invert:
        return lambda text: [found[0] for found in pattern.finditer(text) if found[0]]
    if behavior == "Removed":
        return lambda text: [piece for piece in pattern.split(text) if piece]
    if behavior == "Isolated":
        return lambda text: _isolated(pattern, text)
    raise UnknownRule(f"the behaviour {behavior!r} of a split is not known here")


def _isolated(pattern: Any, text: str) -> list[str]:
    pieces, position = [], 0
    for found in pattern.finditer(text):
        pieces += [text[position : found.start()], found[0]]
        position = found.end()
    return [piece for piece in [*pieces, text[position:]] if piece]


def _byte_level(rules: Rules) -> Splitter:
    """Every byte as a printable character of its own, as GPT-2 does."""
    pattern = compiled(_GPT2) if rules.get("use_regex", True) else None
    prefix = " " if rules.get("add_prefix_space", True) else ""

    def run(text: str) -> list[str]:
        if prefix and not text.startswith(prefix):
            text = prefix + text
        pieces = [text] if pattern is None else pattern.findall(text)
        return ["".join(_BYTES[byte] for byte in piece.encode()) for piece in pieces]

    return run


def _printable_bytes() -> list[str]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    shown = {byte: chr(byte) for byte in plain}
    shown |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    return [shown[byte] for byte in range(256)]


_BYTES = _printable_bytes()


def _metaspace(rules: Rules) -> Splitter:
    """Words that begin with a visible blank."""
    blank = rules.get("replacement", _METASPACE)
    scheme = rules.get(
        "prepend_scheme", "always" if rules.get("add_prefix_space", True) else "never"
    )
    split = rules.get("split", True)

    def run(text: str) -> list[str]:
        if not text:
            return []
        text = text.replace(" ", blank)
        if scheme != "never" and not text.startswith(blank):
            text = blank + text
        if not split:
            return [text]
        first, *rest = text.split(blank)
        return [piece for piece in [first, *(blank + word for word in rest)] if piece]

    return run


_KINDS: dict[str, Callable[[Rules], Splitter]] = {
    "Sequence": _sequence,
    "BertPreTokenizer": _bert,
    "WhitespaceSplit": _whitespace,
    "Split": _split,
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
}
