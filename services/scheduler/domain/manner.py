"""How a persona writes, and what a post is about."""

from dataclasses import dataclass
from enum import StrEnum

from libs.text.words import holds, stems

# The longest text that any of the networks takes with a photo.
MAX_CAPTION = 2200


class Tone(StrEnum):
    """The overall manner."""

    CASUAL = "casual"
    PROFESSIONAL = "professional"
    PLAYFUL = "playful"
    INSPIRATIONAL = "inspirational"
    EDGY = "edgy"


class Length(StrEnum):
    """How long captions usually are."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


class EmojiDensity(StrEnum):
    """How many emoji captions carry."""

    NONE = "none"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Manner:
    """How captions of a persona are written; see CaptionConfig in the contract of the catalog."""

    voice: str = ""
    tone: Tone = Tone.CASUAL
    attributes: tuple[str, ...] = ()
    length: Length = Length.MEDIUM
    emoji: EmojiDensity = EmojiDensity.MODERATE
    topics: tuple[str, ...] = ()
    avoid_topics: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    max_length: int = MAX_CAPTION

    def avoids(self, text: str) -> bool:
        """Whether ``text`` names something that the persona never talks about."""
        found = stems(text)
        return any(holds(found, stems(topic)) for topic in self.avoid_topics)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a post is about. ``photo`` is its resource name, ``pillar`` what people call it.

    ``caption`` and ``alt_text`` say what the photo shows, ``objects`` are words for what is on it,
    most telling first, ``hint`` what a person wants said besides.
    """

    photo: str
    pillar: str = ""
    caption: str = ""
    alt_text: str = ""
    objects: tuple[str, ...] = ()
    hint: str = ""
