"""``colonnade gaps``."""

import re
from datetime import UTC, timedelta
from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.gap_report_pb2 import GapReport, PillarGap
from colonnade.catalog.v1.pillar_pb2 import Pillar
from google.protobuf.timestamp_pb2 import Timestamp

from cli.connection import Suite
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, last_part, line, out, print_json, table, when, word
from cli.run import with_suite
from libs.errors import InvalidArgument

_CHANGE = re.compile(r"([^=]+)=(?:(\d{1,4})|(\d{1,4}|-)/week|(on|off))")
# From here on a day without its year could be taken for one that is over.
_FAR = timedelta(days=180)
_HISTORY = 50
_STATES = ("usable", "pending", "awaiting_vote", "unsorted", "held", "scheduled", "spent")
# Runs, each of which will give a photo.
_HEADS = {"awaiting_vote": "to vote"}


def gaps(
    persona: str,
    horizon: Annotated[int, typer.Option(min=1, max=365, help="How many days to look ahead.")] = 30,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            help="Changes to try, such as slow-mornings=60,city=20 (weights), city=2/week, "
            "city=-/week (its weight decides again), city=off, city=on. Nothing is kept."
        ),
    ] = None,
    cadence: Annotated[
        int | None, typer.Option(min=1, max=70, help="Posts a week in all to try.")
    ] = None,
    cost: Annotated[float, typer.Option(min=0, help="What one new photo costs.")] = 0.0,
    history: Annotated[bool, typer.Option("--history", help="List the reports so far.")] = False,
    report: Annotated[str, typer.Option(help="Show this report that was made before.")] = "",
    json: JsonOption = False,
) -> None:
    """Shows what each pillar lacks, why, and what a change would do about it."""
    parent = persona_name(persona)
    if history:
        return _history(parent, json)
    if what_if or cadence is not None or cost:
        return _preview(parent, horizon, split_list(what_if or []), cadence, cost, json)
    found = _kept(parent, report) if report else _analyzed(parent, horizon)
    print_json(found) if json else show_report(found)
    return None


def _analyzed(parent: str, horizon: int) -> GapReport:
    request = catalog.AnalyzeGapsRequest(parent=parent, horizon_days=horizon)
    return with_suite(lambda suite: suite.catalog.AnalyzeGaps(request)).gap_report


def _kept(parent: str, report: str) -> GapReport:
    request = planning.GetGapReportRequest(name=below(parent, "gapReports", report))
    return with_suite(lambda suite: suite.planning.GetGapReport(request))


def _history(parent: str, json: bool) -> None:
    request = planning.ListGapReportsRequest(parent=parent, page_size=_HISTORY)
    reports = with_suite(lambda suite: suite.planning.ListGapReports(request)).gap_reports
    if json:
        return print_json(reports)
    table(
        f"Newest reports of {parent}",
        ("report", "as of", "#days", "#missing"),
        [
            (last_part(r.name), when(r.as_of_time), r.horizon_days, f"{r.total_gap:.1f}")
            for r in reports
        ],
    )
    return None


def _preview(
    parent: str,
    horizon: int,
    what_if: list[str],
    cadence: int | None,
    cost: float,
    json: bool,
) -> None:
    async def work(suite: Suite) -> planning.PreviewGapsResponse:
        request = planning.PreviewGapsRequest(
            parent=parent,
            horizon_days=horizon,
            changes=[change_of(parent, text) for text in what_if],
            posts_per_week=cadence,
            cost_per_photo=cost,
        )
        return await suite.planning.PreviewGaps(request)

    found = with_suite(work)
    print_json(found) if json else show_preview(found, cost)


