"""Hypothesis strategies for protobuf messages of any type."""

import string
from collections.abc import Callable
from typing import Any

from google.protobuf import (
    any_pb2,
    duration_pb2,
    field_mask_pb2,
    json_format,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from gateway import descriptors

Values = st.SearchStrategy[Any]
Skip = Callable[[FieldDescriptor], bool]

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_LOWER = st.text(string.ascii_lowercase, min_size=1, max_size=6)
_MASK_PATHS = st.lists(st.builds("_".join, st.lists(_LOWER, min_size=1, max_size=3)), max_size=3)
_SECONDS = st.integers(-62_135_596_800, 253_402_300_799)
_NANOS = st.sampled_from([0, 1, 10_000, 120_000_000, 999_999_999])
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


def messages(
    kind: type[Message], *, skip: Skip = lambda field: False, depth: int = 3, special: bool = True
) -> st.SearchStrategy[Any]:
    """Messages of ``kind`` with any fields set, but those to ``skip``, so many levels deep.

    ``special`` allows numbers that are not finite and enum numbers without a name.
    """
    return _Maker(skip, special).message(descriptors.type_of(kind), depth)


class _Maker:
    def __init__(self, skip: Skip, special: bool) -> None:
        self._skip = skip
        self._special = special

    def message(self, descriptor: Descriptor, depth: int) -> Values:
        known = getattr(self, f"_{descriptor.full_name.replace('.', '_')}", None)
        if known is not None:
            return known()  # type: ignore[no-any-return]
        chosen = {
            field.name: self._field(field, depth - 1)
            for field in descriptor.fields
            if not self._skip(field) and not (depth <= 0 and descriptors.is_message(field))
        }
        create = descriptors.message_class(descriptor)
        return st.fixed_dictionaries({}, optional=chosen).map(lambda values: create(**values))

    def _field(self, field: FieldDescriptor, depth: int) -> Values:
        if descriptors.is_map(field):
            entry = descriptors.message_type(field).fields_by_name
            keys, values = self._one(entry["key"], depth), self._one(entry["value"], depth)
            return st.dictionaries(keys, values, max_size=2)
        one = self._one(field, depth)
        return st.lists(one, max_size=2) if field.is_repeated else one

    def _one(self, field: FieldDescriptor, depth: int) -> Values:
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_MESSAGE:
                return self.message(descriptors.message_type(field), depth)
            case FieldDescriptor.CPPTYPE_ENUM:
                numbers = [value.number for value in descriptors.enum_type(field).values]
                known = st.sampled_from(numbers)
                takes_any = len(numbers) > 1 and not descriptors.enum_type(field).is_closed
                return known | st.just(9) if self._special and takes_any else known
            case FieldDescriptor.CPPTYPE_BOOL:
                return st.booleans()
            case FieldDescriptor.CPPTYPE_DOUBLE:
                return st.floats(allow_nan=False, allow_infinity=self._special)
            case FieldDescriptor.CPPTYPE_FLOAT:
                return st.floats(width=32, allow_nan=False, allow_infinity=self._special)
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return st.binary(max_size=9)
            case FieldDescriptor.CPPTYPE_STRING:
                return st.text(max_size=9)
            case kind:
                return st.integers(*_RANGES[kind])

    def _google_protobuf_Timestamp(self) -> Values:
        return st.builds(timestamp_pb2.Timestamp, seconds=_SECONDS, nanos=_NANOS)

    def _google_protobuf_Duration(self) -> Values:
        amounts = st.tuples(st.integers(0, 315_576_000_000), _NANOS, st.sampled_from([1, -1]))
        return amounts.map(
            lambda amount: duration_pb2.Duration(
                seconds=amount[0] * amount[2], nanos=amount[1] * amount[2]
            )
        )

    def _google_protobuf_FieldMask(self) -> Values:
        return st.builds(field_mask_pb2.FieldMask, paths=_MASK_PATHS)

    def _google_protobuf_Struct(self) -> Values:
        objects = st.dictionaries(st.text(), _JSON, max_size=2)
        return objects.map(lambda value: json_format.ParseDict(value, struct_pb2.Struct()))

    def _google_protobuf_Value(self) -> Values:
        return _JSON.map(lambda value: json_format.ParseDict(value, struct_pb2.Value()))

    def _google_protobuf_ListValue(self) -> Values:
        lists = st.lists(_JSON, max_size=2)
        return lists.map(lambda value: json_format.ParseDict(value, struct_pb2.ListValue()))

    def _google_protobuf_Any(self) -> Values:
        boxed = st.text().map(lambda text: wrappers_pb2.StringValue(value=text))
        waits = st.integers(0, 99).map(lambda seconds: duration_pb2.Duration(seconds=seconds))
        return (boxed | waits).map(_packed)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
