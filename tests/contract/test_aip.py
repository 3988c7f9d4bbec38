"""The contracts keep Google's API Improvement Proposals, as far as descriptors can tell.

Each test lists what breaks a rule, so that a failure names all of it at once.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import colonnade
from google.api import annotations_pb2, field_behavior_pb2, resource_pb2
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import Default as default_pool

from gateway.comments import read_comments
from libs.rpc.contracts import SERVICES
from libs.rpc.masks import behaviors
from libs.rpc.policy import policy_of

DESCRIPTORS = Path(colonnade.__path__[0]) / "descriptors.binpb"
VALUE_TYPES = "colonnade.type."
# What answers a document of a standard of its own.
RAW_BODY = "google.api.HttpBody"
READS = ("Get", "List", "Watch", "Read", "Find", "Search", "Embed")
STANDARD_VERBS = {
    "Get": "get",
    "List": "get",
    "Create": "post",
    "Update": "patch",
    "Delete": "delete",
}

# Methods without a rule of their own, and why.
WITHOUT_RULE = {
    "StreamEmbeddings": "both sides stream, which REST cannot",
    "ReadCandidateMedia": "the gateway serves it with ranges and caching, which fit into no rule",
    "ReadPhotoMedia": "the gateway serves it with ranges and caching, which fit into no rule",
    "ReadSignedPhotoMedia": "the gateway serves it at a public address with a token",
    "ReadPublicationMedia": "the gateway serves it at a public address with a token",
}
# Methods that are no reads by their verb, but have no effect that could be doubled.
WITHOUT_REQUEST_ID = {
    "AnalyzeCluster": "computes and stores nothing",
    "AnalyzeImages": "computes and stores nothing",
    "AssignQuarantinedPhotos": "an assignment that stands is what was asked for",
    "CompletePhotoImport": "an import that is complete stays as it is",
    "EmbedImages": "computes and stores nothing",
    "EmbedTexts": "computes and stores nothing",
    "ImportPosts": "a post of one external id is stored once",
    "LoadModel": "a model that is loaded stays so",
    "PreviewPlan": "computes and stores nothing",
    "PreviewGaps": "computes and stores nothing",
    "RecordPhotoImportItems": "a file is noted once, by its path",
    "SignPhotoUrls": "computes and stores nothing",
    "SearchItems": "a read whose query does not fit into a path",
    "SearchSimilar": "a read whose query does not fit into a path",
    "SuggestCaptions": "computes and stores nothing",
    "SuggestHashtags": "computes and stores nothing",
    "SyncPosts": "a second look finds what the first one found",
    "UnloadModel": "a model that is unloaded stays so",
    "UploadCandidate": "the same bytes are stored once",
    "UploadPhoto": "the same bytes are stored once",
}
# States that people set, as they set any other field.
SET_BY_PEOPLE = {"colonnade.catalog.v1.Pillar.state", "colonnade.clustering.v1.Cluster.state"}


def methods() -> list[MethodDescriptor]:
    return [
        method
        for services in SERVICES.values()
        for service in services
        for method in service.methods
    ]


def named(*words: str) -> list[MethodDescriptor]:
    """The methods that begin with one of the words; at least one."""
    found = [method for method in methods() if method.name.startswith(words)]
    assert found
    return found


def verb_of(method: MethodDescriptor) -> str | None:
    verb: str | None = method.GetOptions().Extensions[annotations_pb2.http].WhichOneof("pattern")
    return verb


def paths_of(method: MethodDescriptor) -> list[str]:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    rules = [rule, *rule.additional_bindings]
    return [getattr(r, r.WhichOneof("pattern")) for r in rules if r.WhichOneof("pattern")]


def plain(path: str) -> str:
    """``/v1/personas/*:archive`` from ``/v1/{name=personas/*}:archive``."""
    return re.sub(r"\{[^=}]+=([^}]*)\}", r"\1", path)


def reached(start: Iterable[Descriptor], *, input_only: bool = False) -> dict[str, Descriptor]:
    """Our messages that ``start`` is made of, by full name; without what only the server sets."""
    found: dict[str, Descriptor] = {}
    waiting = list(start)
    while waiting:
        message = waiting.pop()
        if message.full_name in found or not message.full_name.startswith("colonnade."):
            continue
        found[message.full_name] = message
        waiting += [
            field.message_type
            for field in message.fields
            if field.message_type is not None and not (input_only and is_output_only(field))
        ]
    return found


def sent() -> list[Descriptor]:
    """What a caller may send."""
    found = reached((m.input_type for m in methods()), input_only=True).values()
    return [message for message in found if not message.GetOptions().map_entry]


def everything() -> list[Descriptor]:
    both = (message for m in methods() for message in (m.input_type, m.output_type))
    return [m for m in reached(both).values() if not m.GetOptions().map_entry]


def enums() -> list[EnumDescriptor]:
    names = []
    for file in FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
        if file.package.startswith("colonnade."):
            names += [f"{file.package}.{enum.name}" for enum in file.enum_type]
            for message in file.message_type:
                inner = f"{file.package}.{message.name}"
                names += [f"{inner}.{enum.name}" for enum in message.enum_type]
    return [default_pool().FindEnumTypeByName(name) for name in names]


def resources() -> Iterator[tuple[Descriptor, resource_pb2.ResourceDescriptor]]:
    for message in everything():
        if message.GetOptions().HasExtension(resource_pb2.resource):
            yield message, message.GetOptions().Extensions[resource_pb2.resource]


@cache
def comments() -> dict[str, str]:
    """The comment of each message and field, by full name."""
    return read_comments(DESCRIPTORS)


def is_output_only(field: FieldDescriptor) -> bool:
    return field_behavior_pb2.OUTPUT_ONLY in behaviors(field)


def is_in_oneof(field: FieldDescriptor) -> bool:
    """Whether the field is one of several; `optional` fields count as such on the wire only."""
    oneof = field.containing_oneof
    return oneof is not None and not oneof.name.startswith("_")


def is_time(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.full_name == "google.protobuf.Timestamp"


def names(found: Iterable[MethodDescriptor | Descriptor | FieldDescriptor]) -> list[str]:
    return [each.full_name for each in found]


def test_every_method_has_a_rule_or_a_reason_for_none() -> None:
    assert {method.name for method in methods() if not paths_of(method)} == set(WITHOUT_RULE)


def test_paths_are_versioned_and_made_of_plural_collections() -> None:
    shape = re.compile(r"/v1(/[a-z][A-Za-z]*s(/\*)?)+(:[a-z][A-Za-z]*)?")
    assert [p for m in methods() for p in paths_of(m) if not shape.fullmatch(plain(p))] == []


def test_verbs_are_those_of_the_standard_methods() -> None:
    wrong = [
        method
        for word, verb in STANDARD_VERBS.items()
        for method in named(word)
        if verb_of(method) != verb
    ]
    assert names(wrong) == []


def test_every_method_states_the_scope_that_it_needs() -> None:
    def fits(method: MethodDescriptor) -> bool:
        service = method.containing_service.file.package.split(".")[1]
        return policy_of(method).scope in {f"{service}.read", f"{service}.write", "public"}

    assert names(method for method in methods() if not fits(method)) == []


def test_reads_may_be_repeated_and_need_no_right_to_write() -> None:
    policies = {method.full_name: policy_of(method) for method in named(*READS)}
    assert [n for n, p in policies.items() if not p.idempotent or p.scope.endswith(".write")] == []


def test_lists_are_paged() -> None:
    for method in named("List"):
        request, response = method.input_type.fields_by_name, method.output_type.fields_by_name
        assert request["page_size"].type == FieldDescriptor.TYPE_INT32
        assert request["page_token"].type == FieldDescriptor.TYPE_STRING
        assert response["next_page_token"].type == FieldDescriptor.TYPE_STRING
        assert not method.server_streaming
        items = method.output_type.fields[0]
        assert items.is_repeated, f"the items of {method.name} come first"
        assert items.message_type is not None


def test_lists_state_their_largest_page() -> None:
    sizes = [method.input_type.fields_by_name["page_size"] for method in named("List")]
    assert names(size for size in sizes if "200 at most" not in comments()[size.full_name]) == []


def test_updates_take_a_mask_and_answer_a_resource_with_an_etag() -> None:
    for method in named("Update"):
        mask = method.input_type.fields_by_name["update_mask"].message_type
        assert mask is not None
        assert mask.full_name == "google.protobuf.FieldMask"
        assert method.output_type in [message for message, _ in resources()]
        assert "etag" in method.output_type.fields_by_name


def test_what_has_an_effect_takes_a_request_id_and_nothing_else_does() -> None:
    for method in methods():
        effect = verb_of(method) not in (None, "get") and method.name not in WITHOUT_REQUEST_ID
        has_one = "request_id" in method.input_type.fields_by_name
        assert has_one == effect, method.full_name


def test_requests_are_called_after_their_method_and_so_are_answers_of_custom_methods() -> None:
    for method in methods():
        assert method.input_type.name == f"{method.name}Request"
        if method.output_type.full_name == RAW_BODY:
            continue
        if any(":" in path.rpartition("}")[2] for path in paths_of(method)):
            assert method.output_type.name == f"{method.name}Response"


def test_names_and_parents_in_requests_are_required() -> None:
    keys = [
        field
        for method in methods()
        for field in method.input_type.fields
        if field.name in ("name", "parent")
    ]
    assert keys
    required = field_behavior_pb2.REQUIRED
    assert names(field for field in keys if required not in behaviors(field)) == []


def test_no_field_that_can_be_sent_is_without_behaviour() -> None:
    fields = [
        field
        for message in sent()
        if not message.full_name.startswith(VALUE_TYPES)
        for field in message.fields
    ]
    assert len(fields) > 100
    assert names(f for f in fields if not behaviors(f) and not is_in_oneof(f)) == []


def test_resources_begin_with_their_name() -> None:
    for message, resource in resources():
        first = message.fields[0]
        assert (first.name, first.number) == ("name", 1)
        assert field_behavior_pb2.IDENTIFIER in behaviors(first)
        assert resource.type == f"colonnade.dev/{message.name}"
        assert resource.singular == message.name[0].lower() + message.name[1:]
        assert resource.pattern


def test_states_and_times_of_the_server_cannot_be_set() -> None:
    fields = [
        field
        for message, _ in resources()
        for field in message.fields
        if field.name in ("state", "create_time", "update_time")
    ]
    assert {f.full_name for f in fields if not is_output_only(f)} == SET_BY_PEOPLE


def test_times_are_timestamps_and_are_called_so() -> None:
    fields = [field for message in everything() for field in message.fields]
    assert names(f for f in fields if is_time(f) != f.name.endswith("_time")) == []


def test_the_zero_of_an_enum_is_unspecified_and_its_values_carry_its_name() -> None:
    for enum in enums():
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
        assert enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED"
        assert [v.name for v in enum.values if not v.name.startswith(f"{prefix}_")] == []


def test_everything_has_a_comment() -> None:
    messages = everything()
    fields = [field for message in messages for field in message.fields]
    told = names(messages) + names(fields)
    assert [name for name in told if not comments().get(name, "")] == []


def test_exemptions_are_of_methods_that_exist() -> None:
    known = {method.name for method in methods()}
    assert known.issuperset({*WITHOUT_RULE, *WITHOUT_REQUEST_ID})


def test_all_of_the_contracts_was_looked_at() -> None:
    assert len(methods()) > 30
    assert len(everything()) > 60
    assert len(enums()) > 10
    assert len(list(resources())) > 8
