"""Checks requests against the rules in their contracts."""

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from libs.errors import InvalidArgument, Violation
from libs.rpc.patterns import in_words


class RequestValidator:
    """Checks a message by its protovalidate rules; every broken rule names its field."""

    def __call__(self, message: Message) -> None:
        """Raises InvalidArgument with a violation for each broken rule."""
        try:
            # By the validator of the process: it compiles the rules of a contract once.
            protovalidate.validate(message)
        except protovalidate.ValidationError as error:
            violations = [Violation(_path(v), _words(v)) for v in error.violations]
            text = "; ".join(f"{v.field}: {v.description}" for v in violations[:5])
            raise InvalidArgument(text, violations) from None
        refuse_nul(message)


def refuse_nul(message: Message, prefix: str = "") -> None:
    """Raises InvalidArgument on the first field with a NUL, whose path begins with ``prefix``."""
    if path := _path_of_nul(message, prefix):
        raise InvalidArgument.of(path, "holds the character U+0000, which no text may have")


def _path_of_nul(message: Message, prefix: str) -> str:
    """The first text with a NUL, which PostgreSQL cannot store; empty if there is none."""
    for field, value in message.ListFields():
        inner, path = field.message_type, prefix + field.name
        is_text = field.type == field.TYPE_STRING
        if not is_text and (inner is None or _is_left_alone(field, inner)):
            continue
        children = [(path, value)]
        if field.is_repeated:
            children = [(f"{path}[{place}]", child) for place, child in enumerate(value)]
        for where, child in children:
            if not is_text and (found := _path_of_nul(child, f"{where}.")):
                return found
            if is_text and "\0" in child:
                return where
    return ""


def _is_left_alone(field: FieldDescriptor, message: Descriptor) -> bool:
    """Whether what is in a field is not for the contract to check: values of maps, and elements
    that the service looks at one by one."""
    if message.GetOptions().map_entry:
        return True
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return bool(rules.repeated.items.ignore == validate_pb2.IGNORE_ALWAYS)


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
