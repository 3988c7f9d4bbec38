"""The contracts keep Google's API Improvement Proposals, as far as descriptors can tell."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import colonnade
import pytest
from google.api import annotations_pb2, field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.comments import read_comments
from libs.rpc.masks import behaviors
from libs.rpc.policy import policy_of
from services.parts import SERVICES

OURS = "colonnade."
DESCRIPTORS = Path(colonnade.__path__[0]) / "descriptors.binpb"

# Methods without a rule of their own, and why.
WITHOUT_RULE = {
    "ReadPhotoMedia": "served by the gateway with ranges and caching, which fit into no rule",
    "ReadPublicationMedia": "served by the gateway at a public address with a token",
}
# Methods that are not reads by their HTTP verb, but change nothing that a caller could double.
WITHOUT_REQUEST_ID = {
    "EmbedImages": "computes and stores nothing",
    "SearchSimilar": "a read whose query does not fit into a path",
    "UploadPhoto": "the same bytes are stored once",
}
STANDARD_VERBS = {
    "Get": "get",
    "List": "get",
    "Create": "post",
    "Update": "patch",
    "Delete": "delete",
}
READS = ("Get", "List", "Watch", "Read", "Find")


def methods() -> Iterator[MethodDescriptor]:
    for service in SERVICES.values():
        yield from service.methods


@cache
def comments() -> dict[str, str]:
    """The comment of each message, field and method, by full name."""
    return read_comments(DESCRIPTORS)


def paths_of(method: MethodDescriptor) -> list[str]:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    rules = [rule, *rule.additional_bindings]
    return [getattr(r, r.WhichOneof("pattern")) for r in rules if r.WhichOneof("pattern")]


def verb_of(method: MethodDescriptor) -> str | None:
    verb: str | None = method.GetOptions().Extensions[annotations_pb2.http].WhichOneof("pattern")
    return verb


def messages_of(service: ServiceDescriptor) -> Iterator[Descriptor]:
    """Every message that requests and answers of the service are made of."""
    seen: set[str] = set()
    waiting = [m for method in service.methods for m in (method.input_type, method.output_type)]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen or not message.full_name.startswith(OURS):
            continue
        seen.add(message.full_name)
        yield message
        waiting += [f.message_type for f in message.fields if f.message_type is not None]


def all_messages() -> list[Descriptor]:
    found = {m.full_name: m for service in SERVICES.values() for m in messages_of(service)}
    return [found[name] for name in sorted(found)]


def all_enums() -> list[EnumDescriptor]:
    names = set()
    for file in FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
        if file.package.startswith(OURS):
            names |= {f"{file.package}.{enum.name}" for enum in file.enum_type}
            names |= {
                f"{file.package}.{message.name}.{enum.name}"
                for message in file.message_type
                for enum in message.enum_type
            }
    pool = descriptor_pool.Default()
    return [pool.FindEnumTypeByName(name) for name in sorted(names)]


def sent_messages() -> set[str]:
    """The messages that a caller may send: requests, and what they are made of."""
    names: set[str] = set()
    waiting = [method.input_type for method in methods()]
    while waiting:
        message = waiting.pop()
        if message.full_name not in names and message.full_name.startswith(OURS):
            names.add(message.full_name)
            waiting += [f.message_type for f in message.fields if f.message_type is not None]
    return names


def is_in_oneof(field: FieldDescriptor) -> bool:
    """Whether the field is one of several; `optional` fields count as such on the wire only."""
    oneof = field.containing_oneof
    return oneof is not None and not oneof.name.startswith("_")


def resource_of(message: Descriptor) -> resource_pb2.ResourceDescriptor | None:
    options = message.GetOptions()
    if not options.HasExtension(resource_pb2.resource):
        return None
    resource: resource_pb2.ResourceDescriptor = options.Extensions[resource_pb2.resource]
    return resource


each_method = pytest.mark.parametrize("method", list(methods()), ids=lambda method: method.name)
each_message = pytest.mark.parametrize("message", all_messages(), ids=lambda message: message.name)


@each_method
def test_every_method_has_a_rule_or_a_reason_for_none(method: MethodDescriptor) -> None:
    assert bool(paths_of(method)) != (method.name in WITHOUT_RULE)


@each_method
def test_paths_are_versioned_and_made_of_plural_collections(method: MethodDescriptor) -> None:
    for path in paths_of(method):
        assert path.startswith("/v1/")
        plain = re.sub(r"\{[^=}]+=([^}]*)\}", r"\1", path).removeprefix("/v1/")
        resource, _, verb = plain.partition(":")
        collections = [part for part in resource.split("/") if part != "*"]
        assert all(re.fullmatch(r"[a-z][A-Za-z]*s", name) for name in collections), path
        assert not verb or re.fullmatch(r"[a-z][A-Za-z]*", verb)


@each_method
def test_verbs_are_those_of_the_standard_methods(method: MethodDescriptor) -> None:
    for word, verb in STANDARD_VERBS.items():
        if method.name.startswith(word):
            assert verb_of(method) == verb


@each_method
def test_every_method_states_its_scope(method: MethodDescriptor) -> None:
    policy = policy_of(method)
    service = method.containing_service.file.package.split(".")[1]
    assert policy.scope in {f"{service}.read", f"{service}.write", "public"}
    assert policy.timeout > 0
    if method.name.startswith(READS):
        assert policy.scope != f"{service}.write"
        assert policy.idempotent, "a read may be repeated"


@each_method
def test_lists_are_paged(method: MethodDescriptor) -> None:
    if not method.name.startswith("List"):
        return
    request, response = method.input_type.fields_by_name, method.output_type.fields_by_name
    assert request["page_size"].type == FieldDescriptor.TYPE_INT32
    assert request["page_token"].type == FieldDescriptor.TYPE_STRING
    assert response["next_page_token"].type == FieldDescriptor.TYPE_STRING
    assert not method.server_streaming
    items = method.output_type.fields[0]
    assert items.is_repeated
    assert items.message_type is not None, "the items come first, as resources"
    comment = comments()[request["page_size"].full_name]
    assert "200 at most" in comment, "the greatest page is stated"


@each_method
def test_updates_take_a_mask_and_answer_the_resource(method: MethodDescriptor) -> None:
    if not method.name.startswith("Update"):
        return
    mask = method.input_type.fields_by_name["update_mask"]
    assert mask.message_type.full_name == "google.protobuf.FieldMask"
    assert resource_of(method.output_type) is not None
    assert "etag" in method.output_type.fields_by_name


@each_method
def test_what_has_an_effect_takes_a_request_id(method: MethodDescriptor) -> None:
    has_effect = verb_of(method) not in (None, "get") and method.name not in WITHOUT_REQUEST_ID
    assert ("request_id" in method.input_type.fields_by_name) == has_effect


@each_method
def test_custom_methods_have_an_answer_of_their_own(method: MethodDescriptor) -> None:
    custom = [path for path in paths_of(method) if ":" in path.rsplit("}", 1)[-1]]
    if custom:
        assert method.output_type.name == f"{method.name}Response"
    assert method.input_type.name == f"{method.name}Request"


@each_method
def test_names_in_requests_are_checked_and_say_of_what(method: MethodDescriptor) -> None:
    for field in method.input_type.fields:
        if field.name in ("name", "parent"):
            assert field_behavior_pb2.REQUIRED in behaviors(field)
            assert "`" in comments()[field.full_name] or "name of" in comments()[field.full_name]


@each_message
def test_no_field_that_can_be_sent_is_without_behaviour(message: Descriptor) -> None:
    if message.full_name not in sent_messages():
        return
    for field in message.fields:
        assert behaviors(field) or is_in_oneof(field), f"{field.full_name}: REQUIRED or OPTIONAL?"


@each_message
def test_resources_begin_with_their_name(message: Descriptor) -> None:
    resource = resource_of(message)
    if resource is None:
        return
    first = message.fields[0]
    assert (first.name, first.number) == ("name", 1)
    assert field_behavior_pb2.IDENTIFIER in behaviors(first)
    assert resource.type == f"colonnade.dev/{message.name}"
    assert resource.singular == message.name[0].lower() + message.name[1:]
    for pattern in resource.pattern:
        assert re.fullmatch(r"([a-zA-Z]+/\{[a-z_]+\}/?)+|.*/[a-zA-Z]+", pattern), pattern


@each_message
def test_states_and_times_of_the_server_cannot_be_set(message: Descriptor) -> None:
    if resource_of(message) is None:
        return
    for field in message.fields:
        if field.name in ("state", "create_time", "update_time"):
            assert behaviors(field) == [field_behavior_pb2.OUTPUT_ONLY], field.full_name


@each_message
def test_times_are_timestamps_and_are_called_so(message: Descriptor) -> None:
    for field in message.fields:
        kind = field.message_type.full_name if field.message_type else ""
        is_time = kind == "google.protobuf.Timestamp"
        assert is_time == field.name.endswith("_time"), field.full_name


@pytest.mark.parametrize("enum", all_enums(), ids=lambda enum: enum.name)
def test_the_zero_of_an_enum_is_unspecified(enum: EnumDescriptor) -> None:
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
    assert enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED"
    assert all(value.name.startswith(f"{prefix}_") for value in enum.values)


@each_message
def test_everything_has_a_comment(message: Descriptor) -> None:
    assert comments()[message.full_name].strip()
    for field in message.fields:
        assert comments()[field.full_name].strip(), field.full_name


def test_exemptions_are_of_methods_that_exist() -> None:
    names = {method.name for method in methods()}
    assert names.issuperset(WITHOUT_RULE)
    assert names.issuperset(WITHOUT_REQUEST_ID)


def test_every_service_was_looked_at() -> None:
    assert len(list(methods())) > 30
    assert len(all_messages()) > 60
    assert len(all_enums()) > 10
