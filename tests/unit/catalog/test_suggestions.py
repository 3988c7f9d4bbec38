"""The rules of suggestions: whom they are for, what they say, and what may become of them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.catalog.domain.gaps import (
    GapReport,
    PillarGap,
    Priority,
    Reason,
    Recommendation,
    Status,
)
from services.catalog.domain.run import RunState, run_from
from services.catalog.domain.suggestion import (
    Brief,
    Suggestion,
    SuggestionState,
    check_complete,
    check_rejected,
    check_undecided,
    checked_brief,
    edited,
    pillar_id,
    ranking,
    reason_of,
    rejected,
    used,
)
from services.catalog.domain.supply import Supply

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def report(**gaps: float) -> GapReport:
    """A report in which pillars have these gaps; those above zero are recommended."""
    ordered = sorted(gaps, key=lambda id: -gaps[id])
    return GapReport(
        persona="mila",
        id="r",
        horizon_days=30,
        as_of_time=NOW,
        create_time=NOW,
        pillars=tuple(pillar_gap(id, gaps[id]) for id in ordered),
        recommendations=tuple(
            Recommendation(name(id), gaps[id], Priority.HIGH, (Reason.LOW_STOCK,), f"{id} is low.")
            for id in ordered
            if gaps[id] > 0
        ),
    )


def name(id: str) -> str:
    return f"personas/mila/pillars/{id}"


def pillar_gap(id: str, gap: float) -> PillarGap:
    return replace(EMPTY, pillar=name(id), display_name=id.title(), gap=gap)


EMPTY = PillarGap(
    pillar="",
    display_name="",
    planned=True,
    weight=50,
    importance=3,
    supply=Supply(usable=4),
    needed=3,
    gap=0.0,
    raw_gap=0,
    days_of_stock=None,
    coverage_score=0.0,
    legacy_score=0.0,
    status=Status.LOW,
    priority=Priority.HIGH,
    last_photo_time=None,
    posted_share=0.0,
)


@pytest.mark.parametrize(
    ("gaps", "pillars", "count", "expected"),
    [
        pytest.param({"a": 3}, [], 2, "aa", id="one pillar takes all"),
        pytest.param({"a": 5, "b": 2}, [], 3, "aaa", id="as long as it lacks most"),
        pytest.param({"a": 3, "b": 2}, [], 5, "aabab", id="then it alternates"),
        pytest.param({"a": 3, "b": 3, "c": 3}, [], 6, "abcabc", id="equal gaps share"),
        pytest.param({"a": 2.5, "b": 2.4, "c": 1.6}, [], 4, "abca", id="parts of photos count"),
        pytest.param({"a": 1, "b": 0.5}, [], 4, "abab", id="beyond the gap it goes on evenly"),
        pytest.param({"a": 4, "b": -2}, [], 8, "aaaaaaaa", id="covered ones get none"),
        pytest.param({"a": 4, "b": 1}, ["b"], 2, "bb", id="a named one alone"),
        pytest.param({"a": 4, "b": -2, "c": 1}, ["b", "c"], 5, "ccccb", id="also if covered"),
        pytest.param({"a": -1, "b": 0}, [], 5, "", id="all covered"),
        pytest.param({"a": 1}, [], 0, "", id="none asked for"),
        pytest.param({"a": 1}, ["gone"], 3, "", id="a named one that is gone"),
    ],
)
def test_the_ranking_follows_the_deficit(
    gaps: dict[str, float], pillars: list[str], count: int, expected: str
) -> None:
    order = ranking(report(**gaps), pillars, count)
    assert "".join(pillar_id(gap) for gap in order) == expected


def test_the_reason_names_the_deficit_and_what_is_lacking() -> None:
    gaps = report(a=2, b=-1)
    low, covered = gaps.pillars
    assert reason_of(gaps, low, 0, ("None shows tea.",)) == "a is low. None shows tea."
    assert reason_of(gaps, low, 2, ()) == "a is low. 2 before this one fill the gap already."
    text = reason_of(gaps, covered, 3, ())
    assert "B is covered: it has 4 to use and needs 3" in text
    assert "asked for by name" in text


def suggestion(
    state: SuggestionState = SuggestionState.PENDING, prompt: str = "A door."
) -> Suggestion:
    brief = Brief("A door", "", prompt)
    return Suggestion("mila", "s", "out", brief, NOW, NOW, "template", state=state)


@pytest.mark.parametrize("state", [SuggestionState.USED, SuggestionState.REJECTED])
def test_what_is_decided_stays(state: SuggestionState) -> None:
    with pytest.raises(FailedPrecondition) as raised:
        check_undecided(suggestion(state))
    assert raised.value.reason == "SUGGESTION_DECIDED"


@pytest.mark.parametrize("state", [SuggestionState.PENDING, SuggestionState.NEEDS_MANUAL])
def test_what_is_undecided_can_be_decided(state: SuggestionState) -> None:
    check_undecided(suggestion(state))
    assert used(suggestion(state), "r").state is SuggestionState.USED
    down = rejected(suggestion(state), " too dark ")
    assert (down.state, down.reject_reason) == (SuggestionState.REJECTED, "too dark")
    check_rejected(down)


@pytest.mark.parametrize("state", sorted(set(SuggestionState) - {SuggestionState.REJECTED}))
def test_only_what_was_turned_down_goes(state: SuggestionState) -> None:
    with pytest.raises(FailedPrecondition):
        check_rejected(suggestion(state))


def test_an_edit_makes_a_blank_whole() -> None:
    blank = suggestion(SuggestionState.NEEDS_MANUAL, prompt="")
    with pytest.raises(FailedPrecondition):
        check_complete(blank)
    whole = edited(
        blank, Brief(" A  door ", " Red. ", " A red door. ", ("door", " ", "door", "red"))
    )
    check_complete(whole)
    assert whole.state is SuggestionState.PENDING
    assert whole.brief == Brief("A  door", "Red.", "A red door.", ("door", "red"))


def test_a_brief_needs_a_title_and_a_prompt() -> None:
    with pytest.raises(InvalidArgument) as raised:
        checked_brief(Brief(" ", "x", ""))
    assert [v.field for v in raised.value.violations] == ["suggestion.title", "suggestion.prompt"]


def test_a_run_takes_over_what_the_suggestion_says() -> None:
    run = run_from(suggestion(), "r", NOW)
    assert (run.persona, run.pillar, run.suggestion) == ("mila", "out", "s")
    assert (run.display_name, run.prompt, run.state) == ("A door", "A door.", RunState.RUNNING)
