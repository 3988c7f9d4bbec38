"""The compiled decoder: what it understands, and how it says what it does not."""

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.decoder import JsonDecoder
from gateway.scalars import Mismatch
from tests.support.messages import messages
from tests.support.studio import message

DECODER = JsonDecoder()


def decode(name: str, value: Any) -> Any:
    decoded = message(name)()
    DECODER.decode(value, decoded)
    return decoded


@given(messages(message("Everything")))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_what_google_writes_is_read_back_to_the_same_message(everything: Any) -> None:
    for proto_names in (False, True):
        written = json_format.MessageToDict(everything, preserving_proto_field_name=proto_names)
        assert decode("Everything", written) == everything


_KEYS = st.sampled_from([field.json_name for field in message("Everything").DESCRIPTOR.fields])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.sampled_from(["", "1", "-1", "1.0", "1e3", "true", "NaN", "MOOD_CALM", "aGk=", "1s"])
    | st.text(max_size=5)
)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, _ANYTHING, max_size=4))
@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_read_as_google_reads_it_or_refused(value: Any) -> None:
    try:
        decoded = decode("Everything", value)
    except Mismatch as error:
        assert error.path
        return
    # What is taken here, Google takes too, and understands in the same way.
    assert decoded == json_format.ParseDict(value, message("Everything")())


@pytest.mark.parametrize(
    ("value", "path", "text"),
    [
        ({"titel": "x"}, "titel", "is not a field here; the fields are name, title, mood"),
        ({"rights": {"helt": True}}, "rights.helt", "the fields are notice, expireTime, held"),
        ({"title": 3}, "title", "expected a string, got 3"),
        ({"title": {"a": 1}}, "title", "expected a string, got an object"),
        ({"size": "big"}, "size", "expected a whole number in -2147483648..2147483647, got 'big'"),
        ({"size": 2**31}, "size", "expected a whole number"),
        ({"size": 1.5}, "size", "got 1.5"),
        ({"size": True}, "size", "got true"),
        ({"tags": "a"}, "tags", "expected a list, got 'a'"),
        ({"tags": ["a", None]}, "tags[1]", "expected a string, got null"),
        ({"mood": "CALM"}, "mood", "expected one of MOOD_UNSPECIFIED, MOOD_CALM, MOOD_WILD"),
        ({"rights": [1]}, "rights", "expected an object, got a list"),
        ({"rights": {"held": "true"}}, "rights.held", "expected true or false, got 'true'"),
        ({"rights": {"expireTime": "soon"}}, "rights.expireTime", "a time such as 2026-08-01T"),
        ({"rights": {"expireTime": 5}}, "rights.expireTime", "a time such as"),
        ({"counts": {"a": "x"}}, "counts.a", "expected a whole number"),
        ({"counts": []}, "counts", "expected an object, got a list"),
        ({"neighbours": [{}, {"tags": [1]}]}, "neighbours[1].tags[0]", "expected a string, got 1"),
        ({"neighbours": [None]}, "neighbours[0]", "expected an object, got null"),
        ({"createTime": None, "create_time": None}, "create_time", "together with 'createTime'"),
        ({"notes": 4}, "notes", "not a Struct"),
        ([], "", "expected an object, got a list"),
    ],
)
def test_a_mismatch_leads_to_the_value(value: Any, path: str, text: str) -> None:
    with pytest.raises(Mismatch) as caught:
        decode("Shelf", value)
    assert caught.value.path == path
    assert text in caught.value.description


@pytest.mark.parametrize(
    "value",
    [
        {"choiceText": "a", "choiceDouble": 1},
        {"choice_text": "a", "choiceMessage": {}},
        {"choiceNull": None, "choiceText": ""},
    ],
)
def test_a_oneof_takes_one_form(value: Any) -> None:
    if None in value.values():
        assert decode("Everything", value).WhichOneof("choice") == "choice_text"
        return
    with pytest.raises(Mismatch, match="cannot be given together with"):
        decode("Everything", value)


def test_null_leaves_a_field_unset_except_where_null_is_a_value() -> None:
    decoded = decode("Everything", {"messageValue": None, "value": None, "choiceNull": None})
    assert not decoded.HasField("message_value")
    assert decoded.value.WhichOneof("kind") == "null_value"
    assert decoded.WhichOneof("choice") == "choice_null"


@pytest.mark.parametrize("field", ["again", "struct"])
def test_what_is_nested_too_deeply_is_refused(field: str) -> None:
    value: Any = {}
    for _ in range(400):
        value = {field: value}
    with pytest.raises(Mismatch):
        decode("Everything", value)


def test_everything_that_is_taken_can_be_parsed_at_the_other_end() -> None:
    for depth in range(1, 130):
        value: Any = {}
        for _ in range(depth):
            value = {"again": value}
        struct: Any = {}
        for _ in range(depth):
            struct = {"a": struct}
        for each in (value, {"struct": struct}):
            try:
                decoded = decode("Everything", each)
            except Mismatch:
                continue
            assert message("Everything").FromString(decoded.SerializeToString()) == decoded
