"""Hashtags for a post: where they come from, and how common and special ones are mixed."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Final

from libs.text.words import words
from services.scheduler.domain.manner import Subject

DEFAULT_COUNT: Final = 12
_LARGE_LETTERS: Final = 9
_MEDIUM_LETTERS: Final = 15
# As many as posts take; joined ones are shorter, or nobody reads them.
_MOST_LETTERS: Final = 100
_MOST_JOINED: Final = 30
_WORD: Final = re.compile(r"\w+")


class Origin(StrEnum):
    """Where a hashtag comes from."""

    BRAND = "brand"
    TARGET = "target"
    PHOTO = "photo"
    PILLAR = "pillar"
    NICHE = "niche"


class Size(StrEnum):
    """How common a hashtag is, as far as its wording tells."""

    LARGE = "large"
    MEDIUM = "medium"
    NICHE = "niche"


class SizeMix(StrEnum):
    """What a persona wants more of."""

    BALANCED = "balanced"
    NICHE_HEAVY = "niche_heavy"
    BROAD_REACH = "broad_reach"


# Of twelve hashtags or so, these are large, medium and niche ones.
_SHARES: Final = {
    SizeMix.BALANCED: {Size.LARGE: 3, Size.MEDIUM: 4, Size.NICHE: 5},
    SizeMix.NICHE_HEAVY: {Size.LARGE: 2, Size.MEDIUM: 3, Size.NICHE: 7},
    SizeMix.BROAD_REACH: {Size.LARGE: 4, Size.MEDIUM: 4, Size.NICHE: 3},
}


@dataclass(frozen=True, slots=True)
class Strategy:
    """How hashtags of a persona are chosen; tags with or without their ``#``."""

    niches: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    brand: tuple[str, ...] = ()
    mix: SizeMix = SizeMix.BALANCED
    most: int = DEFAULT_COUNT


@dataclass(frozen=True, slots=True)
class Hashtag:
    """A hashtag without its ``#``."""

    tag: str
    origin: Origin

    @property
    def size(self) -> Size:
        """How common it is. No network says so; longer and more special words are rarer."""
        if len(self.tag) <= _LARGE_LETTERS:
            return Size.LARGE
        return Size.MEDIUM if len(self.tag) <= _MEDIUM_LETTERS else Size.NICHE


def choose(subject: Subject, strategy: Strategy, count: int = 0) -> list[Hashtag]:
    """The hashtags of a post, at most ``count`` (0: as many as the persona has at most).

    Brand tags first; then the mix of sizes, in each the sources in their order: target tags, what
    is on the photo, words of the pillar, niches. Where a size has too few, others fill its place.
    A tag that is to be avoided is never among them, and none comes twice, whatever its case.
    """
    wanted = count or strategy.most
    found = list(_allowed(_candidates(subject, strategy), strategy.avoid))
    chosen = [tag for tag in found if tag.origin is Origin.BRAND][:wanted]
    others = [tag for tag in found if tag.origin is not Origin.BRAND]
    for size, share in _quota(wanted - len(chosen), strategy.mix).items():
        chosen += [tag for tag in others if tag.size is size][:share]
    chosen += [tag for tag in others if tag not in chosen][: wanted - len(chosen)]
    order = {tag: place for place, tag in enumerate(found)}
    return sorted(chosen, key=order.__getitem__)


def _quota(count: int, mix: SizeMix) -> dict[Size, int]:
    """So many of each size, ``count`` in all: the mix scaled, by the largest remainders."""
    shares = _SHARES[mix]
    exact = {size: share * count / sum(shares.values()) for size, share in shares.items()}
    quota = {size: int(value) for size, value in exact.items()}
    missing = count - sum(quota.values())
    for size in sorted(exact, key=lambda s: quota[s] - exact[s])[:missing]:
        quota[size] += 1
    return quota


def _candidates(subject: Subject, strategy: Strategy) -> Iterator[Hashtag]:
    objects = [word for word in map(_joined, subject.objects) if word]
    pillar = [word for word in map(_joined, words(subject.pillar)) if word]
    whole = _joined(subject.pillar)
    niches = [word for word in map(_joined, strategy.niches) if word]
    main = next(iter(niches), whole)
    sources: Sequence[tuple[Origin, Iterable[str]]] = (
        (Origin.BRAND, strategy.brand),
        (Origin.TARGET, strategy.targets),
        (Origin.PHOTO, chain(objects, (f"{word}{main}" for word in objects if main != word))),
        (Origin.PILLAR, chain((whole,), pillar, (f"{whole}{word}" for word in objects))),
        (Origin.NICHE, chain(niches, (f"{word}{niche}" for niche in niches for word in pillar))),
    )
    for origin, tags in sources:
        for tag in tags:
            given = origin in (Origin.BRAND, Origin.TARGET)
            if (name := _joined(tag)) and (given or len(name) <= _MOST_JOINED):
                yield Hashtag(name, origin)


def _allowed(found: Iterable[Hashtag], avoid: Iterable[str]) -> Iterator[Hashtag]:
    seen = {_joined(tag).casefold() for tag in avoid}
    for hashtag in found:
        if hashtag.tag.casefold() not in seen:
            seen.add(hashtag.tag.casefold())
            yield hashtag


def _joined(text: str) -> str:
    """``text`` as one word of letters, digits and underscores; empty if that is no hashtag.

    Networks take no bare number for one. Marks that belong to letters (as in Hindi or Thai) are
    not among what posts take, and without them it would be another word.
    """
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(letter).startswith("M") for letter in text):
        return ""
    tag = "".join(_WORD.findall(text.removeprefix("#")))
    return "" if tag.isnumeric() or len(tag) > _MOST_LETTERS else tag
