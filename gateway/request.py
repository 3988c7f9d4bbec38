"""HTTP request to message: variables of the path, body, query, field mask, If-Match."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from starlette.datastructures import Headers

from gateway import descriptors
from gateway.decoder import JsonDecoder
from gateway.errors import UnsupportedMediaType
from gateway.query import QueryReader, query_fields
from gateway.routes import Binding, resolve
from gateway.scalars import Mismatch, shown, text_reader
from gateway.template import Variable
from libs.errors import InvalidArgument

_MASK = "update_mask"
_ETAG = "etag"
_MAX_PARAMETERS = 1000


class RequestParser:
    """Builds the request messages of one binding."""

    def __init__(self, binding: Binding, decoder: JsonDecoder) -> None:
        self._create: Callable[[], Message] = binding.rpc.input
        descriptor = descriptors.type_of(binding.rpc.input)
        self._variables = [
            PathField(descriptor, variable) for variable in binding.template.variables
        ]
        self._query = QueryReader(query_fields(binding))
        self._body = _body_reader(binding, decoder)
        self._mask = _mask_inference(binding)
        self._etag = _EtagField(binding)

    def parse(
        self, captures: Sequence[str], query: bytes, headers: Headers, body: bytes
    ) -> Message:
        """The message for the texts of the path's variables, the query, the headers and the body.

        Raises:
            InvalidArgument: something is unknown, malformed or contradicts itself; names the field.
            UnsupportedMediaType: the body is not JSON.
        """
        message = self._create()
        try:
            content = self._body.fill(message, headers, body)
            for field, text in zip(self._variables, captures, strict=True):
                field.set(message, text)
            self._query.fill(message, parse_query(query))
            if self._mask is not None and content:
                self._mask.fill(message, content)
            self._etag.fill(message, headers)
        except Mismatch as error:
            raise as_invalid_argument(error) from None
        return message


def as_invalid_argument(error: Mismatch) -> InvalidArgument:
    """The error for callers; the path of the mismatch is the violated field."""
    return InvalidArgument.of(error.path or "body", error.description)


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """The parameters in order.

    Raises:
        Mismatch: an escape is not UTF-8, or there are more than 1000 parameters.
    """
    if not query:
        return []
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except UnicodeError:
        raise Mismatch("the query holds an escape that is not UTF-8").within("query") from None
    except ValueError:
        raise Mismatch(f"more than {_MAX_PARAMETERS} parameters").within("query") from None


class PathField:
    """A field that a variable of the path fills."""

    def __init__(self, descriptor: Descriptor, variable: Variable) -> None:
        fields = resolve(descriptor, variable.field_path)
        self._parents = tuple(field.name for field in fields[:-1])
        self._name = fields[-1].name
        self._read = text_reader(fields[-1])
        self._default = fields[-1].default_value
        self._variable = variable

    def set(self, message: Any, text: str) -> None:
        """Sets the field; what the body may have said of it must be the same."""
        try:
            value = self._read(self._variable.decode(text))
            for parent in self._parents:
                message = getattr(message, parent)
            before = getattr(message, self._name)
            if before not in (self._default, value):
                raise Mismatch(f"is {shown(before)} in the body but {shown(value)} in the path")
            setattr(message, self._name, value)
        except UnicodeDecodeError:
            raise self._at(Mismatch("holds an escape that is not UTF-8")) from None
        except Mismatch as error:
            raise self._at(error) from None

    def _at(self, error: Mismatch) -> Mismatch:
        return error.within(self._variable.field_path)


class _EtagField:
    """The field that If-Match fills: ``etag`` of the request, else of the resource in its body."""

    def __init__(self, binding: Binding) -> None:
        self._parent: str | None = None
        self._present = _has_etag(descriptors.type_of(binding.rpc.input))
        resource = binding.body
        if not self._present and isinstance(resource, FieldDescriptor):
            self._present = descriptors.is_message(resource) and _has_etag(
                descriptors.message_type(resource)
            )
            self._parent = resource.name
        self._needed = binding.http_method != "GET"

    def fill(self, message: Any, headers: Headers) -> None:
        given = headers.get("if-match")
        if given is None or given == "*" or not (self._present or self._needed):
            return
        if not self._present:
            raise Mismatch("there is no etag to compare with here").within("If-Match")
        target = getattr(message, self._parent) if self._parent else message
        target.etag = _etag_value(given)


def _has_etag(descriptor: Descriptor) -> bool:
    field = descriptor.fields_by_name.get(_ETAG)
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _etag_value(header: str) -> str:
    text = header.strip().removeprefix("W/")
    if len(text) < 2 or not text.startswith('"') or not text.endswith('"') or '"' in text[1:-1]:
        raise Mismatch(f"expected one etag in quotes, got {shown(header)}").within("If-Match")
    return text[1:-1]


def _body_reader(binding: Binding, decoder: JsonDecoder) -> "_NoBody | _JsonBody | _RawBody":
    if binding.body is None:
        return _NoBody()
    if isinstance(binding.body, FieldDescriptor):
        field = binding.body
        if (
            descriptors.is_message(field)
            and descriptors.message_type(field).full_name == descriptors.HTTP_BODY
        ):
            return _RawBody(field.name)
        return _JsonBody(decoder, field)
    return _JsonBody(decoder, None)


class _NoBody:
    def fill(self, message: Message, headers: Headers, body: bytes) -> None:
        # Many clients send an empty object with every POST and DELETE.
        if body.strip() not in (b"", b"{}"):
            raise Mismatch("this method takes no body; send parameters in the query")


class _RawBody:
    """A body that is passed on as it is, in a ``google.api.HttpBody``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def fill(self, message: Any, headers: Headers, body: bytes) -> None:
        raw = getattr(message, self._name)
        raw.content_type = headers.get("content-type", "")
        raw.data = body


