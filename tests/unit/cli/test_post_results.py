"""What people read of results: never a number that is not known."""

from datetime import UTC, datetime

import pytest
from colonnade.scheduler.v1.results_pb2 import (
    Lift,
    PillarResults,
    PublicationResults,
    ResultsSummary,
    SuggestedWeight,
    WeightSuggestion,
)

from cli import output
from cli.post_results import finding, lift, show
from cli.posts import reached


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setattr(output.out, "_width", 80)


def summary(*pillars: PillarResults, weights: tuple[SuggestedWeight, ...] = ()) -> ResultsSummary:
    made = ResultsSummary(
        metric=ResultsSummary.METRIC_INTERACTIONS,
        age_hours=168,
        compared_posts=80,
        unknown_posts=3,
        pillars=pillars,
        suggestion=WeightSuggestion(reason="Because [of] this.", weights=weights),
    )
    made.start_time.FromDatetime(datetime(2026, 3, 1, 12, tzinfo=UTC))
    return made


def known(finding: "PillarResults.Finding.ValueType") -> PillarResults:
    return PillarResults(
        pillar="personas/nora/pillars/food",
        title="Food",
        weight=40,
        posts=80,
        mean=39.5,
        lift=Lift(value=1.98, low=1.31, high=2.99),
        finding=finding,
    )


def test_a_clear_pillar_is_told_with_its_range(capsys: pytest.CaptureFixture[str]) -> None:
    weight = SuggestedWeight(pillar="personas/nora/pillars/food", weight=40, suggested_weight=44)
    show(summary(known(PillarResults.FINDING_MORE), weights=(weight,)))
    text = capsys.readouterr().out
    for part in ("80 posts since 2026-03-01", "7 days", "3 without", "39.5", "1.98 (1.31–2.99)"):
        assert part in text
    assert "Because [of] this." in text
    assert "pillars update personas/nora/pillars/food --weight 44" in text


def test_what_is_not_known_is_a_dash(capsys: pytest.CaptureFixture[str], narrow: None) -> None:
    few = PillarResults(
        pillar="personas/nora/pillars/old", finding=PillarResults.FINDING_TOO_FEW_POSTS
    )
    show(summary(few))
    text = capsys.readouterr().out
    assert "old (not planned)" in " ".join(text.split())
    assert "0.0" not in text
    assert "Proposed" not in text
    assert lift(few) == "-"


def test_too_few_posts_say_how_many_more() -> None:
    few = PillarResults(finding=PillarResults.FINDING_TOO_FEW_POSTS, needed_posts=31)
    assert finding(few) == "too few posts; about 31 more to see a doubling"
    seen = PillarResults(finding=PillarResults.FINDING_NO_CLEAR_DIFFERENCE, needed_posts=0)
    assert finding(seen) == "no clear difference"
    assert finding(known(PillarResults.FINDING_LESS)) == "less"


def test_a_publication_tells_only_what_its_provider_told() -> None:
    """A 0 is told; a number that nobody told is not 0."""
    results = PublicationResults(likes=0, shares=3)
    results.collect_time.FromDatetime(datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert reached(results).startswith("0 likes, 3 shares, on 2026-03-01")
