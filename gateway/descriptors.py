"""What the gateway asks of message descriptors, in one place."""

from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"
FIELD_MASK = "google.protobuf.FieldMask"
HTTP_BODY = "google.api.HttpBody"
NULL_VALUE = "google.protobuf.NullValue"
WRAPPERS_FILE = "google/protobuf/wrappers.proto"

# Their JSON form is not an object of their fields, and not worth a second implementation.
DYNAMIC = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))

INTEGERS_64 = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)
INTEGERS_32 = frozenset(
    {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_SFIXED32,
    }
)
UNSIGNED = frozenset(
    {
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_FIXED64,
    }
)


def services_of(*modules: ModuleType) -> Iterator[ServiceDescriptor]:
    """The services declared in generated ``*_pb2`` modules, in order."""
    for module in modules:
        yield from module.DESCRIPTOR.services_by_name.values()


def message_class(descriptor: Descriptor) -> type[Message]:
    """The class of the messages of that type."""
    return message_factory.GetMessageClass(descriptor)


def type_of(message: Message | type[Message]) -> Descriptor:
    """The descriptor of a message or of its class."""
    return cast(Descriptor, message.DESCRIPTOR)


def message_type(field: FieldDescriptor) -> Descriptor:
    """The type of the messages in the field."""
    return cast(Descriptor, field.message_type)


def enum_type(field: FieldDescriptor) -> EnumDescriptor:
    """The enum of the field's values."""
    return cast(EnumDescriptor, field.enum_type)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return is_message(field) and bool(message_type(field).GetOptions().map_entry)


def is_message(field: FieldDescriptor) -> bool:
    """Whether the field holds messages (a map does)."""
    return field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE


def is_wrapper(descriptor: Descriptor) -> bool:
    """Whether it is one of the well-known boxes of one scalar."""
    return descriptor.file.name == WRAPPERS_FILE


def is_text_like(descriptor: Descriptor) -> bool:
    """Whether the JSON form is a single scalar, so that it fits a query parameter."""
    return descriptor.full_name in (TIMESTAMP, DURATION, FIELD_MASK) or is_wrapper(descriptor)


def is_plain(descriptor: Descriptor) -> bool:
    """Whether the JSON form is an object of the fields, without anything special."""
    return not (is_text_like(descriptor) or descriptor.full_name in DYNAMIC)


def oneof_of(field: FieldDescriptor) -> str | None:
    """The name of the oneof the field is part of; ``optional`` does not count as one."""
    oneof = field.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name == f"_{field.name}"):
        return None
    return str(oneof.name)


def option(options: Message, full_name: str) -> Any:
    """The value of the option extension of that name, or None where it is not set.

    By name, so that a contract without the extension does not have to ship it.
    """
    for field, value in options.ListFields():
        if field.is_extension and field.full_name == full_name:
            return value
    return None


def enum_names(enum: EnumDescriptor) -> list[str]:
    """The names of the values in order of declaration."""
    return [value.name for value in enum.values]


field_behavior = partial(option, full_name="google.api.field_behavior")
validation = partial(option, full_name="buf.validate.field")
policy = partial(option, full_name="colonnade.options.v1.policy")
