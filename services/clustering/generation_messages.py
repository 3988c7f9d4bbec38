"""Generations as the contract shows them."""

from dataclasses import asdict

from colonnade.clustering.v1 import generation_pb2

from libs.errors import Internal
from libs.rpc.status import to_status
from services.clustering.convert import timestamp
from services.clustering.domain.generation import Comparison, Counts, Filled


def generation_message(filled: Filled) -> generation_pb2.Generation:
    """A generation and how far it is filled."""
    generation = filled.generation
    collection = generation.collection
    return generation_pb2.Generation(
        name=generation.name,
        model=collection.model,
        revision=collection.revision,
        fingerprint=collection.fingerprint,
        dimension=collection.dimension,
        state=generation_pb2.Generation.State.Value(f"STATE_{generation.state.upper()}"),
        counts=_counts(filled.counts),
        failures=[
            generation_pb2.GenerationFailure(reason=reason, count=count)
            for reason, count in filled.failures.items()
        ],
        comparison=_comparison(generation.comparison),
        error=(
            to_status(Internal(generation.error_message, reason=generation.error_reason))
            if generation.error_reason
            else None
        ),
        create_time=timestamp(generation.create_time),
        ready_time=timestamp(generation.ready_time),
        activate_time=timestamp(generation.activate_time),
        retire_time=timestamp(generation.retire_time),
        modality=generation_pb2.Generation.Modality.Value(
            f"MODALITY_{collection.modality.upper()}"
        ),
    )


def _counts(counts: Counts) -> generation_pb2.GenerationCounts:
    return generation_pb2.GenerationCounts(
        total=counts.total, done=counts.done, failed=counts.failed, missing=counts.missing
    )


def _comparison(found: Comparison | None) -> generation_pb2.GenerationComparison | None:
    return generation_pb2.GenerationComparison(**asdict(found)) if found else None
