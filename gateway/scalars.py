"""Reading one scalar of a proto field, from text (path, query, form) or from a JSON value.

Every reader raises ``Mismatch``, which says what was expected, where, and what came instead.
JSON forms: the ProtoJSON format of the Protocol Buffers documentation.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway import descriptors

Reader = Callable[[Any], Any]

_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_URL_SAFE = str.maketrans("-_", "+/")
_SHOWN = 60
# A level of a Struct takes two of these here, and three of the hundred that a parser of the
# serialised message allows.
_DYNAMIC_DEPTH = 60
_EXAMPLES = {
    descriptors.TIMESTAMP: "a time such as 2026-08-01T09:30:00Z",
    descriptors.DURATION: "a duration in seconds such as 1.5s",
}


class Mismatch(ValueError):
    """A value does not fit its field. ``path`` leads to it from the outermost value."""

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description
        self.path = ""

    def within(self, part: str | int) -> "Mismatch":
        """The same, seen from one level further out: inside the field or element ``part``."""
        here = f"[{part}]" if isinstance(part, int) else part
        dot = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{here}{dot}{self.path}"
        return self


def shown(value: object) -> str:
    """The value as it may appear in an error: short, with its kind of JSON."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return text


def text_reader(field: FieldDescriptor) -> Reader:
    """Reads the field's type from a string, as in a URL. Fields of lists are read one by one."""
    if descriptors.is_message(field):
        return well_known_reader(descriptors.message_type(field), text_reader)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _bool_from_text
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return _enum_from_text(descriptors.enum_type(field))
    return json_reader(field)


def json_reader(field: FieldDescriptor) -> Reader:
    """Reads the field's type from a JSON value. Fields of lists are read one by one."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return _bool_from_json
        case FieldDescriptor.CPPTYPE_ENUM:
            return _enum_from_json(descriptors.enum_type(field))
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return _double
        case FieldDescriptor.CPPTYPE_FLOAT:
            return _float
        case FieldDescriptor.CPPTYPE_STRING:
            return _bytes if field.type == FieldDescriptor.TYPE_BYTES else _string
        case FieldDescriptor.CPPTYPE_MESSAGE:
            return well_known_reader(descriptors.message_type(field), json_reader)
        case _:
            return _integer(field)


def _string(value: Any) -> str:
    if type(value) is not str:
        raise Mismatch(f"expected a string, got {shown(value)}")
    return value


def _bool_from_json(value: Any) -> bool:
    if type(value) is not bool:
        raise Mismatch(f"expected true or false, got {shown(value)}")
    return value


def _bool_from_text(value: str) -> bool:
    if value not in ("true", "false"):
        raise Mismatch(f"expected true or false, got {shown(value)}")
    return value == "true"


def _integer(field: FieldDescriptor) -> Reader:
    bits = 64 if field.type in descriptors.INTEGERS_64 else 32
    unsigned = field.type in descriptors.UNSIGNED
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def read(value: Any) -> int:
        number = value if type(value) is int else _whole(value)
        if number is None or not low <= number <= high:
            raise Mismatch(f"expected a whole number in {low}..{high}, got {shown(value)}")
        return number

    return read


def _whole(value: Any) -> int | None:
    if type(value) is str:
        if len(value) <= _SHOWN and _INTEGER.fullmatch(value):
            return int(value)
        value = float(value) if _NUMBER.fullmatch(value) else None
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def _double(value: Any) -> float:
    match value:
        case bool():
            number = None
        case float() | int():
            number = float(value)
        case str() if value in _SPECIAL:
            return _SPECIAL[value]
        case str() if _NUMBER.fullmatch(value):
            number = float(value)
        case _:
            number = None
    if number is None or not math.isfinite(number):
        raise Mismatch(f"expected a number, got {shown(value)}")
    return number


def _float(value: Any) -> float:
    number = _double(value)
    try:
        struct.pack("<f", number)
    except OverflowError:
        raise Mismatch(f"expected a number of 32 bits, got {shown(value)}") from None
    return number


def _bytes(value: Any) -> bytes:
    text = _string(value).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Mismatch(f"expected base64, got {shown(value)}") from None


def _enum_from_json(enum: EnumDescriptor) -> Reader:
    numbers = {value.name: value.number for value in enum.values}
    known = frozenset(numbers.values())

    def read(value: Any) -> int:
        number = numbers.get(value) if type(value) is str else value
        if type(number) is not int or not _fits(number):
            names = ", ".join(numbers)
            raise Mismatch(f"expected one of {names}; got {shown(value)}")
        return number

    def _fits(number: int) -> bool:
        return number in known or (not enum.is_closed and -(2**31) <= number < 2**31)

    return read


def _enum_from_text(enum: EnumDescriptor) -> Reader:
    read = _enum_from_json(enum)

    def read_text(value: str) -> Any:
        is_number = len(value) <= _SHOWN and _INTEGER.fullmatch(value)
        return read(int(value) if is_number else value)

    return read_text


def well_known_reader(
    descriptor: Descriptor, reader: Callable[[FieldDescriptor], Reader]
) -> Reader:
    """Reads a message whose JSON form is a single scalar (a time, a mask, a box of a scalar).

    ``reader`` makes the reader of the scalar in the box.
    """
    create = descriptors.message_class(descriptor)
    if descriptors.is_wrapper(descriptor):
        return _boxed(create, reader(descriptor.fields_by_name["value"]))
    if descriptor.full_name == descriptors.FIELD_MASK:
        return lambda value: create(paths=mask_paths(value))
    return _from_json_string(create, _EXAMPLES[descriptor.full_name])


def _boxed(create: Callable[..., Any], read: Reader) -> Reader:
    return lambda value: create(value=read(value))


def _from_json_string(create: Callable[[], Any], expected: str) -> Reader:
    def read(value: Any) -> Any:
        message = create()
        try:
            message.FromJsonString(value)
        except (ValueError, OverflowError):
            raise Mismatch(f"expected {expected}, got {shown(value)}") from None
        return message

    return read


def mask_paths(value: Any) -> list[str]:
    """The paths of a field mask in its JSON form: ``title,rights.expireTime``.

    Proto names (``rights.expire_time``) are understood as well.
    """
    if type(value) is not str:
        raise Mismatch(f"expected field names joined by commas, got {shown(value)}")
    return [_snake(path) for path in value.split(",")] if value else []


def _snake(path: str) -> str:
    return path if "_" in path else re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", path)


def parse_dynamic(value: Any, message: Any) -> None:
    """Fills an Any, Struct, Value or ListValue from a JSON value.

    Raises:
        Mismatch: the value has no such form, or names a type that is not known.
    """
    try:
        json_format.ParseDict(value, message, max_recursion_depth=_DYNAMIC_DEPTH)
    except (json_format.ParseError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise Mismatch(f"not a {descriptors.type_of(message).name}: {error}") from None
