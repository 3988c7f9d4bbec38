"""Checks requests against the rules in their contracts."""

import protovalidate
from google.protobuf.message import Message

from libs.errors import InvalidArgument, Violation
from libs.rpc.patterns import in_words


class RequestValidator:
    """Checks a message by its protovalidate rules; every broken rule names its field."""

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def __call__(self, message: Message) -> None:
        """Raises InvalidArgument with a violation for each broken rule."""
        try:
            self._validator.validate(message)
        except protovalidate.ValidationError as error:
            violations = [Violation(_path(v), _words(v)) for v in error.violations]
            text = "; ".join(f"{v.field}: {v.description}" for v in violations[:5])
            raise InvalidArgument(text, violations) from None
        if path := _path_of_nul(message):
            raise InvalidArgument.of(path, "holds the character U+0000, which no text may have")


def _path_of_nul(message: Message, prefix: str = "") -> str:
    """The first text with a NUL, which PostgreSQL cannot store; empty if there is none."""
    for field, value in message.ListFields():
        path = prefix + field.name
        if field.type == field.TYPE_STRING:
            if any("\0" in text for text in (value if field.is_repeated else (value,))):
                return path
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for child in value if field.is_repeated else (value,):
                if found := _path_of_nul(child, f"{path}."):
                    return found
    return ""


def _words(violation: protovalidate.Violation) -> str:
    """What is wrong, for people: patterns are told as what they ask for."""
    is_pattern = violation.proto.rule_id == "string.pattern"
    if is_pattern and (asked := in_words(str(violation.rule_value))):
        return f"{asked}, not {str(violation.field_value)[:100]!r}"
    return violation.proto.message or "is not valid"


def _path(violation: protovalidate.Violation) -> str:
    field = violation.proto.field
    if field is None:
        return ""
    parts = []
    for element in field.elements:
        name = element.field_name
        subscript = element.subscript
        if subscript is not None:
            name = f"{name}[{subscript.value}]"
        parts.append(name)
    return ".".join(parts)
