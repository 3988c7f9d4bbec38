"""Duplicates, between the domain and the contract."""

from dataclasses import fields, replace

from colonnade.clustering.v1 import duplicate_pb2
from colonnade.clustering.v1 import duplicate_service_pb2 as api

from services.clustering.convert import timestamp
from services.clustering.domain.duplicate_quality import Quality
from services.clustering.domain.duplicate_sets import DuplicateSet, Other, Worth
from services.clustering.domain.verdict import Evidence, Thresholds, Verdict
from services.clustering.ports.duplicates import Review
from services.clustering.usecases.duplicates import (
    Explained,
    Listed,
    pair_name,
    review_name,
    set_name,
)

_PREFIX = "DUPLICATE_VERDICT_"
# Not of the contract: it belongs to the model.
_CHOSEN = [field.name for field in fields(Thresholds) if field.name != "scene_cosine"]


def verdict_message(verdict: Verdict | None) -> "duplicate_pb2.DuplicateVerdict.ValueType":
    """A verdict as the contract shows it; None is left open."""
    name = verdict.upper() if verdict else "UNSPECIFIED"
    return duplicate_pb2.DuplicateVerdict.Value(f"{_PREFIX}{name}")


def verdict_value(message: "duplicate_pb2.DuplicateVerdict.ValueType") -> Verdict:
    """The verdict that a message names; it must name one."""
    return Verdict(duplicate_pb2.DuplicateVerdict.Name(message).removeprefix(_PREFIX).lower())


def with_chosen(thresholds: Thresholds, message: duplicate_pb2.DuplicateThresholds) -> Thresholds:
    """``thresholds`` with those that the caller chose."""
    chosen = {field.name: value for field, value in message.ListFields()}
    return replace(thresholds, **chosen)


def thresholds_message(thresholds: Thresholds) -> duplicate_pb2.DuplicateThresholds:
    """Thresholds as the contract shows them."""
    values = {name: getattr(thresholds, name) for name in _CHOSEN}
    return duplicate_pb2.DuplicateThresholds(**values)


def set_message(found: DuplicateSet, listed: Listed, scope: str) -> duplicate_pb2.DuplicateSet:
    """A set as the contract shows it."""
    return duplicate_pb2.DuplicateSet(
        name=set_name(scope, found.verdict, found.keeper),
        verdict=verdict_message(found.verdict),
        keeper=_candidate(listed.worths[found.keeper]),
        keeper_reason=duplicate_pb2.DuplicateSet.Reason.Value(f"REASON_{found.reason.upper()}"),
        others=[_candidate(listed.worths[other.name], other) for other in found.others],
    )


def _candidate(worth: Worth, other: Other | None = None) -> duplicate_pb2.DuplicateCandidate:
    return duplicate_pb2.DuplicateCandidate(
        photo=worth.name,
        pixels=worth.pixels,
        quality=worth.quality,
        create_time=timestamp(worth.create_time),
        posted=worth.posted,
        evidence=evidence_message(other.evidence) if other else None,
        decision=verdict_message(other.decision if other else None),
    )


def evidence_message(evidence: Evidence) -> duplicate_pb2.DuplicateEvidence:
    """What is known of two photos as the contract shows it."""
    look = evidence.look
    return duplicate_pb2.DuplicateEvidence(
        cosine=evidence.cosine,
        distance=evidence.distance,
        orientation=evidence.orientation,
        compared=look is not None,
        structure=look.structure if look else None,
        agreement=look.agreement if look else None,
        overlap=look.overlap if look else None,
        colour=look.colour if look else None,
        seconds_apart=evidence.seconds_apart,
    )


def pair_message(explained: Explained, scope: str) -> duplicate_pb2.DuplicatePair:
    """A pair as the contract shows it."""
    pair = explained.pair
    return duplicate_pb2.DuplicatePair(
        name=pair_name(scope, pair.first, pair.second),
        first=pair.first,
        second=pair.second,
        evidence=evidence_message(pair.evidence),
        verdict=verdict_message(explained.verdict),
        decision=verdict_message(pair.decision),
    )


def review_message(review: Review) -> duplicate_pb2.DuplicateReview:
    """A review as the contract shows it."""
    return duplicate_pb2.DuplicateReview(
        name=review_name(review.scope, review.id),
        first=review.first,
        second=review.second,
        decision=verdict_message(review.decision),
        create_time=timestamp(review.create_time),
    )


def counts_messages(found: dict[Verdict, tuple[int, int]]) -> list[duplicate_pb2.DuplicateCount]:
    """Counts of sets as the contract shows them."""
    return [
        duplicate_pb2.DuplicateCount(verdict=verdict_message(verdict), sets=sets, others=others)
        for verdict, (sets, others) in found.items()
    ]


def quality_message(found: Quality, thresholds: Thresholds) -> api.EvaluateDuplicatesResponse:
    """A measurement as the contract shows it."""
    return api.EvaluateDuplicatesResponse(
        pairs=found.pairs,
        found=found.found,
        missed=found.missed,
        wrong=found.wrong,
        precision=found.precision,
        recall=found.recall,
        outcomes=[
            api.DuplicateOutcome(
                decision=verdict_message(decision), verdict=verdict_message(verdict), count=count
            )
            for (decision, verdict), count in sorted(found.outcomes.items())
        ],
        thresholds=thresholds_message(thresholds),
        suggested_min_structure=found.suggested_min_structure,
    )