def change_of(parent: str, text: str) -> planning.PillarChange:
    """The change that ``city=20``, ``city=2/week``, ``city=-/week`` or ``city=off`` asks for.

    Raises InvalidArgument.
    """
    found = _CHANGE.fullmatch(text)
    if found is None:
        raise InvalidArgument.of(
            "what-if",
            f"is like city=20, city=2/week, city=-/week, city=off or city=on, not {text!r}",
        )
    pillar, weight, weekly, switch = found.groups()
    change = planning.PillarChange(pillar=below(parent, "pillars", pillar.strip()))
    if weight:
        change.weight = int(weight)
    elif switch:
        change.state = Pillar.STATE_ACTIVE if switch == "on" else Pillar.STATE_INACTIVE
    elif weekly == "-":
        change.clear_posts_per_week = True
    else:
        change.posts_per_week = int(weekly)
    return change


def show_report(report: GapReport) -> None:
    """The report as tables of what is missing and of what there is, then the recommendations."""
    table(
        f"Gaps over {report.horizon_days} days",
        ("pillar", "#weight", "#needed", "#effective", "#gap", "lasts until", "status"),
        [
            (
                _title(gap),
                gap.weight,
                gap.needed,
                f"{gap.supply.effective:.1f}",
                f"{gap.gap:.1f}",
                _until(gap, report.as_of_time),
                word(PillarGap.Status, gap.status),
            )
            for gap in report.pillars
        ],
    )
    _show_supplies(report)
    for advice in report.recommendations:
        out.print(f"  • {advice.explanation}", markup=False)
    if not report.recommendations:
        line("  every pillar is covered")


def show_preview(preview: planning.PreviewGapsResponse, cost: float) -> None:
    """Both reports beside each other, and what it takes to close the gaps."""
    before, after = preview.current, preview.preview
    changed = {gap.pillar: gap for gap in after.pillars}
    table(
        f"Gaps over {before.horizon_days} days, now → then (nothing is changed)",
        ("pillar", "#weight", "#needed", "#gap", "lasts until"),
        [
            (
                _title(changed[gap.pillar]),
                _pair(str(gap.weight), str(changed[gap.pillar].weight)),
                _pair(str(gap.needed), str(changed[gap.pillar].needed)),
                _pair(f"{gap.gap:.1f}", f"{changed[gap.pillar].gap:.1f}"),
                _pair(
                    _until(gap, before.as_of_time), _until(changed[gap.pillar], after.as_of_time)
                ),
            )
            for gap in before.pillars
        ],
    )
    photos = _pair(str(preview.current_cost.photos), str(preview.preview_cost.photos))
    price = _pair(f"{preview.current_cost.cost:,.2f}", f"{preview.preview_cost.cost:,.2f}")
    line(f"  photos to make: {photos}" + (f", for {price}" if cost else ""))


def _show_supplies(report: GapReport) -> None:
    """What there is. States in which nothing is are left out, to keep the table narrow."""
    counts = {state: [getattr(gap.supply, state) for gap in report.pillars] for state in _STATES}
    shown = [state for state in _STATES if state == "usable" or any(counts[state])]
    rows = zip(*(counts[state] for state in shown), strict=True)
    table(
        "Photos there are",
        ("pillar", *(f"#{_HEADS.get(state, state)}" for state in shown), "#quality"),
        [(_title(gap), *row, _quality(gap)) for gap, row in zip(report.pillars, rows, strict=True)],
    )


def _quality(gap: PillarGap) -> str:
    return f"{gap.average_quality:.2f}" if gap.HasField("average_quality") else "-"


def _title(gap: PillarGap) -> str:
    return gap.display_name + ("" if gap.planned else " (not planned)")


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _until(gap: PillarGap, as_of: Timestamp) -> str:
    """The day on which the usable photos run out, with the year once it is half a year away."""
    if not gap.HasField("run_out_time"):
        return "-"
    end, start = gap.run_out_time.ToDatetime(UTC), as_of.ToDatetime(UTC)
    if not gap.supply.usable:
        return "empty"
    return f"{end:%b %Y}" if end - start >= _FAR else f"{end.day} {end:%b}"
