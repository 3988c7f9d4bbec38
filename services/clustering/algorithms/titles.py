"""Titles from the words that members share and other groups lack.

Class-based TF-IDF as in BERTopic (Grootendorst, 2022): a term weighs tf · log(1 + A / f), where tf
is how often the group has it, f how often all groups have it, and A the words of an average group.
Terms are words and pairs of neighbours; each counts once a member. Pairs take the place of their
words where they are nearly as good: "latte art" says more than "latte" and "art" apart.

Naming a few groups takes the terms of the others as numbers (``Background``), so that what it costs
depends on these few, not on how many there are.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from services.clustering.algorithms.words import words_of_file, words_of_text

MAX_LENGTH = 50
SAMPLE = 200
"""How many members a title is made of at most, the most central ones."""
DUE_SHARE = 0.2
"""The share of the members that may come and go before a group is named again."""

_MAX_WORDS = 4
_LEAST_SHARE = 0.3
_LEAST_OF_BEST = 0.6
_LEAST_OF_SECOND = 0.25
_PAIR_OF_WORD = 0.8
_KEEP = 0.75
_TERMS_KEPT = 48
_PART = re.compile(r"[^/]+/?")
_WEIGHTS = {"tag": 1.5, "text": 1.0, "file": 1.0}


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written about one member: file path, captions, tags and pillar names, if any."""

    file_name: str = ""
    tags: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A group to be named: its size, what is written about its most central members (``SAMPLE`` at
    most), and the title that it has, "" if none."""

    size: int
    labels: Sequence[Labels]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Background:
    """The other groups of the scope: how many there are, their words in all, and how often they
    have the terms that come into question."""

    classes: int = 0
    words: float = 0.0
    counts: Mapping[str, float] = field(default_factory=dict)


NOTHING_ELSE = Background()


@dataclass(frozen=True, slots=True)
class Named:
    """A title, and what it was made of, for naming other groups later: the terms of the group with
    their weights, the most frequent ones, and its words in all."""

    title: str
    size: int
    terms: Mapping[str, float]
    words: float


def make_titles(
    groups: Mapping[str, Sequence[Labels]], noun: str = "photos", taken: Iterable[str] = ()
) -> dict[str, str]:
    """A title for each group: words, at most 50 characters, no two alike, the same every time.

    None is like one of ``taken``. A group without usable words is called "Group of 14 photos".
    """
    unnamed = {key: Unnamed(len(members), members) for key, members in groups.items()}
    named = name_groups(unnamed, NOTHING_ELSE, taken, noun)
    return {key: each.title for key, each in named.items()}


def is_due(named_size: int, changed: int) -> bool:
    """Whether a group is to be named that had ``named_size`` members when it was named last (0:
    never) and of which ``changed`` came or left since."""
    return named_size == 0 or changed >= DUE_SHARE * named_size


def name_groups(
    groups: Mapping[str, Unnamed],
    background: Background = NOTHING_ELSE,
    taken: Iterable[str] = (),
    noun: str = "photos",
    counted: Mapping[str, "Terms"] | None = None,
) -> dict[str, Named]:
    """A name for each group: a title of at most 50 characters, no two alike, none like one of
    ``taken``, the same for the same members and background.

    The title that a group has stays unless the best new one is clearly better, so that titles do
    not flicker. ``counted`` are the terms of the groups, where the caller has them already.
    """
    terms = counted or {key: Terms.of(group.labels) for key, group in groups.items()}
    idf = _Idf(terms.values(), background)
    used = {title.casefold() for title in taken}
    order = sorted(groups, key=lambda key: (-groups[key].size, len(key), key))
    units = {key: terms[key].units(idf) for key in groups}
    titles: dict[str, str] = {}
    # Who keeps a title comes before those who look for one.
    for key in order:
        title = _kept(groups[key].title, terms[key], idf, units[key], used, noun)
        if title or (title := _still_right(groups[key], units[key], used, noun)):
            titles[key] = title
            used.add(title.casefold())
    for key in order:
        if key not in titles:
            proposals = _proposals(units[key], groups[key].size, noun)
            titles[key] = next(each for each in proposals if each.casefold() not in used)
            used.add(titles[key].casefold())
    return {
        key: Named(titles[key], group.size, terms[key].most_frequent(), terms[key].words)
        for key, group in groups.items()
    }


def shared_terms(labels: Sequence[Labels], most: int) -> list[str]:
    """The words, or pairs of words, that most of these have in common, at most so many."""
    terms = Terms.of(labels)
    units = terms.units(_Idf([terms], NOTHING_ELSE))
    return [unit.term for unit in units[:most]]


@dataclass(frozen=True, slots=True)
class _Unit:
    """One or two words of a title."""

    term: str
    score: float
    position: float

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.term.split())

    def rank(self) -> tuple[float, float, str]:
        """Best first; ties to the one that comes first in the texts, and to pairs."""
        return -round(self.score, 9), self.position, self.term


class _Idf:
    """log(1 + A / f), from the groups to be named and the others."""

    def __init__(self, terms: Iterable["Terms"], background: Background) -> None:
        own = list(terms)
        self._frequency: dict[str, float] = defaultdict(float, background.counts)
        for each in own:
            for term, weight in each.weights.items():
                self._frequency[term] += weight
        words = background.words + sum(each.words for each in own)
        self._average = words / max(background.classes + len(own), 1)

    def of(self, term: str) -> float:
        """What a term tells a group from others by; 0 for one that nobody has."""
        frequency = self._frequency.get(term, 0.0)
        return math.log1p(self._average / frequency) if frequency > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """The words of a group and its pairs of neighbouring words, the most frequent first: how many
    of its ``members`` have each, with the weight of where, and at which place in what is written
    about them. ``words`` are all words with their weights, counted."""

    members: int
    weights: Mapping[str, float]
    positions: Mapping[str, float]
    words: float

    @classmethod
    def of(cls, labels: Sequence[Labels]) -> "Terms":
        """The terms of these members, those that matter."""
        plurals = _Plurals(word for each in labels for _, words in _runs(each) for word in words)
        weights: dict[str, float] = defaultdict(float)
        positions: dict[str, float] = defaultdict(float)
        for member in labels:
            for term, (weight, place) in _of_member(member, plurals).items():
                weights[term] += weight
                positions[term] += weight * place
        words = sum(weight for term, weight in weights.items() if " " not in term)
        least = _least(len(labels))
        ranked = sorted(weights.items(), key=lambda entry: (-entry[1], entry[0]))
        kept = {t: w for n, (t, w) in enumerate(ranked) if n < _TERMS_KEPT or w >= least}
        means = {term: positions[term] / weight for term, weight in kept.items()}
        return cls(len(labels), kept, means, words)

    def candidates(self) -> list[str]:
        """The terms that enough members have to speak for the group."""
        least = _least(self.members)
        return [term for term, weight in self.weights.items() if weight >= least]

    def units(self, idf: _Idf) -> list[_Unit]:
        """What titles are made of, best first: no word twice, pairs where they are good enough."""
        scores = {term: self.weights[term] * idf.of(term) for term in self.candidates()}
        pairs = [
            _Unit(term, score, self.positions[term])
            for term, score in scores.items()
            if " " in term
            and score >= _PAIR_OF_WORD * max(scores.get(word, 0.0) for word in term.split())
        ]
        singles = [_Unit(t, s, self.positions[t]) for t, s in scores.items() if " " not in t]
        chosen: list[_Unit] = []
        seen: set[str] = set()
        for unit in (*sorted(pairs, key=_Unit.rank), *sorted(singles, key=_Unit.rank)):
            if seen.isdisjoint(unit.words):
                seen.update(unit.words)
                chosen.append(unit)
        return sorted(chosen, key=_Unit.rank)[: 2 * _MAX_WORDS]

    def most_frequent(self) -> dict[str, float]:
        """The terms that are kept for naming other groups."""
        return dict(islice(self.weights.items(), _TERMS_KEPT))

    def score_of(self, words: Sequence[str], idf: _Idf) -> float:
        """The mean score of the words of a title."""
        scores = [self.weights.get(word, 0.0) * idf.of(word) for word in words]
        return sum(scores) / len(scores) if scores else 0.0


def _least(members: int) -> float:
    """The weight that a term of a title must have in a group."""
    return max(_LEAST_SHARE * members, min(2, max(members, 1)))


def _kept(
    title: str, own: Terms, idf: _Idf, units: Sequence[_Unit], used: set[str], noun: str
) -> str:
    """The title of before, if it is free and the best new one is not clearly better; else ""."""
    words = [word for word in words_of_text(title) if word != noun]
    # A number tells that it was a last resort, and a digit is in no word.
    if not words or title.casefold() in used or any(sign.isdigit() for sign in title):
        return ""
    best = units[: _fewest(units)]
    new = own.score_of([word for unit in best for word in unit.words], idf)
    return title if own.score_of(words, idf) >= _KEEP * new > 0 else ""


def _still_right(group: Unnamed, units: Sequence[_Unit], used: set[str], noun: str) -> str:
    """The last resort that it was called by, if that is still all that can be said; else ""."""
    resort = f"Group of {group.size} {noun}"
    is_so = group.title == resort or group.title.startswith(f"{resort} (")
    return group.title if is_so and not units and group.title.casefold() not in used else ""


def _proposals(units: Sequence[_Unit], size: int, noun: str) -> Iterator[str]:
    """Titles from the best to the last resort; the last ones are numbered and never end."""
    base = _joined(units[:1], noun) or f"Group of {size} {noun}"
    if len(units) > 1 and units[1].score < _LEAST_OF_SECOND * units[0].score:
        yield base
    for count in range(_fewest(units), len(units) + 1):
        chosen = units[:count]
        words = sum(len(unit.words) for unit in chosen)
        if 2 <= words <= _MAX_WORDS and (title := _joined(chosen)):
            yield title
    yield base
    number = 2
    while True:
        yield f"{base} ({number})"
        number += 1


def _fewest(units: Sequence[_Unit]) -> int:
    """How many units the best title has: two words at least, more if the next ones are strong."""
    count = words = 0
    for unit in units:
        strong = unit.score >= _LEAST_OF_BEST * units[0].score
        most = _MAX_WORDS if count == 1 else _MAX_WORDS - 1
        if words >= 2 and not (strong and words + len(unit.words) <= most):
            break
        count, words = count + 1, words + len(unit.words)
    return max(count, 1)


def _joined(units: Sequence[_Unit], noun: str = "") -> str:
    """The words in the order in which the members tend to have them; "" when it is too long."""
    if not units:
        return ""
    ordered = sorted(units, key=lambda unit: (unit.position, unit.term))
    title = " ".join([*(unit.term for unit in ordered), *([noun] if noun else [])])
    return title[:1].upper() + title[1:] if len(title) <= MAX_LENGTH else ""


class _Plurals:
    """Folds "shoes" into "shoe" where both are written somewhere."""

    def __init__(self, words: Iterable[str]) -> None:
        self._known = set(words)

    def singular(self, word: str) -> str:
        for ending in ("es", "s"):
            if word.endswith(ending) and (stem := word.removesuffix(ending)) in self._known:
                return stem
        return word


def _of_member(member: Labels, plurals: _Plurals) -> dict[str, tuple[float, float]]:
    """The terms of a member, each with its weight and the first place where it stands."""
    found: dict[str, tuple[float, float]] = {}

    def note(term: str, weight: float, place: float) -> None:
        before = found.get(term)
        found[term] = (weight, place) if before is None else (max(before[0], weight), before[1])

    place = 0
    for source, written in _runs(member):
        words = [plurals.singular(word) for word in written]
        for offset, word in enumerate(words):
            note(word, _WEIGHTS[source], place + offset)
        for offset, (first, second) in enumerate(pairwise(words)):
            if first != second:
                note(f"{first} {second}", _WEIGHTS[source], place + offset)
        place += len(words)
    return found


def _runs(member: Labels) -> list[tuple[str, list[str]]]:
    """The words of a member by what they stand in, with its source, tags first."""
    return [
        *(("tag", words_of_text(tag)) for tag in member.tags),
        *(("text", words_of_text(text)) for text in member.texts),
        *(("file", words_of_file(part)) for part in _PART.findall(member.file_name)),
    ]
