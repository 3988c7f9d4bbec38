"""Messages to JSON, compiled once for each message type from its descriptor.

The same result as ``json_format.MessageToDict(..., always_print_fields_with_no_presence=True)``,
several times faster, which is what makes list pages cheap. How: the descriptor of a type is
written out as the source of a function that builds its dict, the way ``namedtuple`` and
``dataclass`` write their methods, so that nothing of the descriptor is looked at per message.
"""

import base64
import math
import struct
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from keyword import iskeyword
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway import descriptors

Convert = Callable[[Any], Any]

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DURATION_LIMIT = 315_576_000_000
_FLOAT_DIGITS = range(6, 10)
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60))
_SECONDS = tuple(f":{second:02d}" for second in range(60))
_pack_float = struct.Struct("<f")


class JsonEncoder:
    """Turns messages into JSON. Keeps what it compiled, so keep one."""

    def __init__(self) -> None:
        self._names: dict[Descriptor | EnumDescriptor, str] = {}
        # The globals of every compiled function. They call each other through it, which is what
        # lets a message type contain itself.
        self._namespace: dict[str, Any] = {
            "bytes_text": _bytes,
            "double": _double,
            "float32": _float,
        }

    def dumps(self, message: Message) -> bytes:
        """The message as JSON text.

        Raises:
            ValueError: a value has no JSON form, such as a time after the year 9999.
        """
        return orjson.dumps(self.encode(message))

    def encode(self, message: Message) -> Any:
        """The message as dicts, lists and scalars."""
        return self._namespace[self._message(descriptors.type_of(message))](message)

    def encode_field(self, message: Message, field: FieldDescriptor) -> Any:
        """The value of one field of the message; None where it has presence and is not set."""
        if field.has_presence and not message.HasField(field.name):
            return None
        return self.encode(message)[field.json_name]

    def _message(self, descriptor: Descriptor) -> str:
        """The name of the function for the type, which is compiled if it is new."""
        name = self._names.get(descriptor)
        if name is None:
            name = self._names[descriptor] = f"message{len(self._names)}"
            self._namespace[name] = self._special(descriptor) or self._plain(descriptor)
        return name

    def _special(self, descriptor: Descriptor) -> Convert | None:
        if descriptors.is_wrapper(descriptor):
            return self._function(self._value("message.value", descriptor.fields_by_name["value"]))
        if descriptor.full_name == descriptors.TIMESTAMP:
            return _timestamp
        if descriptor.full_name == descriptors.DURATION:
            return _duration
        if descriptor.full_name == descriptors.FIELD_MASK:
            return lambda mask: mask.ToJsonString()
        if descriptor.full_name in descriptors.DYNAMIC or descriptor.is_extendable:
            return _by_json_format
        return None

    def _plain(self, descriptor: Descriptor) -> Convert:
        always = [field for field in descriptor.fields if not field.has_presence]
        items = ", ".join(f"{field.json_name!r}: {self._field(field)}" for field in always)
        optional = [
            f"    if message.HasField({field.name!r}):"
            f" encoded[{field.json_name!r}] = {self._field(field)}"
            for field in descriptor.fields
            if field.has_presence
        ]
        return self._function("encoded", f"    encoded = {{{items}}}", *optional)

    def _function(self, result: str, *body: str) -> Convert:
        source = "\n".join(["def encode(message):", *body, f"    return {result}"])
        exec(source, self._namespace)
        return self._namespace.pop("encode")  # type: ignore[no-any-return]

    def _field(self, field: FieldDescriptor) -> str:
        """The source of the JSON value of the field of ``message``."""
        name = field.name
        value = f"getattr(message, {name!r})" if iskeyword(name) else f"message.{name}"
        if descriptors.is_map(field):
            return self._map(value, descriptors.message_type(field))
        if not field.is_repeated:
            return self._value(value, field)
        return f"[{self._value('item', field)} for item in {value}]"

    def _map(self, items: str, entry: Descriptor) -> str:
        is_bool = entry.fields_by_name["key"].cpp_type == FieldDescriptor.CPPTYPE_BOOL
        key = "('true' if key else 'false')" if is_bool else "str(key)"
        value = self._value("items[key]", entry.fields_by_name["value"])
        return f"{{{key}: {value} for items in ({items},) for key in items}}"

    def _value(self, value: str, field: FieldDescriptor) -> str:
        """The source of the JSON form of one value, itself given as source."""
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_MESSAGE:
                return f"{self._message(descriptors.message_type(field))}({value})"
            case FieldDescriptor.CPPTYPE_ENUM:
                return f"{self._enum(descriptors.enum_type(field))}({value})"
            case FieldDescriptor.CPPTYPE_INT64 | FieldDescriptor.CPPTYPE_UINT64:
                return f"str({value})"
            case FieldDescriptor.CPPTYPE_DOUBLE:
                return f"double({value})"
            case FieldDescriptor.CPPTYPE_FLOAT:
                return f"float32({value})"
        return f"bytes_text({value})" if field.type == FieldDescriptor.TYPE_BYTES else value

    def _enum(self, enum: EnumDescriptor) -> str:
        name = self._names.get(enum)
        if name is None:
            name = self._names[enum] = f"enum{len(self._names)}"
            self._namespace[name] = _enum(enum)
        return name


class _EnumNames(dict[int, Any]):
    """Names by number; a number without a name stands for itself."""

    def __missing__(self, number: int) -> int:
        return number


def _enum(enum: EnumDescriptor) -> Convert:
    if enum.full_name == descriptors.NULL_VALUE:
        return lambda number: None
    # The first name wins where several share a number.
    names = _EnumNames({value.number: value.name for value in reversed(enum.values)})
    return names.__getitem__


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _double(value: float) -> float | str:
    return value if math.isfinite(value) else _not_finite(value)


def _float(value: float) -> float | str:
    """The shortest decimal of at least six digits that is the same 32-bit number."""
    if not math.isfinite(value):
        return _not_finite(value)
    for digits in _FLOAT_DIGITS:
        rounded = float(f"{value:.{digits}g}")
        if _pack_float.unpack(_pack_float.pack(rounded))[0] == value:
            return rounded
    return value


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _timestamp(message: Any) -> str:
    nanos = message.nanos
    days, rest = divmod(message.seconds, 86_400)
    if not 0 <= nanos < 1_000_000_000:
        raise ValueError(f"a timestamp has {nanos} nanoseconds")
    fraction = _fraction(nanos) if nanos else ""
    return f"{_day(days)}T{_MINUTES[rest // 60]}{_SECONDS[rest % 60]}{fraction}Z"


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    return date.fromordinal(_EPOCH_DAY + days).isoformat()


def _duration(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > _DURATION_LIMIT or abs(nanos) >= 1_000_000_000 or seconds * nanos < 0:
        raise ValueError(f"a duration of {seconds} seconds and {nanos} nanoseconds")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def _fraction(nanos: int) -> str:
    """Nothing, or a point and three, six or nine digits, as few as hold the value."""
    if nanos == 0:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    if nanos % 1_000 == 0:
        return f".{nanos // 1_000:06d}"
    return f".{nanos:09d}"


def _by_json_format(message: Message) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
