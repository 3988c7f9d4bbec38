"""An identity that publishes."""

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from services.catalog.domain.names import PERSONA
from services.catalog.domain.texts import comparable, display_name

DEFAULT_TIME_ZONE = "UTC"
_HASHTAG = re.compile(r"#\w{1,100}")


class PersonaState(StrEnum):
    """Whether a persona is in use."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class Tone(StrEnum):
    """The overall manner of captions."""

    CASUAL = "CASUAL"
    PROFESSIONAL = "PROFESSIONAL"
    PLAYFUL = "PLAYFUL"
    INSPIRATIONAL = "INSPIRATIONAL"
    EDGY = "EDGY"


class Length(StrEnum):
    """How long captions usually are."""

    SHORT = "SHORT"
    MEDIUM = "MEDIUM"
    LONG = "LONG"


class EmojiDensity(StrEnum):
    """How many emoji captions carry."""

    NONE = "NONE"
    LOW = "LOW"
    MODERATE = "MODERATE"
    HIGH = "HIGH"


class SizeMix(StrEnum):
    """The mix of large, medium and niche hashtags."""

    BALANCED = "BALANCED"
    NICHE_HEAVY = "NICHE_HEAVY"
    BROAD_REACH = "BROAD_REACH"


@dataclass(frozen=True, slots=True)
class CaptionConfig:
    """How captions are written. None and 0 leave the default to whoever writes them."""

    tone: Tone | None = None
    voice_attributes: tuple[str, ...] = ()
    length: Length | None = None
    emoji_density: EmojiDensity | None = None
    topics: tuple[str, ...] = ()
    avoid_topics: tuple[str, ...] = ()
    example_captions: tuple[str, ...] = ()
    max_length: int = 0


@dataclass(frozen=True, slots=True)
class HashtagStrategy:
    """How hashtags are chosen. None and 0 leave the default to whoever chooses them."""

    niche_categories: tuple[str, ...] = ()
    target_hashtags: tuple[str, ...] = ()
    avoid_hashtags: tuple[str, ...] = ()
    brand_hashtags: tuple[str, ...] = ()
    size_mix: SizeMix | None = None
    max_hashtags: int = 0


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A stretch of local time, in minutes from midnight. ``weekday`` 1 is Monday, 0 every day."""

    weekday: int
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a persona posts, in its own time zone. 0 and none leave the default to the planner."""

    posts_per_week: int = 0
    min_gap_hours: int = 0
    windows: tuple[TimeWindow, ...] = ()
    blackout_dates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Persona:
    """An identity that publishes: its voice, its rhythm, its time zone."""

    id: str
    display_name: str
    create_time: datetime
    update_time: datetime
    time_zone: str = ""
    voice: str = ""
    caption_config: CaptionConfig | None = None
    hashtag_strategy: HashtagStrategy | None = None
    cadence: Cadence | None = None
    state: PersonaState = PersonaState.ACTIVE
    version: int = 1

    @property
    def name(self) -> str:
        """The resource name."""
        return PERSONA.format(self.id)

    @property
    def display_key(self) -> str:
        """Equal for display names that count as the same."""
        return comparable(self.display_name)


@dataclass(frozen=True, slots=True)
class LibraryStats:
    """How many photos of a persona in use stand where; ``size_bytes`` is that of the originals.

    ``awaiting_vote`` counts runs that wait for votes or a winner, ``winners_without_photo`` those
    whose winner is no photo.
    """

    photos: int = 0
    embedding_pending: int = 0
    embedding_ready: int = 0
    embedding_failed: int = 0
    unused: int = 0
    scheduled: int = 0
    posted: int = 0
    size_bytes: int = 0
    awaiting_vote: int = 0
    winners_without_photo: int = 0


def checked_persona(persona: Persona) -> Persona:
    """``persona`` in the form in which it is kept. Raises InvalidArgument naming every field."""
    persona = replace(
        persona,
        display_name=display_name(persona.display_name, "persona.display_name"),
        time_zone=persona.time_zone or DEFAULT_TIME_ZONE,
    )
    wrong = [*_wrong_zone(persona.time_zone)]
    if persona.hashtag_strategy:
        wrong += _wrong_hashtags(persona.hashtag_strategy)
    if persona.cadence:
        wrong += _wrong_dates(persona.cadence.blackout_dates)
    if wrong:
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in wrong), wrong)
    return persona


def require_active(persona: Persona) -> None:
    """Raises FailedPrecondition (ARCHIVED) if nothing can be added to the persona."""
    if persona.state is PersonaState.ARCHIVED:
        raise FailedPrecondition(
            f"the persona {persona.name} is archived; nothing new can be added to it",
            reason="ARCHIVED",
            metadata={"persona": persona.name},
        )


def _wrong_zone(zone: str) -> Iterable[Violation]:
    try:
        zoneinfo.ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # unknown, not a path below the database, a folder
        text = f"{zone!r} is not an IANA time zone; use one such as Europe/Lisbon or UTC"
        yield Violation("persona.time_zone", text)


def _wrong_hashtags(strategy: HashtagStrategy) -> Iterable[Violation]:
    for field in ("target_hashtags", "avoid_hashtags", "brand_hashtags"):
        for index, tag in enumerate(getattr(strategy, field)):
            if not _HASHTAG.fullmatch(tag):
                text = f"{tag!r} is not a hashtag; write # and then letters, digits or underscores"
                yield Violation(f"persona.hashtag_strategy.{field}[{index}]", text)


def _wrong_dates(dates: Iterable[str]) -> Iterable[Violation]:
    for index, text in enumerate(dates):
        try:
            date.fromisoformat(text)
        except ValueError:
            field = f"persona.cadence.blackout_dates[{index}]"
            yield Violation(field, f"{text} is no day of the calendar; write it as YYYY-MM-DD")
