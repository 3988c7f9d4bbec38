"""Briefs written without a language model: from what a pillar is about and what its photos lack.

Deterministic: the same ground gives the same brief. Sixteen combinations of look, place, moment,
light and frame are drawn, with a seed that is made of what was written before, and the one that is
least like anything written before is taken.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from libs.text.words import STOPWORDS, holds, stems, words
from services.catalog.domain.pillar import Guidelines, Pillar
from services.catalog.domain.repetition import Repetition
from services.catalog.domain.seen import Orientation, Seen, common_tag, shapes, showing
from services.catalog.domain.suggestion import Brief
from services.catalog.domain.vocabulary import (
    FRAMES,
    LIGHTS,
    SCENERY,
    Frame,
    Kind,
    Light,
    Look,
    Place,
    agree,
    kind_of,
    meant_by,
    suits,
)

SOURCE = "template"

_DRAWN = 16
_LOOKED_AT_BRIEFS = 50
_MAX_TITLE_WORDS = 5
_TOPIC_TITLE_WORDS = 3
_MAX_TOPIC_WORDS = 3
_MOOD_WORDS = 12
_STYLE_WORDS = 30
_FEW = 0.15
_ENOUGH = 4
_FREQUENT_TAGS = 5
_LACKS_TOLD = 2

_FORMATS = {
    Orientation.UPRIGHT: ("vertical 4:5", "Hold the camera upright, for 4:5."),
    Orientation.LEVEL: ("horizontal 3:2", "Hold the camera level, for 3:2."),
    Orientation.SQUARE: ("square 1:1", "Compose it for a square."),
}
_PARTS = re.compile(r"[.,;:!?()\n/–—]| and | or | & ")
_LEADING = re.compile(r"^(photos?|pictures?|images?|shots?) (of|from|about) ", re.IGNORECASE)
# A part of a description ends where it begins to explain itself.
_EXPLAINS = re.compile(r" (with|without|for|that|which|from|of|to|in|on|at|by) .*$", re.IGNORECASE)
_PRONOUNS = ("i", "i'm", "i’m", "he", "she", "they", "we", "my", "our", "you")
# What a description speaks of, and no camera can point at.
_NO_SUBJECTS = frozenset(
    stems("light mood hour moment reason thing day time story life idea nothing feeling theme")
)


@dataclass(frozen=True)
class Ground:
    """What a brief is written from.

    ``seen`` are the newest photos of the pillar. ``prompts`` and ``titles`` are of what was
    suggested before, newest first; ``rejected`` pairs prompts that were turned down with reasons.
    """

    voice: str
    pillar: Pillar
    seen: Sequence[Seen] = ()
    prompts: Sequence[str] = ()
    titles: Sequence[str] = ()
    rejected: Sequence[tuple[str, str]] = ()

    @property
    def guidelines(self) -> Guidelines:
        """Those of the pillar; empty ones if it has none."""
        return self.pillar.guidelines or Guidelines()

    @cached_property
    def avoided(self) -> list[list[str]]:
        """The phrases, as stems, that must not appear."""
        return [phrase for topic in self.guidelines.avoid_topics for phrase in meant_by(topic)]

    def names_avoided(self, text: str) -> bool:
        """Whether ``text`` names what is to be avoided."""
        found = stems(text)
        return any(holds(found, phrase) for phrase in self.avoided)

    @cached_property
    def topics(self) -> list[str]:
        """What its pictures may show: the topics of the guidelines, else those of the description,
        else frequent tags, else its name. Without what is to be avoided."""
        named = [topic.strip() for topic in self.guidelines.topics if topic.strip()]
        described = _described(self.pillar.description)
        for topics in (named, described, _frequent(self.seen), [self.pillar.display_name]):
            allowed = [topic for topic in topics if stems(topic) and not self.names_avoided(topic)]
            if allowed:
                return list(dict.fromkeys(allowed))
        return []


@dataclass(frozen=True, slots=True)
class Wish:
    """What the next brief is to be about, and the sentences that say what the photos lack."""

    topic: str
    orientation: Orientation
    lacks: tuple[str, ...] = field(default_factory=tuple)


def wish_of(ground: Ground) -> Wish | None:
    """What is due next; None where nothing may be shown.

    The topic that the last briefs named least, then the one that the fewest photos show; the shape
    that photos and briefs together have least of.
    """
    if not ground.topics:
        return None
    recent = [stems(prompt) for prompt in ground.prompts[:_LOOKED_AT_BRIEFS]]

    def due(topic: str) -> tuple[int, int]:
        return sum(holds(prompt, stems(topic)) for prompt in recent), showing(topic, ground.seen)

    topic = min(ground.topics, key=due)
    orientation = _rarest(ground)
    return Wish(topic, orientation, _lacks(ground, topic, orientation))


def offline_brief(ground: Ground, wish: Wish, known: Repetition, attempt: int = 0) -> Brief | None:
    """A brief for ``wish`` that is as little like ``known`` as can be; another for each attempt.

    None if what is to be avoided leaves no words for one.
    """
    allowed = _Allowed.for_topic(ground, wish.topic)
    choice = random.Random(_seed(ground, attempt))
    scenes = [scene for _ in range(_DRAWN) if (scene := allowed.drawn(choice))]
    briefs = [scene.brief(ground, wish) for scene in scenes]
    return min(briefs, key=lambda brief: known.nearness(brief.prompt), default=None)


@dataclass(frozen=True, slots=True)
class _Allowed:
    """The words for a topic without those that name what is to be avoided."""

    looks: list[Look]
    places: list[Place]
    moments: list[str]
    lights: list[Light]
    frames: list[Frame]

    @classmethod
    def for_topic(cls, ground: Ground, topic: str) -> "_Allowed":
        scenery = SCENERY[kind_of(topic)]
        return cls(
            looks=[x for x in scenery.looks if not ground.names_avoided(" ".join(x[:3]))],
            places=[x for x in scenery.places if not ground.names_avoided(x.phrase)],
            moments=[x for x in scenery.moments if not ground.names_avoided(x)],
            lights=[x for x in LIGHTS if not ground.names_avoided(" ".join(x[:2]))],
            frames=[x for x in FRAMES if not ground.names_avoided(" ".join(x[:2]))],
        )

    def drawn(self, choice: random.Random) -> "_Scene | None":
        """One of each that go together; None if nothing does."""
        if not (self.looks and self.places and self.moments):
            return None
        look, place = choice.choice(self.looks), choice.choice(self.places)
        lights = [light for light in self.lights if suits(light, place)]
        frames = [frame for frame in self.frames if agree(look, frame)]
        if not (lights and frames):
            return None
        moment = choice.choice(self.moments)
        return _Scene(look, place, moment, choice.choice(lights), choice.choice(frames))


@dataclass(frozen=True, slots=True)
class _Scene:
    look: Look
    place: Place
    moment: str
    light: Light
    frame: Frame

    def brief(self, ground: Ground, wish: Wish) -> Brief:
        """These choices in words."""
        shape, how = _FORMATS[wish.orientation]
        scene = f"{self.look.phrase} {wish.topic} {self.place.phrase}, {self.moment}"
        mood, style = _mood(ground), _style(ground)
        description = (
            f"{scene}. {self.look.how}",
            f"Shoot {self.light.phrase}. {self.frame.how} {how}",
            *([f"Mood: {mood}."] if mood else []),
            *([style] if style else []),
        )
        prompt = (
            f"{scene}, {self.light.phrase}; {self.frame.phrase}; {shape} photograph.",
            *([f"Mood: {mood}."] if mood else []),
            *([f"Style: {style}"] if style else []),
        )
        keywords = (wish.topic, self.look.title, self.light.title, str(wish.orientation))
        title = self._title(wish.topic, ground.titles)
        return Brief(title, " ".join(description), " ".join(prompt), keywords)

    def _title(self, topic: str, taken: Sequence[str]) -> str:
        """Two to five words; one that was not used, if there is one."""
        both = f"{self.look.title}, {self.light.title}"
        ends = [end.split() for end in (self.look.title, self.light.title, both)]
        subject = _short(topic).split()
        whole = [end for end in ends if len(subject) + len(end) <= _MAX_TITLE_WORDS]
        titles = [
            " ".join((*subject[: _MAX_TITLE_WORDS - len(end)], *end)) for end in whole or ends[:1]
        ]
        return next((title for title in titles if title not in taken), titles[0])


def _seed(ground: Ground, attempt: int) -> bytes:
    last = ground.prompts[0] if ground.prompts else ""
    text = "\0".join((ground.pillar.name, str(len(ground.prompts)), last, str(attempt)))
    return sha256(text.encode()).digest()


def _described(description: str) -> list[str]:
    """The subjects that a description lists, such as coffee and flowers."""
    found = []
    for part in _PARTS.split(description):
        subject = _EXPLAINS.sub("", _LEADING.sub("", part.strip())).strip()
        subject = " ".join(_without_articles(subject.split()))
        about = stems(subject)
        if about and len(subject.split()) <= _MAX_TOPIC_WORDS and about[-1] not in _NO_SUBJECTS:
            found.append(_plain_case(subject))
    return found


def _without_articles(parts: Sequence[str]) -> Sequence[str]:
    while parts and parts[0].casefold() in STOPWORDS:
        parts = parts[1:]
    return parts


def _plain_case(subject: str) -> str:
    """Small letters for a known word, which has its capital only from standing first."""
    first, _, rest = subject.partition(" ")
    return f"{first.lower()} {rest}".strip() if kind_of(first) is not Kind.ANY else subject


def _frequent(seen: Sequence[Seen]) -> list[str]:
    counts: dict[str, int] = {}
    for photo in seen:
        for tag in photo.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts, key=lambda tag: (-counts[tag], tag))[:_FREQUENT_TAGS]


def _rarest(ground: Ground) -> Orientation:
    counts = shapes(ground.seen)
    recent = ground.prompts[:_LOOKED_AT_BRIEFS]
    for orientation, (shape, _) in _FORMATS.items():
        counts[orientation] += sum(shape.split()[0] in words(prompt) for prompt in recent)
    return min(Orientation, key=lambda orientation: counts[orientation])


def _lacks(ground: Ground, topic: str, orientation: Orientation) -> tuple[str, ...]:
    """What the photos lack, in sentences about "it", the pillar."""
    count = len(ground.seen)
    if not count:
        return ()
    found = []
    if topic != ground.pillar.display_name and not showing(topic, ground.seen):
        found.append(f"None of its {_photos(count)} says that it shows {topic}.")
    shaped = shapes(ground.seen)[orientation]
    if count >= _ENOUGH and shaped < _FEW * count:
        found.append(f"{shaped or 'None'} of its {_photos(count)} {_is(shaped)} {orientation}.")
    if common := common_tag(ground.seen):
        tag, tagged = common
        found.append(f"{tagged} of its {_photos(count)} carry the tag {tag}.")
    return tuple(found[:_LACKS_TOLD])


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"


def _is(count: int) -> str:
    return "are" if count > 1 else "is"


def _mood(ground: Ground) -> str:
    """How it should feel: the tone of the guidelines, else how the persona speaks.

    A voice that tells who speaks, and not how, says nothing about a picture.
    """
    first = re.split(r"[.!?;\n]", ground.guidelines.tone.strip() or ground.voice.strip())[0]
    mood = " ".join(first.split()[:_MOOD_WORDS]).rstrip(",")
    tells_who = mood.partition(" ")[0].casefold() in _PRONOUNS
    return "" if tells_who or ground.names_avoided(mood) else mood


def _style(ground: Ground) -> str:
    notes = " ".join(ground.guidelines.style_notes.split()[:_STYLE_WORDS])
    if not notes or ground.names_avoided(notes):
        return ""
    return notes if notes.endswith((".", "!", "?")) else f"{notes}."


def _short(topic: str) -> str:
    """The topic as the beginning of a title."""
    parts = topic.split()
    if len(parts) > _TOPIC_TITLE_WORDS:
        telling = [part for part in parts if part.casefold() not in STOPWORDS]
        parts = (telling or parts)[:_TOPIC_TITLE_WORDS]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]
