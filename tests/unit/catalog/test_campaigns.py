"""Campaigns: what is wrong with a plan is told in full, and what a good one becomes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.catalog.domain.campaign import (
    Campaign,
    CampaignPost,
    Import,
    imported,
    without_effect,
)
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.suggestion import SuggestionState

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PILLARS = [
    Pillar("nora", "coffee", "Slow Mornings", NOW, NOW),
    Pillar("nora", "city", "City", NOW, NOW),
]


def post(pillar: str = "coffee", **fields: Any) -> CampaignPost:
    return replace(CampaignPost(pillar, "s", title="Morning light"), **fields)


def plan(*posts: CampaignPost, create_missing: bool = False, **fields: Any) -> Import:
    campaign = replace(Campaign("nora", "c", "Spring", NOW, posts=posts), **fields)
    return imported(campaign, PILLARS, create_missing=create_missing)


def refused(*posts: CampaignPost, **fields: Any) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as raised:
        plan(*posts, **fields)
    return raised.value


def fields_of(error: InvalidArgument) -> list[str]:
    return [violation.field for violation in error.violations]


def test_a_post_becomes_a_suggestion() -> None:
    due = NOW + timedelta(days=3)
    whole = post(
        description="A cup by the window",
        prompt="a cup, window light",
        caption="Good morning.",
        hashtags=("coffee", "#Coffee", "#slow"),
        scheduled_time=due,
    )
    made = plan(whole, post("city", title="", description="An old tram climbs the hill at dusk"))
    first, second = made.suggestions
    assert (first.pillar, first.brief.title, first.brief.description) == (
        "coffee",
        "Morning light",
        "A cup by the window",
    )
    assert first.brief.prompt == "a cup, window light"
    assert first.brief.keywords == ("coffee", "slow")
    assert (first.campaign, first.source, first.state) == ("c", "campaign", SuggestionState.PENDING)
    assert first.reason == "Post 1 of 2 of Spring, due on 2026-03-05."
    assert [s.rank for s in made.suggestions] == [1, 2]
    assert second.brief.title == "An old tram climbs the"
    assert second.brief.prompt == second.brief.description == "An old tram climbs the hill at dusk"
    assert made.campaign.posts[0].hashtags == ("#coffee", "#slow")
    assert made.campaign.post_count == 2
    assert made.pillars == ()


@pytest.mark.parametrize(
    "text",
    ["coffee", "personas/nora/pillars/coffee", "Slow Mornings", " slow mornings ", "SLOW mornings"],
)
def test_a_pillar_is_named_by_its_name_its_id_or_what_people_call_it(text: str) -> None:
    assert plan(post(text)).campaign.posts[0].pillar == "coffee"


def test_an_id_goes_before_a_display_name() -> None:
    pillars = [*PILLARS, Pillar("nora", "other", "coffee", NOW, NOW)]
    campaign = Campaign("nora", "c", "Spring", NOW, posts=(post("coffee"),))
    assert imported(campaign, pillars, create_missing=False).campaign.posts[0].pillar == "coffee"


def test_an_unknown_pillar_is_told_by_its_place() -> None:
    error = refused(post(), post("sea"), post("personas/other/pillars/coffee"))
    assert fields_of(error) == ["campaign.posts[1].pillar", "campaign.posts[2].pillar"]
    assert error.reason == "UNKNOWN_PILLAR"
    assert "'sea'" in error.violations[0].description


def test_missing_pillars_are_created_once_and_weigh_nothing() -> None:
    names = [
        "Sea",
        "SEA",
        "sea",
        "personas/nora/pillars/old-town",
        "old-town",
        "日本",
        "Food/Drink",
    ]
    made = plan(*map(post, names), create_missing=True)
    assert [(p.id, p.display_name, p.weight) for p in made.pillars] == [
        ("sea", "Sea", 0),
        ("old-town", "Old town", 0),
        ("pillar", "日本", 0),
        ("food-drink", "Food/Drink", 0),
    ]
    assert [p.pillar for p in made.campaign.posts] == [
        *["sea"] * 3,
        *["old-town"] * 2,
        "pillar",
        "food-drink",
    ]


def test_a_missing_resource_name_whose_words_are_known_is_that_pillar() -> None:
    made = plan(post("personas/nora/pillars/slow-mornings"), create_missing=True)
    assert (made.pillars, made.campaign.posts[0].pillar) == ((), "coffee")


@pytest.mark.parametrize("text", ["x" * 101, "personas/other/pillars/coffee"])
def test_some_pillars_cannot_be_created(text: str) -> None:
    error = refused(post(text), create_missing=True)
    assert fields_of(error) == ["campaign.posts[0].pillar"]


@pytest.mark.parametrize(
    ("offset", "fits"),
    [
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
        (timedelta(0), True),
        (timedelta(days=365), True),
        (timedelta(days=365, seconds=1), False),
    ],
)
def test_times_at_the_limits(offset: timedelta, fits: bool) -> None:
    due = post(scheduled_time=NOW + offset)
    if fits:
        assert plan(due).campaign.posts[0].scheduled_time == NOW + offset
    else:
        assert fields_of(refused(post(), post(), due)) == ["campaign.posts[2].scheduled_time"]


def test_everything_that_is_wrong_is_told_in_the_order_of_the_posts() -> None:
    past = NOW - timedelta(days=1)
    error = refused(
        post("sea", scheduled_time=past),
        post(),
        post("", title="  "),
        post("hills"),
        display_name=" ",
    )
    assert fields_of(error) == [
        "campaign.display_name",
        "campaign.posts[0].scheduled_time",
        "campaign.posts[0].pillar",
        "campaign.posts[2].pillar",
        "campaign.posts[2].description",
        "campaign.posts[3].pillar",
    ]
    assert error.reason == "INVALID_ARGUMENT"
    assert error.message.endswith("; and 1 more")


def test_hashtags_have_their_sign_and_are_there_once_in_their_order() -> None:
    (made,) = plan(post(hashtags=("a", "#B", "#A", "b", "c"))).campaign.posts
    assert made.hashtags == ("#a", "#B", "#c")


def test_a_campaign_without_posts_is_refused() -> None:
    assert fields_of(refused()) == ["campaign.posts"]


def test_what_was_only_checked_names_nothing() -> None:
    told = without_effect(plan(post()).campaign)
    assert told.name == told.suggestion_name(told.posts[0]) == ""
    assert told.pillar_name(told.posts[0]) == "personas/nora/pillars/coffee"


GOOD = st.sampled_from(["coffee", "City", "personas/nora/pillars/city"])
BAD = st.sampled_from(["sea", "personas/x/pillars/coffee", "Hills"])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.data())
def test_each_bad_post_is_told_and_no_good_one(
    wrong: list[tuple[bool, bool]], data: st.DataObject
) -> None:
    posts = [
        post(
            data.draw(BAD if pillar else GOOD),
            scheduled_time=NOW - timedelta(days=1) if time else None,
        )
        for pillar, time in wrong
    ]
    expected = {
        f"campaign.posts[{index}].{field}"
        for index, flags in enumerate(wrong)
        for field, flag in zip(("pillar", "scheduled_time"), flags, strict=True)
        if flag
    }
    if expected:
        assert set(fields_of(refused(*posts))) == expected
    else:
        assert len(plan(*posts).suggestions) == len(posts)
