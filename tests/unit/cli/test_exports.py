"""Older exports of personas: both shapes come in without loss, and nothing is dropped silently."""

from typing import Any

import pytest
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, HashtagStrategy, Persona
from hypothesis import given
from hypothesis import strategies as st

from cli.exports import requests_of
from libs.errors import InvalidArgument

TEXTS = st.lists(st.text(max_size=8), max_size=3)
TAGS = st.lists(st.from_regex(r"\w{1,8}", fullmatch=True), max_size=3)
CAPTIONS = st.fixed_dictionaries(
    {
        "tone": st.sampled_from(["casual", "professional", "playful", "inspirational", "edgy"]),
        "voice_attributes": TEXTS,
        "topics": TEXTS,
        "avoid_topics": TEXTS,
        "example_captions": TEXTS,
        "max_length": st.integers(1, 2200),
    }
)
STYLE = st.fixed_dictionaries(
    {
        "use_emoji": st.booleans(),
        "avg_length": st.sampled_from(["short", "medium", "long"]),
        "emoji_density": st.sampled_from(["none", "low", "moderate", "high"]),
    }
)
HASHTAGS = st.fixed_dictionaries(
    {
        "niche_categories": TEXTS,
        "target_hashtags": TAGS,
        "avoid_hashtags": TAGS,
        "size_mix": st.sampled_from(["balanced", "niche_heavy", "broad_reach"]),
        "brand_tags": TAGS,
        "max_tags": st.integers(1, 30),
    }
)
WORDS: dict[str, tuple[Any, str]] = {
    "tone": (CaptionConfig.Tone, "TONE_"),
    "length": (CaptionConfig.Length, "LENGTH_"),
    "emoji_density": (CaptionConfig.EmojiDensity, "EMOJI_DENSITY_"),
    "size_mix": (HashtagStrategy.SizeMix, "SIZE_MIX_"),
}


def persona_of(document: dict[str, Any]) -> Persona:
    (request,) = requests_of(document, "persona")
    return request.persona


def refused(document: object) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as raised:
        requests_of(document, "persona")
    return {violation.field: violation.description for violation in raised.value.violations}


def word(message: Any, field: str) -> str:
    enum, prefix = WORDS[field]
    return str(enum.Name(getattr(message, field)).removeprefix(prefix).lower())


def plain(tags: Any) -> list[str]:
    return [tag.removeprefix("#") for tag in tags]


@given(CAPTIONS, STYLE, HASHTAGS)
def test_both_shapes_come_in_without_loss(
    captions: dict[str, Any], style: dict[str, Any], hashtags: dict[str, Any]
) -> None:
    nested = persona_of(
        {
            "name": "Nora",
            "caption_config": {**captions, "style": style},
            "hashtag_strategy": hashtags,
        }
    )
    assert nested == persona_of({"name": "Nora", **captions, **style, **hashtags})
    assert nested == persona_of(
        {"name": "Nora", "caption_config": {**captions, **style}, **hashtags}
    )

    config, strategy = nested.caption_config, nested.hashtag_strategy
    lists = ("voice_attributes", "topics", "avoid_topics", "example_captions")
    assert {
        "tone": word(config, "tone"),
        "max_length": config.max_length,
        **{field: list(getattr(config, field)) for field in lists},
    } == captions
    assert word(config, "length") == style["avg_length"]
    expected = style["emoji_density"] if style["use_emoji"] else "none"
    assert word(config, "emoji_density") == expected
    assert {
        "niche_categories": list(strategy.niche_categories),
        "target_hashtags": plain(strategy.target_hashtags),
        "avoid_hashtags": plain(strategy.avoid_hashtags),
        "size_mix": word(strategy, "size_mix"),
        "brand_tags": plain(strategy.brand_hashtags),
        "max_tags": strategy.max_hashtags,
    } == hashtags


def test_who_it_is() -> None:
    (request,) = requests_of(
        {"id": "nora", "name": "Nora", "timezone": "Europe/Lisbon", "voice": "Dry."}, "persona"
    )
    assert request.persona_id == "nora"
    assert request.persona == Persona(
        display_name="Nora", time_zone="Europe/Lisbon", voice="Dry."
    ), "what the export does not say stays unset"
    many = requests_of([{"name": "A"}, {"display_name": "B", "time_zone": "UTC"}], "persona")
    assert [r.persona.display_name for r in many] == ["A", "B"]


@pytest.mark.parametrize(
    ("style", "density"),
    [
        ({"use_emoji": False}, "none"),
        ({"use_emoji": False, "emoji_density": "high"}, "none"),
        ({"use_emoji": True}, "moderate"),
        ({"use_emoji": True, "emoji_density": "low"}, "low"),
        ({"emoji_density": "high"}, "high"),
        ({"avg_length": "long", "emoji_density": None}, "unspecified"),
    ],
)
def test_emoji(style: dict[str, Any], density: str) -> None:
    config = persona_of({"name": "Nora", "caption_config": {"style": style}}).caption_config
    assert word(config, "emoji_density") == density


def test_all_that_does_not_fit_is_told_by_its_path() -> None:
    assert refused(
        {
            "mood": "sunny",
            "caption_config": {
                "tone": "grumpy",
                "colour": "red",
                "style": {"use_emoji": "yes", "font": "serif"},
                "topics": "cups",
            },
            "tone": "casual",
            "hashtag_strategy": {"max_tags": True, "brand_tags": [1], "style": {}},
        }
    ) == {
        "persona.mood": "is not a known field",
        "persona.caption_config.colour": "is not a known field",
        "persona.caption_config.style.font": "is not a known field",
        "persona.hashtag_strategy.style": "is not a known field",
        "persona.tone": "is given a second time, see persona.caption_config.tone",
        "persona.name": "is missing",
        "persona.caption_config.style.use_emoji": "must be true or false",
        "persona.caption_config.topics": "must be a list of texts",
        "persona.hashtag_strategy.max_tags": "must be a whole number from 1 to 30",
        "persona.hashtag_strategy.brand_tags": "must be a list of texts",
    }
    assert refused({"name": "Nora", "tone": "grumpy"}) == {
        "persona.tone": "must be one of casual, professional, playful, inspirational, edgy"
    }
    assert refused([{"name": "A"}, 5]) == {"persona[1]": "must be an object in braces"}
    assert refused({"name": "A", "caption_config": []}) == {
        "persona.caption_config": "must be an object in braces"
    }
