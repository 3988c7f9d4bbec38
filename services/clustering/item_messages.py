"""Texts between the domain and the contract."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from colonnade.clustering.v1 import cluster_pb2
from colonnade.clustering.v1 import item_service_pb2 as api
from google.rpc.status_pb2 import Status

from libs.errors import Internal, InvalidArgument
from libs.rpc.filtering import Condition, Kind, parse_filter, parse_order
from libs.rpc.status import to_status
from libs.rpc.validation import refuse_nul
from services.clustering.domain.text import Draft, Outcome, StoredText, TextState
from services.clustering.usecases.clusters import cluster_name, split_cluster_name
from services.clustering.usecases.items import Result

_FIELDS: dict[str, Kind] = {
    "state": "text",
    "source": "text",
    "external_id": "text",
    "repository": "text",
    "cluster": "text",
}
_ORDERS = ("create_time", "source_time")


def draft_of(message: cluster_pb2.Item, where: str) -> Draft:
    """What a caller sent. Raises InvalidArgument on a field below ``where``."""
    return Draft(
        source=message.source,
        external_id=message.external_id,
        title=message.title,
        body=message.body,
        url=message.url,
        metadata=dict(message.metadata),
        repository=message.repository,
        source_time=_source_time(message, where),
        closed=message.closed if message.HasField("closed") else None,
    )


def drafts_of(messages: Sequence[cluster_pb2.Item]) -> list[Draft | InvalidArgument]:
    """What a caller sent, or what is wrong with it, one for each."""
    return [_draft_or_error(message, f"items[{n}]") for n, message in enumerate(messages)]


def item_message(text: StoredText) -> cluster_pb2.Item:
    """A text as the contract shows it."""
    message = cluster_pb2.Item(
        name=text.name,
        source=text.source,
        external_id=text.external_id,
        title=text.title,
        body=text.body,
        state=cluster_pb2.Item.State.Value(f"STATE_{text.state.upper()}"),
        cluster=cluster_name(text.scope, text.cluster_id) if text.cluster_id else "",
        url=text.url,
        metadata=dict(text.metadata),
        repository=text.repository,
        truncated=text.truncated,
        closed=text.closed,
    )
    message.create_time.FromDatetime(text.create_time)
    message.update_time.FromDatetime(text.update_time)
    if text.source_time is not None:
        message.source_time.FromDatetime(text.source_time)
    if text.state is TextState.QUARANTINED:
        error = Internal(text.error_message, reason=text.error_reason)
        message.error.CopyFrom(to_status(error))
    return message


def result_message(result: Result) -> api.ItemResult:
    """What became of one item of a batch."""
    if isinstance(result, InvalidArgument):
        return api.ItemResult(status=to_status(result))
    return api.ItemResult(item=result.name, outcome=outcome_value(result.outcome), status=Status())


def outcome_value(outcome: Outcome) -> "api.ItemOutcome.ValueType":
    """What taking an item in did, as the contract shows it."""
    return api.ItemOutcome.Value(f"ITEM_OUTCOME_{outcome.upper()}")


def item_conditions(text: str) -> list[Condition]:
    """The conditions of a filter, values as they are kept. Raises InvalidArgument on ``filter``."""
    return [_checked(condition) for condition in parse_filter(text, _FIELDS)]


def item_order(text: str) -> tuple[str, bool]:
    """The field to sort by and whether the latest come first. Raises InvalidArgument."""
    return parse_order(text, _ORDERS, "create_time desc")


def _draft_or_error(message: cluster_pb2.Item, where: str) -> Draft | InvalidArgument:
    try:
        refuse_nul(message, f"{where}.")
        return draft_of(message, where)
    except InvalidArgument as error:
        return error


def _source_time(message: cluster_pb2.Item, where: str) -> datetime | None:
    if not message.HasField("source_time"):
        return None
    try:
        return message.source_time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of(
            f"{where}.source_time", "a time of the years 1 to 9999, such as 2026-03-04T09:15:00Z"
        ) from None


def _checked(condition: Condition) -> Condition:
    value = str(condition.value)
    if condition.field == "state":
        kept = {state.upper(): state for state in TextState}
        if value not in kept:
            raise InvalidArgument.of("filter", f"state is one of {', '.join(kept)}, not {value!r}")
        return Condition("state", condition.op, kept[value].value)
    if condition.field == "cluster":
        return Condition("cluster", condition.op, _cluster_id(value))
    return condition


def _cluster_id(name: str) -> str:
    id = split_cluster_name(name, "filter")[1]
    try:
        return str(UUID(id))
    except ValueError:
        raise InvalidArgument.of("filter", f"{name!r} is not the name of a cluster") from None
