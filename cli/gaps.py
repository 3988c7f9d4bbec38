"""``colonnade gaps``."""

from typing import Annotated

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.gap_report_pb2 import GapReport, PillarGap

from cli.names import persona_name
from cli.output import JsonOption, line, out, print_json, table, word
from cli.run import with_suite


def gaps(
    persona: str,
    horizon: Annotated[int, typer.Option(help="How many days to look ahead, 1 to 365.")] = 30,
    json: JsonOption = False,
) -> None:
    """Shows what each pillar lacks, and why."""
    request = catalog.AnalyzeGapsRequest(parent=persona_name(persona), horizon_days=horizon)
    report = with_suite(lambda suite: suite.catalog.AnalyzeGaps(request)).gap_report
    print_json(report) if json else show_report(report)


def show_report(report: GapReport) -> None:
    """The report as a table, then the recommendations as sentences."""
    table(
        f"Gaps over {report.horizon_days} days",
        (
            "pillar",
            "#weight",
            "#needed",
            "#usable",
            "#effective",
            "#scheduled",
            "#spent",
            "#gap",
            "#days",
            "#score",
            "status, priority",
        ),
        [_row(gap) for gap in report.pillars],
    )
    for advice in report.recommendations:
        out.print(f"  • {advice.explanation}", markup=False)
    if not report.recommendations:
        line("  every pillar is covered")


def _row(gap: PillarGap) -> tuple[object, ...]:
    supply = gap.supply
    days = f"{gap.days_of_stock:.0f}" if gap.HasField("days_of_stock") else "-"
    return (
        gap.display_name + ("" if gap.planned else " (not planned)"),
        gap.weight,
        gap.needed,
        supply.usable,
        f"{supply.effective:.1f}",
        supply.scheduled,
        supply.spent,
        f"{gap.gap:.1f}",
        days,
        f"{gap.coverage_score:.1f}",
        f"{word(PillarGap.Status, gap.status)}, {word(PillarGap.Priority, gap.priority)}",
    )
