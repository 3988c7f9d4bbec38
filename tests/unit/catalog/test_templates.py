"""Templates of pillars: that they are whole, and what applying one creates."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import AlreadyExists, FailedPrecondition
from services.catalog.domain.pillar import Pillar, PillarState, free_id
from services.catalog.domain.pillar_template import Applied, PillarTemplate, applied
from services.catalog.domain.template_library import TEMPLATES

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
COFFEE = TEMPLATES["coffee-shop"]


def pillar(id: str, **fields: Any) -> Pillar:
    return replace(Pillar("nora", id, id.title(), NOW, NOW), **fields)


def apply(*existing: Pillar, skip_existing: bool = False) -> Applied:
    return applied(COFFEE, "nora", existing, NOW, skip_existing=skip_existing)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_is_whole(template: PillarTemplate) -> None:
    assert sum(theme.weight for theme in template.themes) == 100
    assert 4 <= len(template.themes) <= 6
    assert len({theme.display_name.casefold() for theme in template.themes}) == len(template.themes)
    assert template.display_name
    assert template.description
    for theme in template.themes:
        rules = theme.guidelines
        assert theme.weight > 0
        assert 1 <= theme.importance <= 5
        assert theme.description
        assert all((rules.tone, rules.topics, rules.avoid_topics, rules.style_notes))


def test_there_is_one_for_each_kind_of_persona() -> None:
    assert list(TEMPLATES) == [
        "artist-maker",
        "coffee-shop",
        "fitness-coach",
        "local-shop",
        "software-team",
        "travel-creator",
    ]
    assert all(id == template.id for id, template in TEMPLATES.items())


def test_a_new_persona_gets_every_pillar() -> None:
    result = apply()
    assert result.skipped == ()
    assert [(p.id, p.display_name, p.weight) for p in result.created[:2]] == [
        ("in-the-cup", "In the cup", 30),
        ("from-the-oven", "From the oven", 20),
    ]
    first, theme = result.created[0], COFFEE.themes[0]
    assert (first.guidelines, first.priority) == (theme.guidelines, 5)
    assert (first.create_time, first.description) == (NOW, theme.description)


def test_a_display_name_is_in_the_way_or_skipped_without_case() -> None:
    mine = pillar("drinks", display_name="IN THE CUP", weight=10)
    with pytest.raises(AlreadyExists, match="IN THE CUP"):
        apply(mine)
    result = apply(mine, skip_existing=True)
    assert result.skipped == (mine,)
    assert [p.display_name for p in result.created] == [t.display_name for t in COFFEE.themes[1:]]


def test_an_id_that_is_taken_gets_a_number() -> None:
    assert apply(pillar("in-the-cup", display_name="Mugs")).created[0].id == "in-the-cup-2"


def test_weights_must_fit_beside_those_that_count() -> None:
    with pytest.raises(FailedPrecondition) as raised:
        apply(pillar("other", weight=1))
    assert raised.value.reason == "WEIGHTS_EXCEED_100"
    assert raised.value.metadata == {"sum": "101", "left": "99"}
    assert len(apply(pillar("other", weight=90, state=PillarState.INACTIVE)).created) == 5
    mine = pillar("drinks", display_name="In the cup", weight=30)
    assert len(apply(mine, skip_existing=True).created) == 4


def test_applying_twice_skips_everything() -> None:
    first = apply()
    again = apply(*first.created, skip_existing=True)
    assert again == Applied((), first.created)


@given(st.text(max_size=200), st.integers(0, 12))
def test_any_title_gives_an_id_that_is_free(title: str, taken: int) -> None:
    ids: set[str] = set()
    for _ in range(taken + 1):
        id = free_id(title, ids)
        assert id not in ids
        assert len(id) <= 63
        assert id.strip("-") == id
        ids.add(id)
