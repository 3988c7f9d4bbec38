"""Titles from the words that members share and other groups lack (class-based TF-IDF)."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.clustering.algorithms.words import words_of_file, words_of_text

MAX_LENGTH = 50
_MAX_WORDS = 4
_LEAST_SHARE = 0.3
_LEAST_OF_BEST = 0.45
_WEIGHTS = {"tag": 1.5, "text": 1.0, "file": 1.0}


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written about one member: file path, captions, tags and pillar names, if any."""

    file_name: str = ""
    tags: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def make_titles(
    groups: Mapping[str, Sequence[Labels]], noun: str = "photos", taken: Iterable[str] = ()
) -> dict[str, str]:
    """A title for each group: words, at most 50 characters, no two alike, the same every time.

    None is like one of ``taken``. A group without usable words is called "Group of 14 photos".
    """
    lexicon = _Lexicon(groups)
    given: dict[str, str] = {}
    used = {title.casefold() for title in taken}
    for key in sorted(groups, key=lambda key: (-len(groups[key]), len(key), key)):
        proposals = _proposals(lexicon.best(key), len(groups[key]), noun)
        title = next(title for title in proposals if title.casefold() not in used)
        given[key] = title
        used.add(title.casefold())
    return {key: given[key] for key in groups}


def _proposals(words: Sequence["_Scored"], size: int, noun: str) -> Iterable[str]:
    """Titles from the best to the last resort; the last ones are numbered and never end."""
    strong = [word for word in words if word.score >= _LEAST_OF_BEST * words[0].score]
    for count in range(min(max(len(strong), 2), 3), _MAX_WORDS + 1):
        chosen = words[:count]
        if len(chosen) == count and (title := _joined(chosen)):
            yield title
    yield from (_joined([word], noun) for word in words[:1])
    base = _joined(words[:1], noun) if words else f"Group of {size} {noun}"
    yield base
    number = 2
    while True:
        yield f"{base} ({number})"
        number += 1


@dataclass(frozen=True, slots=True)
class _Scored:
    word: str
    score: float
    position: float

    def rank(self) -> tuple[float, float, str]:
        """Best first; ties to the word that comes first in the texts."""
        return -round(self.score, 9), self.position, self.word


def _joined(words: Sequence[_Scored], noun: str = "") -> str:
    """The words in the order in which the members tend to have them; "" when it is too long."""
    ordered = sorted(words, key=lambda word: (word.position, word.word))
    title = " ".join([word.word for word in ordered] + ([noun] if noun else []))
    return title[:1].upper() + title[1:] if len(title) <= MAX_LENGTH else ""


class _Lexicon:
    """How often each word occurs in each group, counted once a member."""

    def __init__(self, groups: Mapping[str, Sequence[Labels]]) -> None:
        self._sizes = {key: max(len(members), 1) for key, members in groups.items()}
        self._counts: dict[str, dict[str, float]] = {}
        self._positions: dict[str, dict[str, float]] = {}
        self._everywhere: dict[str, float] = defaultdict(float)
        plurals = _Plurals(
            word for members in groups.values() for m in members for _, word in _words(m)
        )
        for key, members in groups.items():
            self._counts[key], self._positions[key] = defaultdict(float), defaultdict(float)
            for member in members:
                self._count(key, member, plurals)

    def _count(self, key: str, member: Labels, plurals: "_Plurals") -> None:
        weights: dict[str, float] = {}
        places: dict[str, float] = {}
        for place, (source, written) in enumerate(_words(member)):
            word = plurals.singular(written)
            weights[word] = max(weights.get(word, 0.0), _WEIGHTS[source])
            places.setdefault(word, float(place))
        for word, weight in weights.items():
            self._counts[key][word] += weight
            self._everywhere[word] += 1.0 / self._sizes[key]
            self._positions[key][word] += weight * places[word]

    def best(self, key: str) -> list[_Scored]:
        """The words of a group by how well they tell it from the others, best first."""
        counts, size = self._counts[key], self._sizes[key]
        least = max(_LEAST_SHARE * size, min(2, size))
        groups = len(self._counts)
        scored = [
            _Scored(
                word,
                count / size * math.log((1.0 + groups) / self._everywhere[word]),
                self._positions[key][word] / count,
            )
            for word, count in counts.items()
            if count >= least
        ]
        return sorted(scored, key=_Scored.rank)[: 2 * _MAX_WORDS]


class _Plurals:
    """Folds "shoes" into "shoe" where both are written somewhere."""

    def __init__(self, words: Iterable[str]) -> None:
        self._known = set(words)

    def singular(self, word: str) -> str:
        for ending in ("es", "s"):
            if word.endswith(ending) and (stem := word.removesuffix(ending)) in self._known:
                return stem
        return word


def _words(member: Labels) -> list[tuple[str, str]]:
    """Every word of a member with its source, tags first."""
    return [
        *(("tag", word) for tag in member.tags for word in words_of_text(tag)),
        *(("text", word) for text in member.texts for word in words_of_text(text)),
        *(("file", word) for word in words_of_file(member.file_name)),
    ]
