"""What posts reached, between the contract and the domain."""

from dataclasses import asdict
from datetime import timedelta
from typing import Final

from colonnade.scheduler.v1 import results_pb2
from colonnade.scheduler.v1 import results_service_pb2 as pb

from services.scheduler.domain.counts import Metric, Reached
from services.scheduler.domain.names import persona_id
from services.scheduler.domain.planning import Pillar
from services.scheduler.domain.results import ERROR_RATE, Lift, PillarResult
from services.scheduler.usecases.summarize_results import Comparison, Summary

_M = results_pb2.ResultsSummary
_F = results_pb2.PillarResults
_METRICS: Final = {
    _M.METRIC_UNSPECIFIED: Metric.INTERACTIONS,
    **{_M.Metric.Value(f"METRIC_{metric.upper()}"): metric for metric in Metric},
}


def reached_message(reached: Reached) -> results_pb2.PublicationResults:
    """What a publication reached; what is not told stays unset."""
    message = results_pb2.PublicationResults(**asdict(reached.counts))
    message.collect_time.FromDatetime(reached.collected_at)
    return message


def comparison_of(request: pb.SummarizeResultsRequest) -> Comparison:
    """What is asked for, with what is meant where nothing is said."""
    persona = persona_id(request.parent)
    usual = Comparison(persona)
    return Comparison(
        persona,
        _METRICS[request.metric],
        timedelta(days=request.window_days) if request.window_days else usual.window,
        timedelta(hours=request.age_hours) if request.age_hours else usual.age,
    )


def summary_message(found: Summary) -> results_pb2.ResultsSummary:
    """The comparison as callers see it."""
    planned = {pillar.name: pillar for pillar in found.pillars}
    results = {result.pillar: result for result in found.results}
    message = results_pb2.ResultsSummary(
        metric=_M.Metric.Value(f"METRIC_{found.asked.metric.upper()}"),
        age_hours=found.asked.age // timedelta(hours=1),
        compared_posts=found.compared,
        unknown_posts=found.unknown,
        pillars=[
            _pillar_message(name, planned.get(name), results.get(name))
            for name in sorted(planned.keys() | results.keys())
        ],
        suggestion=_suggestion_message(found),
        confidence=1 - ERROR_RATE,
    )
    message.start_time.FromDatetime(found.start)
    message.end_time.FromDatetime(found.end)
    return message


def _pillar_message(
    name: str, planned: Pillar | None, result: PillarResult | None
) -> results_pb2.PillarResults:
    message = results_pb2.PillarResults(pillar=name, finding=_finding(result))
    if planned is not None:
        message.title, message.weight = planned.title, planned.weight
    if result is None:
        return message
    message.posts, message.mean = result.posts, result.mean
    if result.lift is not None:
        lift = result.lift
        message.lift.CopyFrom(results_pb2.Lift(value=lift.value, low=lift.low, high=lift.high))
    if result.posts_needed is not None:
        message.needed_posts = result.posts_needed
    return message


def _finding(result: PillarResult | None) -> "results_pb2.PillarResults.Finding.ValueType":
    lift: Lift | None = result.lift if result else None
    if lift is None:
        return _F.FINDING_TOO_FEW_POSTS
    if not lift.is_clear:
        return _F.FINDING_NO_CLEAR_DIFFERENCE
    return _F.FINDING_MORE if lift.value > 1 else _F.FINDING_LESS


def _suggestion_message(found: Summary) -> results_pb2.WeightSuggestion:
    suggested = found.weights or {}
    return results_pb2.WeightSuggestion(
        reason=found.reason,
        weights=[
            results_pb2.SuggestedWeight(
                pillar=pillar.name, weight=pillar.weight, suggested_weight=suggested[pillar.name]
            )
            for pillar in sorted(found.pillars, key=lambda pillar: pillar.name)
            if pillar.name in suggested
        ],
    )
