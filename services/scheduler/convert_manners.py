"""How personas write, from the contract of the catalog to the domain."""

from typing import Final

from colonnade.catalog.v1.persona_pb2 import CaptionConfig, HashtagStrategy, Persona

from services.scheduler.domain.hashtags import DEFAULT_COUNT, SizeMix, Strategy
from services.scheduler.domain.manner import MAX_CAPTION, EmojiDensity, Length, Manner, Tone

_TONES: Final = {
    CaptionConfig.TONE_UNSPECIFIED: Tone.CASUAL,
    CaptionConfig.TONE_CASUAL: Tone.CASUAL,
    CaptionConfig.TONE_PROFESSIONAL: Tone.PROFESSIONAL,
    CaptionConfig.TONE_PLAYFUL: Tone.PLAYFUL,
    CaptionConfig.TONE_INSPIRATIONAL: Tone.INSPIRATIONAL,
    CaptionConfig.TONE_EDGY: Tone.EDGY,
}
_LENGTHS: Final = {
    CaptionConfig.LENGTH_UNSPECIFIED: Length.MEDIUM,
    CaptionConfig.LENGTH_SHORT: Length.SHORT,
    CaptionConfig.LENGTH_MEDIUM: Length.MEDIUM,
    CaptionConfig.LENGTH_LONG: Length.LONG,
}
_DENSITIES: Final = {
    CaptionConfig.EMOJI_DENSITY_UNSPECIFIED: EmojiDensity.MODERATE,
    CaptionConfig.EMOJI_DENSITY_NONE: EmojiDensity.NONE,
    CaptionConfig.EMOJI_DENSITY_LOW: EmojiDensity.LOW,
    CaptionConfig.EMOJI_DENSITY_MODERATE: EmojiDensity.MODERATE,
    CaptionConfig.EMOJI_DENSITY_HIGH: EmojiDensity.HIGH,
}
_MIXES: Final = {
    HashtagStrategy.SIZE_MIX_UNSPECIFIED: SizeMix.BALANCED,
    HashtagStrategy.SIZE_MIX_BALANCED: SizeMix.BALANCED,
    HashtagStrategy.SIZE_MIX_NICHE_HEAVY: SizeMix.NICHE_HEAVY,
    HashtagStrategy.SIZE_MIX_BROAD_REACH: SizeMix.BROAD_REACH,
}


def manner_of(persona: Persona) -> Manner:
    """How its captions are written, with what is meant where nothing is said."""
    config = persona.caption_config
    return Manner(
        voice=persona.voice,
        tone=_TONES[config.tone],
        attributes=tuple(config.voice_attributes),
        length=_LENGTHS[config.length],
        emoji=_DENSITIES[config.emoji_density],
        topics=tuple(config.topics),
        avoid_topics=tuple(config.avoid_topics),
        examples=tuple(config.example_captions),
        max_length=config.max_length or MAX_CAPTION,
    )


def strategy_of(persona: Persona) -> Strategy:
    """How its hashtags are chosen."""
    found = persona.hashtag_strategy
    return Strategy(
        niches=tuple(found.niche_categories),
        targets=tuple(found.target_hashtags),
        avoid=tuple(found.avoid_hashtags),
        brand=tuple(found.brand_hashtags),
        mix=_MIXES[found.size_mix],
        most=found.max_hashtags or DEFAULT_COUNT,
    )
