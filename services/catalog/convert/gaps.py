"""Gap reports."""

from colonnade.catalog.v1 import gap_report_pb2 as pb

from services.catalog.convert.values import number, timestamp
from services.catalog.domain.gaps import GapReport, PillarGap, Recommendation
from services.catalog.domain.supply import Supply


def report_message(report: GapReport) -> pb.GapReport:
    """The report for the wire."""
    return pb.GapReport(
        name=report.name,
        horizon_days=report.horizon_days,
        as_of_time=timestamp(report.as_of_time),
        pillars=map(_gap_message, report.pillars),
        recommendations=map(_recommendation_message, report.recommendations),
        total_gap=report.total_gap,
        imbalance=report.imbalance,
        create_time=timestamp(report.create_time),
    )


def _gap_message(gap: PillarGap) -> pb.PillarGap:
    return pb.PillarGap(
        pillar=gap.pillar,
        display_name=gap.display_name,
        planned=gap.planned,
        weight=gap.weight,
        supply=_supply_message(gap.supply),
        needed=gap.needed,
        gap=gap.gap,
        raw_gap=gap.raw_gap,
        days_of_stock=gap.days_of_stock,
        coverage_score=gap.coverage_score,
        legacy_score=gap.legacy_score,
        status=number(pb.PillarGap.Status, "STATUS_", gap.status),
        priority=number(pb.PillarGap.Priority, "PRIORITY_", gap.priority),
        last_photo_time=timestamp(gap.last_photo_time),
        posted_share=gap.posted_share,
        run_out_time=timestamp(gap.run_out_time),
        average_quality=gap.average_quality,
    )


def _supply_message(supply: Supply) -> pb.Supply:
    return pb.Supply(
        total=supply.total,
        usable=supply.usable,
        effective=supply.effective,
        pending=supply.pending,
        awaiting_vote=supply.awaiting_vote,
        scheduled=supply.scheduled,
        spent=supply.spent,
        held=supply.held,
        unsorted=supply.unsorted,
    )


def _recommendation_message(advice: Recommendation) -> pb.GapRecommendation:
    reasons = pb.GapRecommendation.Reason
    return pb.GapRecommendation(
        pillar=advice.pillar,
        gap=advice.gap,
        priority=number(pb.PillarGap.Priority, "PRIORITY_", advice.priority),
        reasons=[number(reasons, "REASON_", reason) for reason in advice.reasons],
        explanation=advice.explanation,
    )
