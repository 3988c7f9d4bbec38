"""What personas and pillars become: always something that the catalog takes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.persona import (
    EmojiDensity,
    HashtagStrategy,
    SizeMix,
    Tone,
    checked_persona,
)
from services.catalog.domain.pillar import MAX_WEIGHT, PillarState, checked_pillar
from services.catalog.legacy.library import LegacyLibrary, LegacyPersona, LegacyPillar, LegacyRun
from services.catalog.legacy.translation import numbered, translate, translate_run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TITLES = st.text(max_size=130)


@given(st.lists(TITLES, max_size=6), st.lists(TITLES, max_size=6))
def test_names_and_ids_are_usable_and_unique(personas: list[str], pillars: list[str]) -> None:
    library = LegacyLibrary(
        personas=[LegacyPersona(str(n), name) for n, name in enumerate(personas)],
        pillars=[LegacyPillar(str(n), "0", name) for n, name in enumerate(pillars)],
    )
    found = translate(library, NOW)
    for persona in found.personas.values():
        assert checked_persona(persona).display_name == persona.display_name
        assert len(persona.display_name) <= 100
    for pillar in found.pillars.values():
        assert checked_pillar(pillar).display_name == pillar.display_name
    for things in (found.personas.values(), found.pillars.values()):
        assert len({thing.id for thing in things}) == len(things)
        assert len({thing.display_key for thing in things}) == len(things)


@given(
    st.lists(st.tuples(st.decimals(-5, 130, places=2), st.booleans(), st.booleans()), max_size=12)
)
def test_weights_never_sum_to_more_than_a_hundred(rows: list[tuple[Decimal, bool, bool]]) -> None:
    ended = NOW - timedelta(days=1)
    library = LegacyLibrary(
        personas=[LegacyPersona("1", "Nora")],
        pillars=[
            LegacyPillar(
                str(n), "1", f"P{n}", weight=str(w), active=a, end_time=ended if over else None
            )
            for n, (w, a, over) in enumerate(rows)
        ],
    )
    found = translate(library, NOW)
    assert sum(p.weight for p in found.pillars.values() if p.weighs(NOW)) <= MAX_WEIGHT
    told = {id for _, id, _ in found.notes}
    for n, (weight, active, _) in enumerate(rows):
        pillar = found.pillars[str(n)]
        assert 0 <= pillar.weight <= MAX_WEIGHT
        if pillar.weight != weight or (pillar.state is PillarState.ACTIVE) != active:
            assert str(n) in told, "what changes is told"


@pytest.mark.parametrize(
    ("text", "kept", "note"),
    [
        ('{"size_mix": "niche_heavy", "brand_hashtags": ["#nora"]}', True, ""),
        ('{"size_mix": "NICHE_HEAVY", "brand_hashtags": ["#nora"], "x": 1}', True, "unknown keys"),
        ('{"brand_hashtags": ["no hash"]}', False, "is not a hashtag"),
        ('{"size_mix": "sideways"}', False, "not of a known form"),
        ("[1, 2]", False, "not of a known form"),
        ("no json", False, "not of a known form"),
        ("{}", False, ""),
        ("", False, ""),
    ],
)
def test_documents_come_over_as_far_as_they_are_known(text: str, kept: bool, note: str) -> None:
    library = LegacyLibrary(personas=[LegacyPersona("1", "Nora", hashtag_strategy=text)])
    found = translate(library, NOW)
    strategy = found.personas["1"].hashtag_strategy
    expected = HashtagStrategy(size_mix=SizeMix.NICHE_HEAVY, brand_hashtags=("#nora",))
    assert strategy == (expected if kept else None)
    assert note in " ".join(text for _, _, text in found.notes)
    assert bool(found.notes) == bool(note)


def test_enums_may_be_spelled_as_people_write() -> None:
    config = '{"tone": "Playful", "emoji_density": "low", "topics": ["tea"]}'
    library = LegacyLibrary(personas=[LegacyPersona("1", "Nora", caption_config=config)])
    found = translate(library, NOW).personas["1"].caption_config
    assert found is not None
    assert (found.tone, found.emoji_density, found.topics) == (
        Tone.PLAYFUL,
        EmojiDensity.LOW,
        ("tea",),
    )


def test_a_pillar_that_ended_before_it_began_keeps_its_end() -> None:
    pillar = LegacyPillar("1", "1", "Odd", start_time=NOW, end_time=NOW - timedelta(days=1))
    library = LegacyLibrary(personas=[LegacyPersona("1", "Nora")], pillars=[pillar])
    found = translate(library, NOW)
    assert found.pillars["1"].start_time is None
    assert found.pillars["1"].ended(NOW)
    assert "ended before it began" in found.notes[0][2]


@given(st.text(min_size=1, max_size=120), st.integers(1, 999))
def test_a_numbered_text_fits_and_differs(text: str, number: int) -> None:
    found = numbered(text, number, 100, " ({})")
    assert len(found) <= 100
    if number > 1:
        assert found.endswith(f" ({number})")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("completed", "COMPLETED"),
        ("failed", "FAILED"),
        ("canceled", "CANCELLED"),
        ("running", "WAITING"),
        ("", "WAITING"),
    ],
)
def test_a_run_that_was_not_over_waits(status: str, state: str) -> None:
    run = translate_run(LegacyRun("1", status=status, name="R" * 200), "nora", "", "id", NOW)
    assert (run.state, run.pillar, len(run.display_name)) == (state, "", 100)
