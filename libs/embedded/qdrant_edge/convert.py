"""Between Qdrant's messages and the engine's objects."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from libs.embedded.qdrant_edge.errors import invalid, unsupported
from libs.vectors.stubs import qdrant

PointId = int | UUID | str  # as the engine types it


def point_id(message: qdrant.PointId) -> PointId:
    """A whole number, or a UUID as canonical text."""
    if message.WhichOneof("point_id_options") == "num":
        return message.num
    try:
        return str(UUID(message.uuid))
    except ValueError:
        raise invalid(f"Unable to parse UUID: {message.uuid}") from None


def point_ids(messages: Iterable[qdrant.PointId]) -> list[PointId]:
    return [point_id(message) for message in messages]


def id_message(value: PointId) -> qdrant.PointId:
    if isinstance(value, int):
        return qdrant.PointId(num=value)
    return qdrant.PointId(uuid=str(value))


def payload_value(value: qdrant.Value) -> Any:
    kind = value.WhichOneof("kind")
    match kind:
        case None | "null_value":
            return None
        case "struct_value":
            return payload(value.struct_value.fields)
        case "list_value":
            return [payload_value(item) for item in value.list_value.values]
    return getattr(value, kind)


def payload(fields: Mapping[str, qdrant.Value]) -> dict[str, Any]:
    return {key: payload_value(value) for key, value in fields.items()}


def value_message(value: Any) -> qdrant.Value:
    match value:
        case None:
            return qdrant.Value(null_value=qdrant.NullValue.NULL_VALUE)
        case bool():
            return qdrant.Value(bool_value=value)
        case int():
            return qdrant.Value(integer_value=value)
        case float():
            return qdrant.Value(double_value=value)
        case str():
            return qdrant.Value(string_value=value)
        case list():
            items = [value_message(item) for item in value]
            return qdrant.Value(list_value=qdrant.ListValue(values=items))
    return qdrant.Value(struct_value=qdrant.Struct(fields=payload_message(value)))


def payload_message(value: Mapping[str, Any] | None) -> dict[str, qdrant.Value]:
    return {key: value_message(item) for key, item in (value or {}).items()}


def dense(vectors: qdrant.Vectors) -> list[float]:
    """The one unnamed dense vector of a point."""
    if vectors.WhichOneof("vectors_options") != "vector":
        raise unsupported("named vectors")
    vector = vectors.vector
    match vector.WhichOneof("vector"):
        case "dense":
            return vector.dense.data[:]
        case None:
            return vector.data[:]  # how clients before 1.16 send it
    raise unsupported("vectors that are not dense")


def vectors_message(vector: Any) -> qdrant.VectorsOutput | None:
    if vector is None:
        return None
    values = qdrant.DenseVector(data=vector)
    return qdrant.VectorsOutput(vector=qdrant.VectorOutput(dense=values))


def with_payload(selector: qdrant.WithPayloadSelector, *, default: bool) -> bool | list[str]:
    match selector.WhichOneof("selector_options"):
        case "enable":
            return selector.enable
        case "include":
            return list(selector.include.fields)
        case "exclude":
            raise unsupported("leaving out some payload fields")
    return default


def with_vectors(selector: qdrant.WithVectorsSelector) -> bool:
    if selector.WhichOneof("selector_options") == "include":
        raise unsupported("named vectors")
    return selector.enable


def record_message(record: edge.Record) -> qdrant.RetrievedPoint:
    return qdrant.RetrievedPoint(
        id=id_message(record.id),
        payload=payload_message(record.payload),
        vectors=vectors_message(record.vector),
    )


def scored_message(point: edge.ScoredPoint) -> qdrant.ScoredPoint:
    return qdrant.ScoredPoint(
        id=id_message(point.id),
        payload=payload_message(point.payload),
        score=point.score,
        version=point.version,
        vectors=vectors_message(point.vector),
    )
