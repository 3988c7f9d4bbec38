"""Which fields of a request travel as query parameters, and reading them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import descriptors
from gateway.routes import WHOLE, Binding
from gateway.scalars import Mismatch, Reader, text_reader


@dataclass(frozen=True, slots=True)
class QueryField:
    """A field reachable by a parameter: the fields that lead to it, itself last."""

    path: tuple[FieldDescriptor, ...]

    @property
    def field(self) -> FieldDescriptor:
        """The field itself."""
        return self.path[-1]

    @property
    def name(self) -> str:
        """The parameter's name, dotted JSON names: ``range.startTime``."""
        return ".".join(field.json_name for field in self.path)

    @property
    def proto_name(self) -> str:
        """The same in proto names: ``range.start_time``."""
        return ".".join(field.name for field in self.path)


def query_fields(binding: Binding) -> tuple[QueryField, ...]:
    """The fields of the binding's request that its path and body leave to the query."""
    if binding.body == WHOLE:
        return ()
    taken = {variable.field_path for variable in binding.template.variables}
    if isinstance(binding.body, FieldDescriptor):
        taken.add(binding.body.name)
    return tuple(leaves(descriptors.type_of(binding.rpc.input), taken))


def leaves(descriptor: Descriptor, taken: Collection[str]) -> Iterator[QueryField]:
    """The fields that a parameter can fill, without those whose dotted proto name is ``taken``.

    A message inside itself, a map and a list of messages have no form in a query.
    """
    yield from _walk(descriptor, (), taken, ())


def _walk(
    descriptor: Descriptor,
    path: tuple[FieldDescriptor, ...],
    taken: Collection[str],
    above: tuple[Descriptor, ...],
) -> Iterator[QueryField]:
    for field in descriptor.fields:
        here = QueryField((*path, field))
        if here.proto_name in taken:
            continue
        if not descriptors.is_message(field) or descriptors.is_text_like(
            descriptors.message_type(field)
        ):
            yield here
        elif _can_be_dotted(field) and descriptors.message_type(field) not in (*above, descriptor):
            yield from _walk(
                descriptors.message_type(field), here.path, taken, (*above, descriptor)
            )


def _can_be_dotted(field: FieldDescriptor) -> bool:
    return not field.is_repeated and descriptors.is_plain(descriptors.message_type(field))


class QueryReader:
    """Fills messages of one type from parameters, which come as pairs of name and text."""

    def __init__(self, fields: Sequence[QueryField]) -> None:
        self._setters: dict[str, _Setter] = {}
        for field in fields:
            self._setters[field.name] = self._setters[field.proto_name] = _Setter(field)
        self._known = ", ".join(field.name for field in fields) or "none"

    def fill(self, message: Any, pairs: Sequence[tuple[str, str]]) -> None:
        """Sets each parameter's field.

        Raises:
            Mismatch: a parameter is not known, does not fit its field, or comes twice.
        """
        given: dict[_Setter, list[str]] = {}
        names: dict[_Setter, str] = {}
        for name, text in pairs:
            setter = self._setters.get(name)
            if setter is None:
                raise self._unknown(name)
            given.setdefault(setter, []).append(text)
            names[setter] = name
        chosen: dict[tuple[str, ...], str] = {}
        for setter, texts in given.items():
            try:
                setter.set(message, texts, chosen)
            except Mismatch as error:
                raise error.within(names[setter]) from None

    def _unknown(self, name: str) -> Mismatch:
        return Mismatch(f"is not a parameter here; the parameters are {self._known}").within(name)


class _Setter:
    """Sets one field from the texts of its parameter."""

    def __init__(self, query_field: QueryField) -> None:
        field = query_field.field
        self._parents = tuple(parent.name for parent in query_field.path[:-1])
        self._name = field.name
        self._read: Reader = text_reader(field)
        self._put = _putter(field)
        self._oneofs = tuple(_oneofs(query_field.path))

    def set(self, message: Any, texts: list[str], chosen: dict[tuple[str, ...], str]) -> None:
        """``chosen`` tells which member of each oneof has been set so far."""
        for oneof, member in self._oneofs:
            if chosen.setdefault(oneof, member) != member:
                raise Mismatch(f"cannot be given together with {chosen[oneof]}")
        for parent in self._parents:
            message = getattr(message, parent)
        self._put(message, self._name, self._read, texts)


def _oneofs(path: tuple[FieldDescriptor, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for index, field in enumerate(path):
        oneof = descriptors.oneof_of(field)
        if oneof is not None:
            yield (*(parent.name for parent in path[:index]), oneof), field.json_name


def _putter(field: FieldDescriptor) -> Callable[[Any, str, Reader, list[str]], None]:
    if field.is_repeated:
        return _put_all
    if not descriptors.is_message(field):
        return _put_scalar
    if descriptors.message_type(field).full_name == descriptors.FIELD_MASK:
        return _put_mask
    return _put_message


def _put_all(message: Any, name: str, read: Reader, texts: list[str]) -> None:
    getattr(message, name).extend([read(text) for text in texts])


def _put_scalar(message: Any, name: str, read: Reader, texts: list[str]) -> None:
    setattr(message, name, read(_only(texts)))


def _put_message(message: Any, name: str, read: Reader, texts: list[str]) -> None:
    getattr(message, name).CopyFrom(read(_only(texts)))


def _put_mask(message: Any, name: str, read: Reader, texts: list[str]) -> None:
    mask = getattr(message, name)
    mask.SetInParent()
    for text in texts:
        mask.MergeFrom(read(text))


def _only(texts: list[str]) -> str:
    if len(texts) > 1:
        raise Mismatch("is given more than once")
    return texts[0]
