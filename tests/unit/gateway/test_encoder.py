"""The compiled encoder against Google's: the same JSON for every type there is."""

import math
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from google.api import annotations_pb2
from google.protobuf import (
    api_pb2,
    descriptor_pb2,
    json_format,
    source_context_pb2,
    struct_pb2,
    timestamp_pb2,
    type_pb2,
)
from google.protobuf.descriptor import Descriptor
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import descriptors
from gateway.encoder import JsonEncoder
from tests.support.effort import calls_of
from tests.support.messages import messages
from tests.support.studio import message, scratch_service

ENCODER = JsonEncoder()


def reference(value: Any) -> Any:
    return json_format.MessageToDict(value, always_print_fields_with_no_presence=True)


def same(mine: Any, google: Any) -> bool:
    """Equal, and equal in kind: True is not 1, and 1 is not 1.0."""
    return repr(_sorted(mine)) == repr(_sorted(google))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@given(messages(message("Everything")))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_everything_is_encoded_as_google_does(everything: Any) -> None:
    assert same(ENCODER.encode(everything), reference(everything))


def _known_types() -> Iterator[Descriptor]:
    modules = (
        annotations_pb2,
        api_pb2,
        descriptor_pb2,
        error_details_pb2,
        source_context_pb2,
        status_pb2,
        struct_pb2,
        type_pb2,
    )
    for module in modules:
        yield from module.DESCRIPTOR.message_types_by_name.values()


@pytest.mark.parametrize("descriptor", list(_known_types()), ids=lambda each: each.full_name)
def test_types_of_google_are_encoded_as_google_does(descriptor: Descriptor) -> None:
    @given(messages(descriptors.message_class(descriptor)))
    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    def check(value: Any) -> None:
        assert same(ENCODER.encode(value), reference(value))

    check()


@given(st.floats(width=32))
def test_floats_are_the_shortest_that_are_the_same_number(number: float) -> None:
    everything = message("Everything")(float_value=number)
    assert same(ENCODER.encode(everything), reference(everything))


@pytest.mark.parametrize(
    ("number", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_numbers_that_are_not_finite_are_words(number: float, text: str) -> None:
    everything = message("Everything")(double_value=number, float_value=number, doubles=[number])
    encoded = orjson.loads(ENCODER.dumps(everything))
    assert encoded["doubleValue"] == encoded["floatValue"] == encoded["doubles"][0] == text


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 10**9)]
)
def test_times_without_a_json_form_are_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ENCODER.encode(timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos))


def test_fields_keep_the_order_of_their_declaration() -> None:
    shelf = message("Shelf")(name="shelves/1", size=3)
    assert list(ENCODER.encode(shelf)) == [
        "name",
        "title",
        "mood",
        "size",
        "weightGrams",
        "tags",
        "counts",
        "etag",
        "neighbours",
    ]


def test_the_first_of_several_names_of_a_number_is_written() -> None:
    service = scratch_service(
        """
        syntax = "proto3"; package aliased;
        enum E { option allow_alias = true; E_UNSPECIFIED = 0; E_NEW = 1; E_OLD = 1; }
        message M { E e = 1; }
        service S { rpc Do(M) returns (M); }
        """
    )
    aliased = descriptors.message_class(service.methods[0].input_type)(e=1)
    assert ENCODER.encode(aliased) == reference(aliased) == {"e": "E_NEW"}


def test_one_field_of_a_message() -> None:
    kind = message("Shelf")
    fields = descriptors.type_of(kind).fields_by_name
    shelf = kind(tags=["a"], rights={"held": True})
    assert ENCODER.encode_field(shelf, fields["tags"]) == ["a"]
    assert ENCODER.encode_field(shelf, fields["rights"]) == {"notice": "", "held": True}
    assert ENCODER.encode_field(shelf, fields["below"]) is None


def test_a_list_page_takes_less_than_half_of_the_work_that_it_takes_google() -> None:
    shelf = message("Shelf")(
        name="shelves/1", title="A", mood=1, size=3, weight_grams=10**12, tags=["a", "b"]
    )
    shelf.create_time.FromSeconds(1_760_000_000)
    page = message("ListShelvesResponse")(shelves=[shelf] * 100)
    ENCODER.dumps(page)
    theirs = calls_of(lambda: orjson.dumps(reference(page)))
    assert 0 < calls_of(lambda: ENCODER.dumps(page)) < theirs / 2
