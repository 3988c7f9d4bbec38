"""Validation rules of fields (``buf.validate``) as keywords of JSON schema, where those exist."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

from gateway import descriptors

Keywords = dict[str, Any]

_FORMATS: Mapping[str, str] = {
    "email": "email",
    "hostname": "hostname",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "uri": "uri",
    "uri_ref": "uri-reference",
    "uuid": "uuid",
}
_STRING = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern", "const": "const"}
_NUMBER = {
    "gte": "minimum",
    "gt": "exclusiveMinimum",
    "lte": "maximum",
    "lt": "exclusiveMaximum",
    "const": "const",
}
_REPEATED = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}
_MAP = {"min_pairs": "minProperties", "max_pairs": "maxProperties"}
# The 64-bit ones are strings in JSON, which have no minimum.
_NUMERIC_KINDS = frozenset({"float", "double", "int32", "uint32", "sint32", "fixed32", "sfixed32"})


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request must have the field."""
    options = field.GetOptions()
    rules = descriptors.validation(options)
    behaviors = descriptors.field_behavior(options) or ()
    return field_behavior_pb2.REQUIRED in behaviors or bool(rules is not None and rules.required)


def rule_keywords(field: FieldDescriptor) -> Keywords:
    """The keywords for the field's rules; those for its elements are under ``items``."""
    rules = descriptors.validation(field.GetOptions())
    return _keywords(rules) if rules is not None else {}


def _keywords(rules: Any) -> Keywords:
    kind = rules.WhichOneof("type")
    translate = _TRANSLATIONS.get("number" if kind in _NUMERIC_KINDS else kind)
    return translate(getattr(rules, kind)) if translate is not None else {}


def _string(rules: Any) -> Keywords:
    keywords = _copied(rules, _STRING)
    if rules.HasField("len"):
        keywords["minLength"] = keywords["maxLength"] = rules.len
    if not _is_portable(keywords.get("pattern", "")):
        del keywords["pattern"]
    known = rules.WhichOneof("well_known")
    if known in _FORMATS:
        keywords["format"] = _FORMATS[known]
    return keywords


def _is_portable(pattern: str) -> bool:
    """Whether more than RE2 reads the pattern; ``\\p{L}``, for one, is not understood by all."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _number(rules: Any) -> Keywords:
    return _copied(rules, _NUMBER)


def _repeated(rules: Any) -> Keywords:
    keywords = _copied(rules, _REPEATED)
    if rules.HasField("items"):
        keywords["items"] = _keywords(rules.items)
    return keywords


def _map(rules: Any) -> Keywords:
    return _copied(rules, _MAP)


def _copied(rules: Any, names: Mapping[str, str]) -> Keywords:
    return {
        keyword: getattr(rules, name) for name, keyword in names.items() if rules.HasField(name)
    }


_TRANSLATIONS: Mapping[str | None, Callable[[Any], Keywords]] = {
    "string": _string,
    "number": _number,
    "repeated": _repeated,
    "map": _map,
}
