"""From one piece of a text to numbers: WordPiece, byte pair encoding, unigrams."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

from services.embedding.tokens.errors import UnknownRule
from services.embedding.tokens.normalizers import Rules

PieceModel = Callable[[str], tuple[int, ...]]

_REMEMBERED = 16384
# How much less likely than the least likely piece something unknown is.
_UNKNOWN_PENALTY = 10.0


def piece_model(rules: Rules) -> PieceModel:
    """The function that ``rules`` describe. Raises ``UnknownRule``."""
    make = _KINDS.get(str(rules.get("type")))
    if make is None:
        raise UnknownRule(f"the model {rules.get('type')!r} is not known here")
    return lru_cache(_REMEMBERED)(make(rules))


def _word_piece(rules: Rules) -> PieceModel:
    """The longest known beginning, then the longest known continuation, and so on."""
    vocabulary: dict[str, int] = rules["vocab"]
    unknown = (vocabulary[rules["unk_token"]],)
    prefix, longest = rules["continuing_subword_prefix"], rules["max_input_chars_per_word"]

    def run(word: str) -> tuple[int, ...]:
        if len(word) > longest:
            return unknown
        ids, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = (prefix if start else "") + word[start:end]
                if (found := vocabulary.get(piece)) is not None:
                    break
            else:
                return unknown
            ids.append(found)
            start = end
        return tuple(ids)

    return run


def _byte_pairs(rules: Rules) -> PieceModel:
    """Characters, of which the pair that was most frequent in training is joined first."""
    if rules.get("continuing_subword_prefix"):
        raise UnknownRule("byte pairs with a prefix are not known here")
    vocabulary: dict[str, int] = rules["vocab"]
    suffix = rules.get("end_of_word_suffix") or ""
    merges = [tuple(each.split(" ") if isinstance(each, str) else each) for each in rules["merges"]]
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    unknown = _Unknown(vocabulary, rules)

    def run(word: str) -> tuple[int, ...]:
        if not word:
            return ()
        parts = [*word[:-1], word[-1] + suffix]
        while len(parts) > 1:
            rank, place = min(
                (ranks.get((first, second), len(ranks)), place)
                for place, (first, second) in enumerate(pairwise(parts))
            )
            if rank == len(ranks):
                break
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return tuple(unknown.ids(parts))

    return run


def _unigrams(rules: Rules) -> PieceModel:
    """The most likely way to cut a text into known pieces (Viterbi)."""
    pieces: list[tuple[str, float]] = rules["vocab"]
    vocabulary = {piece: number for number, (piece, _) in enumerate(pieces)}
    scores = dict(pieces)
    longest = max(map(len, vocabulary))
    lowest = min(scores.values()) - _UNKNOWN_PENALTY
    number = rules.get("unk_id")
    token = pieces[number][0] if number is not None else None
    unknown = _Unknown(vocabulary, {**rules, "unk_token": token, "fuse_unk": True})

    def run(word: str) -> tuple[int, ...]:
        best = [0.0, *(float("-inf") for _ in word)]
        starts = [0] * (len(word) + 1)
        for end in range(1, len(word) + 1):
            for start in range(max(0, end - longest), end):
                piece = word[start:end]
                score = scores.get(piece, lowest if end - start == 1 else None)
                if score is not None and best[start] + score > best[end]:
                    best[end], starts[end] = best[start] + score, start
        parts, end = [], len(word)
        while end > 0:
            parts.append(word[starts[end] : end])
            end = starts[end]
        return tuple(unknown.ids(parts[::-1]))

    return run


class _Unknown:
    """What becomes of pieces that are in no vocabulary: their bytes, or one token for unknown."""

    def __init__(self, vocabulary: dict[str, int], rules: Rules) -> None:
        self._vocabulary = vocabulary
        self._bytes = bool(rules.get("byte_fallback"))
        self._fused = bool(rules.get("fuse_unk"))
        token = rules.get("unk_token")
        self._id = vocabulary.get(token) if token is not None else None

    def ids(self, parts: list[str]) -> Iterator[int]:
        last_unknown = False
        for part in parts:
            found = self._vocabulary.get(part)
            unknown = found is None
            if found is not None:
                yield found
            elif self._bytes and (spelled := self._spelled(part)):
                unknown = False
                yield from spelled
            elif self._id is not None and not (self._fused and last_unknown):
                yield self._id
            last_unknown = unknown

    def _spelled(self, part: str) -> list[int]:
        found = [self._vocabulary.get(f"<0x{byte:02X}>") for byte in part.encode()]
        return [number for number in found if number is not None] if None not in found else []


_KINDS: dict[str, Callable[[Rules], PieceModel]] = {
    "WordPiece": _word_piece,
    "BPE": _byte_pairs,
    "Unigram": _unigrams,
}
