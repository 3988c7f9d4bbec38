"""Google's own client half writes the HTTP request; ours must read it back to the same message."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from google.api_core import path_template, rest_helpers
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from gateway import descriptors
from gateway.decoder import JsonDecoder
from gateway.query import query_fields
from gateway.request import RequestParser
from gateway.router import Router
from gateway.routes import WHOLE, Binding, resolve
from gateway.template import ONE, REST, Variable
from tests.support import studio
from tests.support.contracts import all_bindings
from tests.support.messages import messages

DECODER = JsonDecoder()
_DOTS = re.compile(r"\.\.?")


def _cases() -> list[Any]:
    """The bindings of our contracts and of the small one, without uploads and raw bodies."""
    return [
        pytest.param(binding, router, id=binding.route)
        for bindings in (studio.bindings(), all_bindings())
        for router in (Router(bindings),)
        for binding in bindings
        if not binding.rpc.client_streaming and not _is_raw(binding)
    ]


def _is_raw(binding: Binding) -> bool:
    body = binding.body
    return (
        isinstance(body, FieldDescriptor)
        and descriptors.is_message(body)
        and descriptors.message_type(body).full_name == descriptors.HTTP_BODY
    )


@pytest.mark.parametrize(("binding", "router"), _cases())
def test_requests_are_read_as_google_writes_them(binding: Binding, router: Router) -> None:
    @given(_requests(binding))
    @settings(max_examples=10, suppress_health_check=list(HealthCheck))
    def check(request: Any) -> None:
        path, query, body = _transcode(binding, request)
        match = router.match(binding.http_method, path)
        assert match.binding.rpc.name == binding.rpc.name
        parser = RequestParser(match.binding, DECODER)
        assert (
            parser.parse(match.captures, query, Headers({"content-type": "application/json"}), body)
            == request
        )

    check()


@st.composite
def _requests(draw: st.DrawFn, binding: Binding) -> Any:
    """Messages that Google's client can send: variables that match, the rest in query or body."""
    parameters = {each.path for each in query_fields(binding)}
    in_query = {field for path in parameters for field in path}
    body = binding.body.name if isinstance(binding.body, FieldDescriptor) else None

    def skip(field: FieldDescriptor) -> bool:
        top = field.containing_type == descriptors.type_of(binding.rpc.input)
        return top and binding.body != WHOLE and field.name != body and field not in in_query

    request = draw(messages(binding.rpc.input, skip=skip, special=False))
    _drop_what_no_query_carries(request, binding, parameters)
    for variable in binding.template.variables:
        _assign(request, variable, draw(_values(binding, variable)))
    if isinstance(binding.body, FieldDescriptor):
        getattr(request, binding.body.name).SetInParent()
    # Without a mask ours infers one, which is tested elsewhere.
    if binding.http_method == "PATCH" and not request.update_mask.paths:
        request.update_mask.paths.append("title")
    return request


def _drop_what_no_query_carries(
    request: Any, binding: Binding, parameters: set[tuple[FieldDescriptor, ...]]
) -> None:
    """Leaves in the query's part only leaves that differ from their default and can be named."""
    if binding.body == WHOLE:
        return
    kept = type(request)()
    if isinstance(binding.body, FieldDescriptor):
        getattr(kept, binding.body.name).CopyFrom(getattr(request, binding.body.name))
    for path in parameters:
        source, target = request, kept
        for field in path[:-1]:
            if not source.HasField(field.name):
                break
            source, target = getattr(source, field.name), getattr(target, field.name)
        else:
            _copy(source, target, path[-1])
    request.CopyFrom(kept)


def _copy(source: Any, target: Any, field: FieldDescriptor) -> None:
    value = getattr(source, field.name)
    is_set = source.HasField(field.name) if field.has_presence else bool(value)
    if is_set and field.is_repeated:
        getattr(target, field.name).extend(value)
    elif is_set and descriptors.is_message(field):
        getattr(target, field.name).CopyFrom(value)
    elif is_set:
        setattr(target, field.name, value)


def _values(binding: Binding, variable: Variable) -> st.SearchStrategy[Any]:
    field = resolve(descriptors.type_of(binding.rpc.input), variable.field_path)[-1]
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([1, 2])
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        return st.integers(1, 2**31 - 1)
    segment = st.text(min_size=1, max_size=8).filter(
        lambda text: "/" not in text and not _DOTS.fullmatch(text)
    )
    wildcards: dict[str, st.SearchStrategy[str]] = {
        ONE: segment,
        REST: st.lists(segment, min_size=1, max_size=3).map("/".join),
    }
    parts = binding.template.segments[variable.start : variable.stop]
    return st.tuples(*(wildcards.get(part, st.just(part)) for part in parts)).map("/".join)


def _assign(request: Any, variable: Variable, value: Any) -> None:
    *parents, name = variable.field_path.split(".")
    for parent in parents:
        request = getattr(request, parent)
    setattr(request, name, value)


def _transcode(binding: Binding, request: Message) -> tuple[str, bytes, bytes]:
    """Path, query and body as Google's client sends them."""
    option = {"method": binding.http_method.lower(), "uri": binding.template.text}
    if isinstance(binding.body, FieldDescriptor):
        option["body"] = binding.body.name
    elif binding.body is not None:
        option["body"] = binding.body
    sent = path_template.transcode([option], message=request)
    in_query = json.loads(json_format.MessageToJson(sent["query_params"]))
    pairs = rest_helpers.flatten_query_params(in_query, strict=True)
    body = json_format.MessageToJson(sent["body"]).encode() if "body" in sent else b""
    return sent["uri"], urlencode(pairs).encode(), body
