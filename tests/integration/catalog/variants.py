"""Resources as people might write them, for updates."""

from collections.abc import Mapping
from typing import Any

from colonnade.catalog.v1 import persona_pb2, photo_pb2, pillar_pb2, run_pb2, suggestion_pb2
from colonnade.type.v1 import time_window_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import strategies as st

from libs.rpc.masks import behaviors
from tests.integration.catalog.world import stamp

MONDAY = time_window_pb2.Weekday.WEEKDAY_MONDAY

_FIXED = {
    field_behavior_pb2.OUTPUT_ONLY,
    field_behavior_pb2.IMMUTABLE,
    field_behavior_pb2.IDENTIFIER,
}

_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
_words = st.text("abcdefgh", min_size=1, max_size=8)
_some = st.lists(_words, unique=True, max_size=4)
_names = st.uuids().map(lambda id: f"Name {id}")
_early = st.integers(1, 28).map(lambda day: stamp(2026, 5, day))
_late = st.integers(1, 28).map(lambda day: stamp(2027, 5, day))


def changeable(method: MethodDescriptor) -> list[str]:
    """The fields that the update ``method`` can change."""
    (resource,) = (
        field.message_type
        for field in method.input_type.fields
        if field.message_type and "etag" in field.message_type.fields_by_name
    )
    return [
        field.name
        for field in resource.fields
        if field.name != "etag" and not _FIXED & set(behaviors(field))
    ]


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


_personas = st.builds(
    persona_pb2.Persona,
    display_name=_names,
    time_zone=st.sampled_from(["UTC", "Europe/Lisbon", "Asia/Tokyo"]),
    voice=_texts,
    caption_config=_maybe(
        st.builds(
            persona_pb2.CaptionConfig,
            tone=st.integers(0, 5),
            topics=_some,
            length=st.integers(0, 3),
        )
    ),
    hashtag_strategy=_maybe(
        st.builds(persona_pb2.HashtagStrategy, niche_categories=_some, size_mix=st.integers(0, 3))
    ),
    cadence=_maybe(
        st.builds(
            persona_pb2.Cadence,
            posts_per_week=st.integers(1, 21),
            windows=st.just(
                [time_window_pb2.TimeWindow(weekday=MONDAY, start_minute=60, end_minute=120)]
            ),
        )
    ),
)

_pillars = st.builds(
    pillar_pb2.Pillar,
    display_name=_names,
    description=_texts,
    weight=st.integers(0, 100),
    priority=st.integers(1, 5),
    posts_per_week=_maybe(st.integers(0, 20)),
    start_time=_maybe(_early),
    end_time=_maybe(_late),
    guidelines=_maybe(st.builds(pillar_pb2.Guidelines, tone=_texts, topics=_some)),
    state=st.sampled_from([pillar_pb2.Pillar.STATE_ACTIVE, pillar_pb2.Pillar.STATE_INACTIVE]),
)

_photos = st.builds(
    photo_pb2.Photo,
    tags=_some,
    alt_text=_texts,
    caption=_texts,
    rights=_maybe(
        st.builds(
            photo_pb2.UsageRights,
            embargo_time=_maybe(_early),
            expire_time=_maybe(_late),
            notice=_texts,
            held=st.booleans(),
        )
    ),
)

_suggestions = st.builds(
    suggestion_pb2.Suggestion,
    title=_words,
    description=_texts,
    prompt=_words,
    keywords=_some,
)

_clusters = st.uuids().map(lambda id: f"personas/nora/clusters/{id}")
_runs = st.builds(
    run_pb2.Run,
    display_name=st.just("") | _names,
    cluster=st.just("") | _clusters,
    prompt=_texts,
)

VARIANTS: Mapping[str, st.SearchStrategy[Any]] = {
    "UpdatePersona": _personas,
    "UpdatePillar": _pillars,
    "UpdatePhoto": _photos,
    "UpdateSuggestion": _suggestions,
    "UpdateRun": _runs,
}
