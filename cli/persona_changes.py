"""``colonnade personas update``."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, HashtagStrategy, Persona

from cli.names import persona_name, split_list
from cli.output import JsonOption, line, print_json
from cli.run import with_suite

Texts = list[str] | None


class Tone(StrEnum):
    """The overall manner of captions."""

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


class Emoji(StrEnum):
    """How many emoji captions carry."""

    NONE = "none"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


class Mix(StrEnum):
    """Which hashtags are preferred."""

    BALANCED = "balanced"
    NICHE_HEAVY = "niche-heavy"
    BROAD_REACH = "broad-reach"


def _listed(help: str) -> Any:
    return typer.Option(help=f"{help}; replaces those before, '' for none.")


def update(
    persona: str,
    display_name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Its IANA time zone.")] = None,
    voice: Annotated[str | None, typer.Option(help="How it speaks.")] = None,
    tone: Annotated[Tone | None, typer.Option(help="The manner of captions.")] = None,
    length: Annotated[Length | None, typer.Option(help="How long captions are.")] = None,
    emoji: Annotated[Emoji | None, typer.Option(help="How many emoji.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=0, max=2200, help="The longest caption; 0 for 2200.")
    ] = None,
    topic: Annotated[Texts, _listed("What it likes to talk about")] = None,
    avoid_topic: Annotated[Texts, _listed("What it never talks about")] = None,
    niche: Annotated[Texts, _listed("Subjects of niche hashtags")] = None,
    hashtag: Annotated[Texts, _listed("Hashtags to prefer")] = None,
    avoid_hashtag: Annotated[Texts, _listed("Hashtags that are never used")] = None,
    brand_hashtag: Annotated[Texts, _listed("Hashtags of every post")] = None,
    mix: Annotated[Mix | None, typer.Option(help="Common or special hashtags.")] = None,
    max_hashtags: Annotated[
        int | None, typer.Option(min=0, max=30, help="The most a post carries; 0 for 12.")
    ] = None,
    posts_per_week: Annotated[
        int | None, typer.Option(min=0, max=70, help="How often it posts; 0 for 3.")
    ] = None,
    min_gap_hours: Annotated[
        int | None, typer.Option(min=0, max=720, help="Between two posts; 0 for 24.")
    ] = None,
    blackout: Annotated[Texts, _listed("Days without posts, such as 2026-12-24")] = None,
    json: JsonOption = False,
) -> None:
    """Changes how a persona speaks, writes and posts; what is not named stays as it is."""
    given: dict[str, object] = {
        "display_name": display_name,
        "time_zone": time_zone,
        "voice": voice,
        "caption_config.tone": _value(CaptionConfig.Tone, "TONE", tone),
        "caption_config.length": _value(CaptionConfig.Length, "LENGTH", length),
        "caption_config.emoji_density": _value(CaptionConfig.EmojiDensity, "EMOJI_DENSITY", emoji),
        "caption_config.max_length": max_length,
        "caption_config.topics": _texts(topic),
        "caption_config.avoid_topics": _texts(avoid_topic),
        "hashtag_strategy.niche_categories": _texts(niche),
        "hashtag_strategy.target_hashtags": _texts(hashtag),
        "hashtag_strategy.avoid_hashtags": _texts(avoid_hashtag),
        "hashtag_strategy.brand_hashtags": _texts(brand_hashtag),
        "hashtag_strategy.size_mix": _value(HashtagStrategy.SizeMix, "SIZE_MIX", mix),
        "hashtag_strategy.max_hashtags": max_hashtags,
        "cadence.posts_per_week": posts_per_week,
        "cadence.min_gap_hours": min_gap_hours,
        "cadence.blackout_dates": _texts(blackout),
    }
    changes = {path: value for path, value in given.items() if value is not None}
    if not changes:
        raise typer.BadParameter("name what is to be changed; --help lists it")
    request = _request(persona_name(persona), changes)
    changed = with_suite(lambda suite: suite.catalog.UpdatePersona(request))
    print_json(changed) if json else line(f"changed [bold]{changed.name}[/bold]")


def _request(name: str, changes: Mapping[str, object]) -> catalog.UpdatePersonaRequest:
    request = catalog.UpdatePersonaRequest(persona=Persona(name=name))
    for path, value in changes.items():
        *parents, field = path.split(".")
        message: Any = request.persona
        for parent in parents:
            message = getattr(message, parent)
        if isinstance(value, list):
            getattr(message, field).extend(value)
        else:
            setattr(message, field, value)
        request.update_mask.paths.append(path)
    return request


def _value(enum: Any, prefix: str, chosen: StrEnum | None) -> int | None:
    if chosen is None:
        return None
    value: int = enum.Value(f"{prefix}_{chosen.upper().replace('-', '_')}")
    return value


def _texts(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else split_list(values)
