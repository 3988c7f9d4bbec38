"""Messages in JSON files that people or programs wrote."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from libs.errors import InvalidArgument, Violation

M = TypeVar("M", bound=Message)

# What the parser puts around the one thing that it has to say.
_AROUND = re.compile(r"^(Failed to parse \w+( field)?: )+|\.? at [\w.\[\]]+$")


def read_message(file: Path, message: M, root: str) -> M:
    """``message`` filled from a JSON file; ``root`` is what paths in errors start with.

    Raises InvalidArgument: the place where it is no JSON, or all that does not fit the message,
    each with its path.
    """
    document = read_json(file)
    if wrong := list(_misfits(message.DESCRIPTOR, document, root)):
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in wrong), wrong)
    return ParseDict(document, message)


def read_json(file: Path) -> Any:
    """What is in a JSON file. Raises InvalidArgument naming the file and the place."""
    try:
        return json.loads(file.read_bytes())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidArgument.of(file.name, f"is not JSON at {place}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise InvalidArgument.of(file.name, f"is not UTF-8 text: {error.reason}") from None
    except OSError as error:
        raise InvalidArgument.of(file.name, f"cannot be read: {error.strerror}") from None


def _misfits(kind: Any, document: object, path: str) -> Iterator[Violation]:
    """What in the document is not as the message of this kind has it."""
    if not isinstance(document, dict):
        yield Violation(path, f"must be an object in braces, not {_short(document)}")
        return
    fields = {name: field for field in kind.fields for name in (field.name, field.json_name)}
    for name, value in document.items():
        place = f"{path}.{name}"
        if name not in fields:
            yield Violation(place, "is not a known field")
        elif not _nested(fields[name]):
            yield from _unreadable(kind, name, value, place)
        elif not fields[name].is_repeated:
            yield from _misfits(fields[name].message_type, value, place)
        elif isinstance(value, list):
            for index, child in enumerate(value):
                yield from _misfits(fields[name].message_type, child, f"{place}[{index}]")
        else:
            yield Violation(place, f"must be a list in brackets, not {_short(value)}")


def _nested(field: Any) -> bool:
    """Whether the field holds messages that are objects in JSON."""
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return False
    return not field.message_type.full_name.startswith("google.protobuf.")


def _unreadable(kind: Any, name: str, value: object, path: str) -> Iterator[Violation]:
    try:
        ParseDict({name: value}, GetMessageClass(kind)())
    except ParseError as error:
        yield Violation(path, _AROUND.sub("", str(error).rstrip(".")))


def _short(value: object) -> str:
    return json.dumps(value)[:40]
