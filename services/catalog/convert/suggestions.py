"""Suggestions and their batches."""

from collections.abc import Sequence

from colonnade.catalog.v1 import planning_service_pb2, suggestion_pb2
from colonnade.type.v1.job_pb2 import JobState
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from libs.errors import FailedPrecondition, Internal, Unavailable
from libs.rpc.status import to_status
from services.catalog.convert.values import number, timestamp
from services.catalog.domain.names import pillar_of
from services.catalog.domain.suggestion import Batch, BatchState, Brief, Suggestion, Trouble

# What is told without anything having gone wrong.
_NOTICES = ("NOTHING_MISSING",)
_PASSING = ("MODEL_UNAVAILABLE", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CONFLICT")


def suggestion_message(suggestion: Suggestion) -> suggestion_pb2.Suggestion:
    """The suggestion for the wire."""
    message = suggestion_pb2.Suggestion
    return message(
        name=suggestion.name,
        pillar=suggestion.pillar_name,
        gap_report=suggestion.gap_report_name,
        title=suggestion.brief.title,
        description=suggestion.brief.description,
        prompt=suggestion.brief.prompt,
        keywords=suggestion.brief.keywords,
        reason=suggestion.reason,
        nearest_photos=suggestion.nearest_names,
        rank=suggestion.rank,
        source=suggestion.source,
        state=number(message.State, "STATE_", suggestion.state),
        reject_reason=suggestion.reject_reason,
        run=suggestion.run_name,
        create_time=timestamp(suggestion.create_time),
        update_time=timestamp(suggestion.update_time),
        etag=str(suggestion.version),
        suggestion_batch=suggestion.batch_name,
        campaign=suggestion.campaign_name,
        gap=suggestion.gap,
    )


def brief_of(message: suggestion_pb2.Suggestion) -> Brief:
    """What callers may set of a suggestion."""
    keywords = tuple(message.keywords)
    return Brief(message.title, message.description, message.prompt, keywords)


def batch_message(batch: Batch) -> suggestion_pb2.SuggestionBatch:
    """The batch for the wire."""
    return suggestion_pb2.SuggestionBatch(
        name=batch.name,
        count=batch.count,
        pillars=batch.pillar_names,
        state=number(JobState, "JOB_STATE_", batch.state),
        written=batch.written,
        exhausted=batch.exhausted,
        gap_report=batch.gap_report_name,
        error=_error(batch.state, batch.trouble) if batch.trouble else None,
        create_time=timestamp(batch.create_time),
        end_time=timestamp(batch.end_time),
    )


def progress_message(
    batch: Batch, new: Suggestion | None = None
) -> planning_service_pb2.WatchSuggestionBatchResponse:
    """How a batch stands, with a suggestion that was not told of before."""
    return planning_service_pb2.WatchSuggestionBatchResponse(
        suggestion_batch=batch_message(batch),
        suggestion=suggestion_message(new) if new else None,
    )


def pillars_of(persona: str, names: Sequence[str]) -> list[str]:
    """The ids of the pillars that a batch names. Raises NotFound for somebody else's."""
    return [pillar_of(persona, name, "suggestion_batch.pillars") for name in names]


def _error(state: BatchState, trouble: Trouble) -> Status:
    """The trouble as a status; one of the code OK where it is only a notice."""
    kind: type[FailedPrecondition | Unavailable | Internal] = FailedPrecondition
    if trouble.reason in _PASSING:
        kind = Unavailable
    elif state is BatchState.FAILED:
        kind = Internal
    status = to_status(kind(trouble.message, reason=trouble.reason))
    if trouble.reason in _NOTICES:
        status.code = code_pb2.OK
    return status
