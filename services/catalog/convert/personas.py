"""Personas."""

from dataclasses import replace
from datetime import datetime

from colonnade.catalog.v1 import persona_pb2 as pb
from colonnade.type.v1 import time_window_pb2

from services.catalog.convert.values import known, number, timestamp
from services.catalog.domain.names import LIBRARY_STATS
from services.catalog.domain.persona import (
    Cadence,
    CaptionConfig,
    EmojiDensity,
    HashtagStrategy,
    Length,
    LibraryStats,
    Persona,
    SizeMix,
    TimeWindow,
    Tone,
)


def new_persona(message: pb.Persona, id: str, now: datetime) -> Persona:
    """A persona that is to be created."""
    return with_fields(Persona(id, message.display_name, now, now), message)


def with_fields(persona: Persona, message: pb.Persona) -> Persona:
    """``persona`` with what callers may set as in ``message``."""
    captions = message.HasField("caption_config")
    hashtags = message.HasField("hashtag_strategy")
    cadence = message.HasField("cadence")
    return replace(
        persona,
        display_name=message.display_name,
        time_zone=message.time_zone,
        voice=message.voice,
        caption_config=_caption_config(message.caption_config) if captions else None,
        hashtag_strategy=_hashtag_strategy(message.hashtag_strategy) if hashtags else None,
        cadence=_cadence(message.cadence) if cadence else None,
    )


def persona_message(persona: Persona) -> pb.Persona:
    """The persona for the wire."""
    captions, hashtags = persona.caption_config, persona.hashtag_strategy
    return pb.Persona(
        name=persona.name,
        display_name=persona.display_name,
        time_zone=persona.time_zone,
        voice=persona.voice,
        caption_config=_caption_config_message(captions) if captions else None,
        hashtag_strategy=_hashtag_strategy_message(hashtags) if hashtags else None,
        cadence=_cadence_message(persona.cadence) if persona.cadence else None,
        state=number(pb.Persona.State, "STATE_", persona.state),
        create_time=timestamp(persona.create_time),
        update_time=timestamp(persona.update_time),
        etag=str(persona.version),
    )


def stats_message(persona: str, stats: LibraryStats) -> pb.LibraryStats:
    """The counts of a persona's photos for the wire."""
    return pb.LibraryStats(
        name=LIBRARY_STATS.format(persona),
        photos=stats.photos,
        embedding_pending=stats.embedding_pending,
        embedding_ready=stats.embedding_ready,
        embedding_failed=stats.embedding_failed,
        unused=stats.unused,
        scheduled=stats.scheduled,
        posted=stats.posted,
        size_bytes=stats.size_bytes,
        awaiting_vote=stats.awaiting_vote,
        winners_without_photo=stats.winners_without_photo,
    )


def _caption_config(message: pb.CaptionConfig) -> CaptionConfig:
    config = pb.CaptionConfig
    return CaptionConfig(
        tone=known(config.Tone, "TONE_", Tone, message.tone),
        voice_attributes=tuple(message.voice_attributes),
        length=known(config.Length, "LENGTH_", Length, message.length),
        emoji_density=known(
            config.EmojiDensity, "EMOJI_DENSITY_", EmojiDensity, message.emoji_density
        ),
        topics=tuple(message.topics),
        avoid_topics=tuple(message.avoid_topics),
        example_captions=tuple(message.example_captions),
        max_length=message.max_length,
    )


def _caption_config_message(config: CaptionConfig) -> pb.CaptionConfig:
    message = pb.CaptionConfig
    return message(
        tone=number(message.Tone, "TONE_", config.tone),
        voice_attributes=config.voice_attributes,
        length=number(message.Length, "LENGTH_", config.length),
        emoji_density=number(message.EmojiDensity, "EMOJI_DENSITY_", config.emoji_density),
        topics=config.topics,
        avoid_topics=config.avoid_topics,
        example_captions=config.example_captions,
        max_length=config.max_length,
    )


def _hashtag_strategy(message: pb.HashtagStrategy) -> HashtagStrategy:
    return HashtagStrategy(
        niche_categories=tuple(message.niche_categories),
        target_hashtags=tuple(message.target_hashtags),
        avoid_hashtags=tuple(message.avoid_hashtags),
        brand_hashtags=tuple(message.brand_hashtags),
        size_mix=known(pb.HashtagStrategy.SizeMix, "SIZE_MIX_", SizeMix, message.size_mix),
        max_hashtags=message.max_hashtags,
    )


def _hashtag_strategy_message(strategy: HashtagStrategy) -> pb.HashtagStrategy:
    return pb.HashtagStrategy(
        niche_categories=strategy.niche_categories,
        target_hashtags=strategy.target_hashtags,
        avoid_hashtags=strategy.avoid_hashtags,
        brand_hashtags=strategy.brand_hashtags,
        size_mix=number(pb.HashtagStrategy.SizeMix, "SIZE_MIX_", strategy.size_mix),
        max_hashtags=strategy.max_hashtags,
    )


def _cadence(message: pb.Cadence) -> Cadence:
    windows = (TimeWindow(w.weekday, w.start_minute, w.end_minute) for w in message.windows)
    return Cadence(
        posts_per_week=message.posts_per_week,
        min_gap_hours=message.min_gap_hours,
        windows=tuple(windows),
        blackout_dates=tuple(message.blackout_dates),
    )


def _cadence_message(cadence: Cadence) -> pb.Cadence:
    return pb.Cadence(
        posts_per_week=cadence.posts_per_week,
        min_gap_hours=cadence.min_gap_hours,
        windows=[_window_message(window) for window in cadence.windows],
        blackout_dates=cadence.blackout_dates,
    )


def _window_message(window: TimeWindow) -> time_window_pb2.TimeWindow:
    return time_window_pb2.TimeWindow(
        weekday=time_window_pb2.Weekday.ValueType(window.weekday),
        start_minute=window.start_minute,
        end_minute=window.end_minute,
    )
