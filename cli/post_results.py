"""``colonnade posts results``."""

from datetime import UTC
from enum import StrEnum
from typing import Annotated

import typer
from colonnade.scheduler.v1 import results_service_pb2 as results
from colonnade.scheduler.v1.results_pb2 import PillarResults, ResultsSummary
from rich.markup import escape

from cli.names import persona_name
from cli.output import JsonOption, last_part, line, print_json, table, word
from cli.run import with_suite


class Metric(StrEnum):
    """A number of a post."""

    INTERACTIONS = "interactions"
    REACH = "reach"
    IMPRESSIONS = "impressions"
    LIKES = "likes"
    COMMENTS = "comments"
    SAVES = "saves"
    SHARES = "shares"


def results_of(
    persona: str,
    metric: Annotated[
        Metric, typer.Option(help="What is compared; not every provider tells all of these.")
    ] = Metric.INTERACTIONS,
    days: Annotated[int, typer.Option(min=1, max=365, help="The posts of so many days.")] = 180,
    age: Annotated[
        int, typer.Option(min=1, max=720, help="Compare posts when they were so many hours old.")
    ] = 168,
    json: JsonOption = False,
) -> None:
    """Compares what the posts of each pillar reached, and proposes weights; changes nothing."""
    request = results.SummarizeResultsRequest(
        parent=persona_name(persona),
        metric=ResultsSummary.Metric.Value(f"METRIC_{metric.upper()}"),
        window_days=days,
        age_hours=age,
    )
    summary = with_suite(lambda suite: suite.results.SummarizeResults(request)).summary
    print_json(summary) if json else show(summary)


def show(summary: ResultsSummary) -> None:
    """The comparison for people."""
    what = word(ResultsSummary.Metric, summary.metric)
    since = summary.start_time.ToDatetime(UTC).astimezone()
    line(
        f"{summary.compared_posts} posts since {since:%Y-%m-%d}, {_age(summary.age_hours)} after "
        f"they went out ({summary.unknown_posts} without numbers of that age)"
    )
    table(
        f"{what.capitalize()} of a post",
        ("Pillar", "#Weight", "#Posts", "#Mean", "Against others", "Finding"),
        [_row(pillar) for pillar in summary.pillars],
    )
    line(escape(summary.suggestion.reason))
    if summary.suggestion.weights:
        titles = {pillar.pillar: _title(pillar) for pillar in summary.pillars}
        table(
            "Proposed weights",
            ("Pillar", "#Now", "#Proposed"),
            [(titles[w.pillar], w.weight, w.suggested_weight) for w in summary.suggestion.weights],
        )
        first = summary.suggestion.weights[0]
        line(
            f"To set one: colonnade pillars update {first.pillar} --weight {first.suggested_weight}"
        )


def _row(pillar: PillarResults) -> tuple[object, ...]:
    has_numbers = pillar.HasField("mean")
    return (
        _title(pillar),
        pillar.weight or "-",
        pillar.posts,
        f"{pillar.mean:.1f}" if has_numbers else "-",
        lift(pillar),
        finding(pillar),
    )


def _title(pillar: PillarResults) -> str:
    return pillar.title or f"{last_part(pillar.pillar)} (not planned)"


def lift(pillar: PillarResults) -> str:
    """How many times as much its posts get, with the range."""
    if not pillar.HasField("lift"):
        return "-"
    return f"{pillar.lift.value:.2f} ({pillar.lift.low:.2f}–{pillar.lift.high:.2f})"


def finding(pillar: PillarResults) -> str:
    """What the numbers tell, and how many posts more it takes if they tell nothing."""
    told = word(PillarResults.Finding, pillar.finding)
    if pillar.finding in (PillarResults.FINDING_MORE, PillarResults.FINDING_LESS):
        return told
    if pillar.needed_posts:
        return f"{told}; about {pillar.needed_posts} more to see a doubling"
    return told


def _age(hours: int) -> str:
    days, rest = divmod(hours, 24)
    count, unit = (hours, "hour") if rest else (days, "day")
    return f"{count} {unit}{'' if count == 1 else 's'}"
