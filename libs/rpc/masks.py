"""Field masks of updates, and the fields that callers cannot set."""

from collections.abc import Sequence
from typing import Any, TypeVar

from google.api import field_behavior_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from libs.errors import InvalidArgument

M = TypeVar("M", bound=Message)


def behaviors(field: Any) -> Sequence[int]:
    """The ``google.api.field_behavior`` values of a field."""
    values: Sequence[int] = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return values


def _is(field: Any, behavior: int) -> bool:
    return behavior in behaviors(field)


def clear_output_only(message: M) -> M:
    """``message`` without what only the server sets, at every depth."""
    for field, value in message.ListFields():
        if _is(field, field_behavior_pb2.OUTPUT_ONLY):
            message.ClearField(field.name)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for child in value if field.is_repeated else (value,):
                clear_output_only(child)
    return message


def merged(current: M, patch: M, mask: FieldMask, field: str) -> M:
    """A copy of ``current`` with the masked fields of ``patch``.

    No mask: the fields that are set in ``patch``. ``*``: all that can be changed. Output-only
    fields are ignored; a changed immutable field and an unknown path are an InvalidArgument.
    ``field`` is the name of the resource in the request, for messages.
    """
    paths = _paths(current, patch, mask, field)
    result, source = type(current)(), type(patch)()
    result.CopyFrom(current)
    source.CopyFrom(patch)
    for path in paths:
        _make_parents(source, path)
    FieldMask(paths=paths).MergeMessage(source, result, True, True)
    return result


def _make_parents(message: Message, path: str) -> None:
    """Makes what a path leads through, or merging would pass over a field that is to be emptied."""
    for part in path.split(".")[:-1]:
        message = getattr(message, part)
        message.SetInParent()


def _paths(current: Message, patch: Message, mask: FieldMask, field: str) -> list[str]:
    descriptor = current.DESCRIPTOR
    if list(mask.paths) == ["*"]:
        return [f.name for f in descriptor.fields if _changeable(f)]
    if not mask.paths:
        return [f.name for f, _ in patch.ListFields() if _allowed(f, current, patch, field)]
    paths = []
    for path in mask.paths:
        top = _top_field(descriptor, path)
        if _allowed(top, current, patch, field):
            paths.append(path)
    return paths


def _top_field(descriptor: Any, path: str) -> Any:
    node = descriptor
    top = None
    for part in path.split("."):
        child = node.fields_by_name.get(part) if node is not None else None
        if child is None:
            allowed = ", ".join(f.name for f in descriptor.fields if _changeable(f))
            raise InvalidArgument.of(
                "update_mask", f"there is no field {path!r}; fields that can change: {allowed}"
            )
        top = top or child
        node = child.message_type
    return top


def _changeable(field: Any) -> bool:
    fixed = (
        field_behavior_pb2.OUTPUT_ONLY,
        field_behavior_pb2.IMMUTABLE,
        field_behavior_pb2.IDENTIFIER,
    )
    return field.name != "etag" and not any(_is(field, behavior) for behavior in fixed)


def _allowed(field: Any, current: Message, patch: Message, name: str) -> bool:
    if _is(field, field_behavior_pb2.IMMUTABLE):
        before, after = getattr(current, field.name), getattr(patch, field.name)
        if before != after:
            raise InvalidArgument.of(f"{name}.{field.name}", "cannot be changed by an update")
    return _changeable(field)
