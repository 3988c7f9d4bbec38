"""Qdrant's filters as the engine's. What the engine cannot do is refused, never passed over."""

from typing import Any

import qdrant_edge as edge

from libs.embedded.qdrant_edge.convert import point_ids
from libs.embedded.qdrant_edge.errors import invalid, unsupported
from libs.vectors.stubs import qdrant


def convert_filter(message: qdrant.Filter) -> edge.Filter:
    """An empty message gives a filter that everything passes."""
    if message.HasField("min_should"):
        raise unsupported("min_should")
    return edge.Filter(
        must=[_condition(item) for item in message.must],
        should=[_condition(item) for item in message.should],
        must_not=[_condition(item) for item in message.must_not],
    )


def _condition(message: qdrant.Condition) -> Any:
    kind = message.WhichOneof("condition_one_of")
    match kind:
        case "field":
            return _field(message.field)
        case "has_id":
            return edge.HasIdCondition(set(point_ids(message.has_id.has_id)))
        case "is_empty":
            return edge.IsEmptyCondition(message.is_empty.key)
        case "is_null":
            return edge.IsNullCondition(message.is_null.key)
        case "filter":
            return convert_filter(message.filter)
    raise unsupported(f"the condition {kind}")


def _field(message: qdrant.FieldCondition) -> edge.FieldCondition:
    used = {field.name for field, _ in message.ListFields()} - {"key"}
    if used == {"match"}:
        return edge.FieldCondition(message.key, match=_match(message.match))
    if used == {"range"}:
        bounds = {field.name: value for field, value in message.range.ListFields()}
        return edge.FieldCondition(message.key, range=edge.RangeFloat(**bounds))
    if not used:
        raise invalid(f"the condition on `{message.key}` is empty")
    raise unsupported(f"the conditions {sorted(used)} on a field")


def _match(message: qdrant.Match) -> Any:
    kind = message.WhichOneof("match_value")
    match kind:
        case "keyword" | "integer":
            return edge.MatchValue(getattr(message, kind))
        case "keywords":
            return edge.MatchAny(list(message.keywords.strings))
        case "integers":
            return edge.MatchAny(list(message.integers.integers))
        case "except_keywords":
            return edge.MatchExcept(list(message.except_keywords.strings))
        case "except_integers":
            return edge.MatchExcept(list(message.except_integers.integers))
        case "boolean":
            # The engine takes True for the number 1 and then finds nothing.
            raise unsupported("matching booleans; store flags as text")
    raise unsupported(f"matching by {kind}")