class _JsonBody:
    """A JSON body for one field of the request, or for all of it."""

    def __init__(self, decoder: JsonDecoder, field: FieldDescriptor | None) -> None:
        self._decoder = decoder
        self._field = field

    def fill(self, message: Message, headers: Headers, body: bytes) -> Any:
        """Fills the message; answers the parsed JSON, None where there is none."""
        if not body:
            return None
        _check_is_json(headers)
        value = _parse_json(body)
        if self._field is None:
            self._decoder.decode(value, message)
        else:
            self._decoder.decode({self._field.json_name: value}, message)
        return value


def _check_is_json(headers: Headers) -> None:
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise UnsupportedMediaType(f"encoded as {encoding}", "the body as it is")
    # Asked for even though nothing else is understood: pages of other sites may leave it out, but
    # may not say application/json without asking first.
    kind = headers.get("content-type", "")
    plain = kind.partition(";")[0].strip().lower()
    if plain != "application/json" and not plain.endswith("+json"):
        raise UnsupportedMediaType(kind, "application/json")


def _parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Mismatch(f"is not JSON at {where}: {error.msg}") from None


def _mask_inference(binding: Binding) -> "_MaskInference | None":
    mask = descriptors.type_of(binding.rpc.input).fields_by_name.get(_MASK)
    resource = binding.body
    if binding.http_method != "PATCH" or mask is None or not isinstance(resource, FieldDescriptor):
        return None
    if not descriptors.is_message(mask) or not descriptors.is_message(resource):
        return None
    if descriptors.message_type(mask).full_name != descriptors.FIELD_MASK:
        return None
    prefix = f"{resource.name}."
    in_path = (variable.field_path.removeprefix(prefix) for variable in binding.template.variables)
    return _MaskInference(descriptors.message_type(resource), frozenset((*in_path, _ETAG)))


class _MaskInference:
    """Names the fields that a PATCH without ``update_mask`` changes: those that its JSON has.

    So a client can set a field to zero, empty or null. Fields that only identify the resource or
    guard the change (its name in the path, its etag) are not changes.
    """

    def __init__(self, descriptor: Descriptor, ignored: frozenset[str]) -> None:
        self._descriptor = descriptor
        self._ignored = ignored

    def fill(self, message: Any, value: dict[str, Any]) -> None:
        if message.HasField(_MASK):
            return
        paths = [
            path for path in _changed(self._descriptor, value, "") if path not in self._ignored
        ]
        if paths:
            message.update_mask.paths.extend(paths)


def _changed(descriptor: Descriptor, value: dict[str, Any], prefix: str) -> list[str]:
    paths: list[str] = []
    by_json_name = {field.json_name: field for field in descriptor.fields}
    for key, item in value.items():
        field = by_json_name.get(key) or descriptor.fields_by_name[key]
        path = f"{prefix}{field.name}"
        if item and _has_inner_paths(field):
            paths.extend(_changed(descriptors.message_type(field), item, f"{path}."))
        else:
            paths.append(path)
    return paths


def _has_inner_paths(field: FieldDescriptor) -> bool:
    return (
        descriptors.is_message(field)
        and not field.is_repeated
        and descriptors.is_plain(descriptors.message_type(field))
    )
