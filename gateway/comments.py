"""Comments of the contracts, by full name of what they describe.

They are not in the descriptors of generated code, only in a set of file descriptors that was
written with source information (``protoc --descriptor_set_out --include_source_info``).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

# Numbers of the fields that hold declarations, by the kind of what declares them.
_NESTED: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "FileDescriptorProto": {
        4: ("message_type", "DescriptorProto"),
        5: ("enum_type", "EnumDescriptorProto"),
        6: ("service", "ServiceDescriptorProto"),
    },
    "DescriptorProto": {
        2: ("field", "FieldDescriptorProto"),
        3: ("nested_type", "DescriptorProto"),
        4: ("enum_type", "EnumDescriptorProto"),
    },
    "EnumDescriptorProto": {2: ("value", "EnumValueDescriptorProto")},
    "ServiceDescriptorProto": {2: ("method", "MethodDescriptorProto")},
}
_LINT_DIRECTIVE = re.compile(r"^\s*buf:lint:ignore.*$|\(--.*?--\)", re.MULTILINE | re.DOTALL)


def read_comments(path: Path | None) -> dict[str, str]:
    """The leading comment of every declaration in the set at ``path``; none without the file.

    Values of an enum are found under the enum's name: ``colonnade.catalog.v1.Photo.Usage.UNUSED``.
    """
    if path is None or not path.is_file():
        return {}
    comments: dict[str, str] = {}
    for file in FileDescriptorSet.FromString(path.read_bytes()).file:
        comments.update(_comments_of(file))
    return comments


def first_sentence(comment: str) -> str:
    """The first sentence, without its full stop, as a heading."""
    sentence = re.split(r"\.(?:\s|$)", comment, maxsplit=1)[0]
    return " ".join(sentence.split())


def _comments_of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        text = _clean(location.leading_comments)
        name = _name(file, location.path) if text else None
        if name is not None:
            yield name, text


def _name(file: FileDescriptorProto, path: Iterable[int]) -> str | None:
    """The full name of the declaration at a path of field numbers and indexes."""
    current: Any = file
    kind = "FileDescriptorProto"
    names = [file.package]
    steps = iter(path)
    for number in steps:
        field, kind = _NESTED.get(kind, {}).get(number, ("", ""))
        index = next(steps, None)
        if not field or index is None:
            return None
        current = getattr(current, field)[index]
        names.append(current.name)
    return ".".join(names) if len(names) > 1 else None


def _clean(comment: str) -> str:
    """The comment without directives, and with its lines joined to paragraphs."""
    text = "\n".join(line.strip() for line in _LINT_DIRECTIVE.sub("", comment).splitlines())
    return "\n\n".join(_joined(paragraph) for paragraph in text.strip().split("\n\n"))


def _joined(paragraph: str) -> str:
    return re.sub(r"\n(?![-*] )", " ", paragraph.strip())
