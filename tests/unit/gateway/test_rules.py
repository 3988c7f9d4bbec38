"""Validation rules as JSON schema."""

from typing import Any

import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from gateway.rules import is_required, rule_keywords

FIELD = descriptor_pb2.FieldDescriptorProto


def field_with(number: int, **rules: Any) -> Any:
    """A string field with these rules, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name=f"ruled{number}.proto", package=f"ruled{number}")
    message = file.message_type.add(name="M")
    field = message.field.add(
        name="f", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL
    )
    field.options.Extensions[validate_pb2.field].CopyFrom(validate_pb2.FieldRules(**rules))
    added = descriptor_pool.DescriptorPool().AddSerializedFile(file.SerializeToString())
    return added.message_types_by_name["M"].fields_by_name["f"]


@pytest.mark.parametrize(
    ("rules", "keywords"),
    [
        ({"string": {"min_len": 1, "max_len": 9}}, {"minLength": 1, "maxLength": 9}),
        ({"string": {"len": 3}}, {"minLength": 3, "maxLength": 3}),
        ({"string": {"pattern": "^a$"}}, {"pattern": "^a$"}),
        ({"string": {"pattern": r"^\p{L}$", "max_len": 2}}, {"maxLength": 2}),
        ({"string": {"uuid": True}}, {"format": "uuid"}),
        ({"string": {"email": True}}, {"format": "email"}),
        ({"string": {"const": "x"}}, {"const": "x"}),
        ({"int32": {"gte": 0, "lt": 9}}, {"minimum": 0, "exclusiveMaximum": 9}),
        ({"double": {"gt": 0.5, "lte": 1.0}}, {"exclusiveMinimum": 0.5, "maximum": 1.0}),
        ({"int64": {"gte": 0}}, {}),
        (
            {"repeated": {"max_items": 2, "items": {"string": {"max_len": 4}}}},
            {"maxItems": 2, "items": {"maxLength": 4}},
        ),
        ({"repeated": {"unique": True, "min_items": 1}}, {"uniqueItems": True, "minItems": 1}),
        ({"map": {"max_pairs": 3}}, {"maxProperties": 3}),
        ({"enum": {"defined_only": True}}, {}),
        ({"required": True}, {}),
    ],
)
def test_rules(rules: dict[str, Any], keywords: dict[str, Any]) -> None:
    assert rule_keywords(field_with(1, **rules)) == keywords


def test_required_by_rule() -> None:
    assert is_required(field_with(2, required=True))
    assert not is_required(field_with(3, string={"min_len": 1}))
