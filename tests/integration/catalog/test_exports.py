"""Personas of older exports, through the service: both shapes give the same persona, whole."""

from typing import Any

from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, HashtagStrategy, Persona

from cli.exports import requests_of
from tests.integration.catalog.library import Library

CAPTIONS = {
    "tone": "playful",
    "voice_attributes": ["dry", "warm"],
    "topics": ["coffee"],
    "avoid_topics": ["politics"],
    "example_captions": ["Good morning."],
    "max_length": 2200,
}
STYLE = {"use_emoji": False, "avg_length": "short", "emoji_density": "moderate"}
HASHTAGS = {
    "niche_categories": ["café"],
    "target_hashtags": ["#coffee", "slow"],
    "avoid_hashtags": ["#ad"],
    "size_mix": "niche_heavy",
    "brand_tags": ["#nora"],
    "max_tags": 12,
}


async def created(lib: Library, export: dict[str, Any]) -> Persona:
    (request,) = requests_of(export, "persona")
    made = await lib.stub.CreatePersona(request)
    return await lib.stub.GetPersona(pb.GetPersonaRequest(name=made.name))


async def test_both_older_shapes_import_without_loss(lib: Library) -> None:
    about = {"timezone": "Europe/Lisbon", "voice": "Dry."}
    nested = await created(
        lib,
        {
            "name": "Nested",
            **about,
            "caption_config": {**CAPTIONS, "style": STYLE},
            "hashtag_strategy": HASHTAGS,
        },
    )
    flat = await created(lib, {"name": "Flat", **about, **CAPTIONS, **STYLE, **HASHTAGS})
    for persona in (nested, flat):
        assert (persona.time_zone, persona.voice) == ("Europe/Lisbon", "Dry.")
        assert persona.caption_config == CaptionConfig(
            tone=CaptionConfig.TONE_PLAYFUL,
            voice_attributes=["dry", "warm"],
            length=CaptionConfig.LENGTH_SHORT,
            emoji_density=CaptionConfig.EMOJI_DENSITY_NONE,
            topics=["coffee"],
            avoid_topics=["politics"],
            example_captions=["Good morning."],
            max_length=2200,
        )
        assert persona.hashtag_strategy == HashtagStrategy(
            niche_categories=["café"],
            target_hashtags=["#coffee", "#slow"],
            avoid_hashtags=["#ad"],
            brand_hashtags=["#nora"],
            size_mix=HashtagStrategy.SIZE_MIX_NICHE_HEAVY,
            max_hashtags=12,
        )
