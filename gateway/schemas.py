"""JSON schemas of message types, as OpenAPI 3.1 components."""

from collections.abc import Mapping
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway import descriptors
from gateway.rules import is_required, rule_keywords

Schema = dict[str, Any]

_WELL_KNOWN: Mapping[str, Schema] = {
    descriptors.TIMESTAMP: {"type": "string", "format": "date-time"},
    descriptors.DURATION: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    descriptors.FIELD_MASK: {"type": "string"},
    descriptors.HTTP_BODY: {"type": "string", "format": "binary"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
    },
}
_SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "int64", "minimum": 0},
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}
_BYTES: Schema = {"type": "string", "contentEncoding": "base64"}


class SchemaBook:
    """The components that have been asked for so far, and everything they refer to."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self._comments = comments
        self.schemas: dict[str, Schema] = {}

    def message(self, descriptor: Descriptor) -> Schema:
        """The schema of a message type; a reference where it is an object of its own."""
        if descriptor.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[descriptor.full_name])
        if descriptors.is_wrapper(descriptor):
            return _nullable(self._one(descriptor.fields_by_name["value"]))
        name = descriptor.full_name
        if name not in self.schemas:
            # Stored before the fields are looked at, because a message may contain its own type.
            self.schemas[name] = {}
            self.schemas[name].update(self.fields_of(descriptor))
        return {"$ref": f"#/components/schemas/{name}"}

    def fields_of(self, descriptor: Descriptor, without: frozenset[str] = frozenset()) -> Schema:
        """An object with the fields of the type, but those named in ``without``."""
        fields = [field for field in descriptor.fields if field.name not in without]
        schema: Schema = {
            "type": "object",
            "properties": {field.json_name: self.field(field) for field in fields},
        }
        required = [field.json_name for field in fields if is_required(field)]
        if required:
            schema["required"] = required
        return self._described(schema, descriptor.full_name)

    def field(self, field: FieldDescriptor) -> Schema:
        """The schema of a field, with what its options say of it."""
        if descriptors.is_map(field):
            values = descriptors.message_type(field).fields_by_name["value"]
            schema: Schema = {"type": "object", "additionalProperties": self._one(values)}
        elif field.is_repeated:
            schema = {"type": "array", "items": self._one(field)}
        else:
            schema = self._one(field)
        _merge(schema, rule_keywords(field))
        return self._described({**schema, **_behavior(field)}, field.full_name)

    def comment(self, full_name: str) -> str:
        """The comment of a declaration, or empty."""
        return self._comments.get(full_name, "")

    def _one(self, field: FieldDescriptor) -> Schema:
        if descriptors.is_message(field):
            return self.message(descriptors.message_type(field))
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            return self._enum(descriptors.enum_type(field))
        if field.type == FieldDescriptor.TYPE_BYTES:
            return dict(_BYTES)
        return dict(_SCALARS[field.cpp_type])

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name == descriptors.NULL_VALUE:
            return {"type": "null"}
        if enum.full_name not in self.schemas:
            names = descriptors.enum_names(enum)
            schema: Schema = {"type": "string", "enum": names}
            notes = {name: self.comment(f"{enum.full_name}.{name}") for name in names}
            if any(notes.values()):
                schema["x-enum-descriptions"] = notes
            self.schemas[enum.full_name] = self._described(schema, enum.full_name)
        return {"$ref": f"#/components/schemas/{enum.full_name}"}

    def _described(self, schema: Schema, full_name: str) -> Schema:
        comment = self.comment(full_name)
        return {**schema, "description": comment} if comment else schema


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _merge(schema: Schema, keywords: Schema) -> None:
    items = keywords.pop("items", {})
    schema.update(keywords)
    if items and isinstance(schema.get("items"), dict):
        schema["items"] = {**schema["items"], **items}


def _behavior(field: FieldDescriptor) -> Schema:
    behaviors = set(descriptors.field_behavior(field.GetOptions()) or ())
    schema: Schema = {}
    if field_behavior_pb2.OUTPUT_ONLY in behaviors:
        schema["readOnly"] = True
    if field_behavior_pb2.INPUT_ONLY in behaviors:
        schema["writeOnly"] = True
    if field_behavior_pb2.IMMUTABLE in behaviors:
        schema["x-immutable"] = True
    if field_behavior_pb2.IDENTIFIER in behaviors:
        schema["x-identifier"] = True
    if field.GetOptions().deprecated:
        schema["deprecated"] = True
    return schema
