"""Rules of personas and pillars that need no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import Conflict, FailedPrecondition, InvalidArgument
from services.catalog.domain.persona import (
    Cadence,
    HashtagStrategy,
    Persona,
    PersonaState,
    checked_persona,
    require_active,
)
from services.catalog.domain.pillar import Pillar, PillarState, check_weight, checked_pillar
from services.catalog.domain.texts import check_etag, comparable

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
PERSONA = Persona("nora", "Nora", NOW, NOW)
PILLAR = Pillar("nora", "coffee", "Coffee", NOW, NOW, weight=40)


def fields_of(persona: Persona) -> list[str]:
    with pytest.raises(InvalidArgument) as raised:
        checked_persona(persona)
    return [violation.field for violation in raised.value.violations]


def test_names_are_trimmed_and_zones_defaulted() -> None:
    checked = checked_persona(replace(PERSONA, display_name="  Nora "))
    assert (checked.display_name, checked.time_zone) == ("Nora", "UTC")


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "America/Argentina/Buenos_Aires", "UTC"])
def test_known_zones(zone: str) -> None:
    assert checked_persona(replace(PERSONA, time_zone=zone)).time_zone == zone


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = replace(
        PERSONA,
        time_zone="Moon/Base",
        hashtag_strategy=HashtagStrategy(avoid_hashtags=("#ok", "no"), brand_hashtags=("# x",)),
        cadence=Cadence(blackout_dates=("2024-02-29", "2025-02-29")),
    )
    assert fields_of(wrong) == [
        "persona.time_zone",
        "persona.hashtag_strategy.avoid_hashtags[1]",
        "persona.hashtag_strategy.brand_hashtags[0]",
        "persona.cadence.blackout_dates[1]",
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Nora", "NORA", True),
        ("Straße", "STRASSE", True),
        ("Café", "Cafe\u0301", True),
        ("ｎｏｒａ", "Nora", True),
        ("Nora", "Nora 2", False),
    ],
)
def test_names_that_count_as_the_same(one: str, other: str, same: bool) -> None:
    assert (comparable(one) == comparable(other)) is same


def test_archived_persona_takes_nothing() -> None:
    require_active(PERSONA)
    with pytest.raises(FailedPrecondition) as raised:
        require_active(replace(PERSONA, state=PersonaState.ARCHIVED))
    assert raised.value.reason == "ARCHIVED"


def test_etag_is_checked_only_if_given() -> None:
    check_etag("", 3)
    check_etag("3", 3)
    with pytest.raises(Conflict) as raised:
        check_etag("2", 3)
    assert raised.value.metadata == {"etag": "2", "current": "3"}


def test_pillar_defaults_and_dates() -> None:
    assert checked_pillar(replace(PILLAR, priority=0)).priority == 3
    assert checked_pillar(replace(PILLAR, start_time=NOW, end_time=LATER))
    with pytest.raises(InvalidArgument):
        checked_pillar(replace(PILLAR, start_time=LATER, end_time=NOW))


@pytest.mark.parametrize(("others", "fits"), [(0, True), (60, True), (61, False), (100, False)])
def test_weights_sum_to_100_at_most(others: int, fits: bool) -> None:
    if fits:
        check_weight(PILLAR, others, NOW)
        return
    with pytest.raises(FailedPrecondition) as raised:
        check_weight(PILLAR, others, NOW)
    assert raised.value.reason == "WEIGHTS_EXCEED_100"
    assert raised.value.metadata == {"sum": str(40 + others), "left": str(100 - others)}


def test_what_does_not_count_may_weigh_anything() -> None:
    check_weight(replace(PILLAR, state=PillarState.INACTIVE), 100, NOW)
    check_weight(replace(PILLAR, end_time=NOW), 100, NOW)
    with pytest.raises(FailedPrecondition):
        check_weight(replace(PILLAR, start_time=LATER), 100, NOW)


def test_planned_is_active_started_and_not_ended() -> None:
    assert PILLAR.planned(NOW)
    assert replace(PILLAR, start_time=NOW, end_time=LATER).planned(NOW)
    assert not replace(PILLAR, start_time=LATER).planned(NOW)
    assert not replace(PILLAR, end_time=NOW).planned(NOW)
    assert not replace(PILLAR, state=PillarState.INACTIVE).planned(NOW)
