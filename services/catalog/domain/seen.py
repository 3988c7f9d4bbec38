"""What is known in words of the photos that a pillar has, and what they lack."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from libs.text.words import holds, stems

# Cameras and phones call their files so; it says nothing about what is on them.
_CAMERA = ("img", "image", "dsc", "dscf", "dscn", "pxl", "mvi", "gopr", "photo", "foto", "copy")
_NUMBER = re.compile(r"\d")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{2,5}$")
# Sides that differ by less than this part count as a square.
_SQUARE = 0.05
# A tag on more than this part of the photos is on most of them.
_MOST = 0.6
_ENOUGH = 4


class Orientation(StrEnum):
    """The shape of a picture."""

    UPRIGHT = "upright"
    LEVEL = "level"
    SQUARE = "square"


@dataclass(frozen=True)
class Seen:
    """A photo in words. ``path`` is what its file came as, with its folders; ``width`` and
    ``height`` are in pixels when upright."""

    id: str
    tags: tuple[str, ...] = ()
    caption: str = ""
    alt_text: str = ""
    path: str = ""
    width: int = 0
    height: int = 0

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The stems of all its words: tags, caption, alternative text, file and folders."""
        name = stems(re.sub(r"[_\-./]+", " ", _EXTENSION.sub("", self.path)))
        named = [word for word in name if word not in _CAMERA and not _NUMBER.search(word)]
        return (*stems(" ".join((*self.tags, self.caption, self.alt_text))), *named)

    @property
    def text(self) -> str:
        """What people said of it, shortest first: its caption, else its alternative text, else
        its tags."""
        return self.caption or self.alt_text or ", ".join(self.tags)

    @property
    def orientation(self) -> Orientation:
        """Its shape."""
        if abs(self.width - self.height) <= _SQUARE * max(self.width, self.height):
            return Orientation.SQUARE
        return Orientation.UPRIGHT if self.height > self.width else Orientation.LEVEL


def showing(topic: str, seen: Iterable[Seen]) -> int:
    """How many photos say of themselves that they show ``topic``."""
    phrase = stems(topic)
    return sum(holds(photo.stems, phrase) for photo in seen)


def shapes(seen: Iterable[Seen]) -> Counter[Orientation]:
    """How many photos have which shape."""
    return Counter(photo.orientation for photo in seen)


def common_tag(seen: Sequence[Seen]) -> tuple[str, int] | None:
    """The tag that most of the photos carry, and how many do; None if they vary."""
    counts = Counter(tag for photo in seen for tag in photo.tags)
    if len(seen) < _ENOUGH or not counts:
        return None
    tag, count = counts.most_common(1)[0]
    return (tag, count) if count > _MOST * len(seen) else None


def nearest(text: str, seen: Sequence[Seen], count: int) -> list[str]:
    """The ids of the photos whose words come nearest to ``text``, nearest first.

    A shared word weighs ln(1 + photos / photos that have it); what all have says little. The sum is
    divided by the square root of the photo's number of words. Photos that share no word are left
    out; ties go to whoever comes first.
    """
    wanted = set(stems(text))
    spread = Counter(word for photo in seen for word in set(photo.stems))
    scores: list[tuple[float, int, str]] = []
    for place, photo in enumerate(seen):
        own = set(photo.stems)
        shared = sum(math.log(1 + len(seen) / spread[word]) for word in own & wanted)
        if shared:
            scores.append((-shared / math.sqrt(len(own)), place, photo.id))
    return [id for _, _, id in sorted(scores)[:count]]
