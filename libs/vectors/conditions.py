"""Our filters and payloads as Qdrant's messages, and back."""

import math
import uuid
from collections.abc import Iterable, Mapping

from libs.errors import InvalidArgument
from libs.vectors.index import (
    AnyOf,
    Condition,
    Equals,
    InRange,
    Payload,
    PayloadValue,
    VectorFilter,
)
from libs.vectors.stubs import qdrant


def filter_message(chosen: VectorFilter | None) -> qdrant.Filter:
    """An empty message, which everything passes, for None. Raises ``InvalidArgument``."""
    if chosen is None:
        return qdrant.Filter()
    message = qdrant.Filter(
        must=[_condition(condition) for condition in chosen.conditions],
        must_not=[_condition(condition) for condition in chosen.unless],
    )
    if chosen.exclude_ids:
        message.must_not.append(ids_condition(sorted(chosen.exclude_ids)))
    return message


def ids_condition(ids: Iterable[str]) -> qdrant.Condition:
    return qdrant.Condition(has_id=qdrant.HasIdCondition(has_id=id_messages(ids)))


def id_messages(ids: Iterable[str]) -> list[qdrant.PointId]:
    """Raises ``InvalidArgument`` for one that is not a UUID in canonical text."""
    messages = []
    for position, text in enumerate(ids):
        if not _is_uuid(text):
            raise InvalidArgument.of(f"ids[{position}]", f"must be a lower-case UUID, not {text!r}")
        messages.append(qdrant.PointId(uuid=text))
    return messages


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _condition(condition: Condition) -> qdrant.Condition:
    match condition:
        case Equals(field, value):
            _refuse_boolean(field, value)
            match = (
                qdrant.Match(keyword=value)
                if isinstance(value, str)
                else qdrant.Match(integer=value)
            )
            return _field(field, match=match)
        case AnyOf(field, values):
            return _field(field, match=_match_any(field, values))
        case InRange(field, at_least, below):
            return _field(field, range=qdrant.Range(gte=at_least, lt=below))


def _field(key: str, **condition: qdrant.Match | qdrant.Range) -> qdrant.Condition:
    return qdrant.Condition(field=qdrant.FieldCondition(key=key, **condition))  # type: ignore[arg-type]


def _match_any(field: str, values: tuple[str, ...] | tuple[int, ...]) -> qdrant.Match:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int)]
    if texts and numbers:
        raise InvalidArgument.of(field, "must be matched with text or with numbers, not with both")
    for value in numbers:
        _refuse_boolean(field, value)
    if numbers:
        return qdrant.Match(integers=qdrant.RepeatedIntegers(integers=numbers))
    return qdrant.Match(keywords=qdrant.RepeatedStrings(strings=texts))


def _refuse_boolean(field: str, value: object) -> None:
    if isinstance(value, bool):
        raise InvalidArgument.of(field, 'must not be a boolean; store and match "yes" or "no"')


def payload_message(payload: Payload) -> dict[str, qdrant.Value]:
    """Raises ``InvalidArgument`` for a value of a kind that the port does not know."""
    return {field: _value(field, value) for field, value in payload.items()}


def _value(field: str, value: PayloadValue) -> qdrant.Value:
    _refuse_boolean(field, value)
    match value:
        case str():
            return qdrant.Value(string_value=value)
        case int():
            return qdrant.Value(integer_value=value)
        case float() if math.isfinite(value):
            return qdrant.Value(double_value=value)
        case list() if all(isinstance(item, str) for item in value):
            items = [qdrant.Value(string_value=item) for item in value]
            return qdrant.Value(list_value=qdrant.ListValue(values=items))
    raise InvalidArgument.of(field, "must be text, a finite number or a list of text")


def payload_of(fields: Mapping[str, qdrant.Value]) -> dict[str, PayloadValue]:
    """The payload of a point; fields of kinds that we never write are left out."""
    return {
        field: value for field, message in fields.items() if (value := _plain(message)) is not None
    }


def _plain(message: qdrant.Value) -> PayloadValue | None:
    match message.WhichOneof("kind"):
        case "string_value":
            return message.string_value
        case "integer_value":
            return message.integer_value
        case "double_value":
            return message.double_value
        case "list_value":
            return [item.string_value for item in message.list_value.values]
    return None
