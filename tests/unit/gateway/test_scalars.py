"""Scalars from text and from JSON."""

from typing import Any

import pytest
from google.protobuf import duration_pb2, field_mask_pb2, timestamp_pb2, wrappers_pb2

from gateway.scalars import Mismatch, json_reader, mask_paths, shown, text_reader
from tests.support.studio import message


def field(name: str) -> Any:
    return message("Everything").DESCRIPTOR.fields_by_name[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("string_value", "", ""),
        ("string_value", "a b", "a b"),
        ("bool_value", "true", True),
        ("bool_value", "false", False),
        ("int32_value", "-7", -7),
        ("int32_value", "1e3", 1000),
        ("int32_value", "5.0", 5),
        ("int64_value", "-9223372036854775808", -(2**63)),
        ("uint64_value", "18446744073709551615", 2**64 - 1),
        ("double_value", "1.5e-3", 0.0015),
        ("double_value", "-Infinity", float("-inf")),
        ("float_value", "0.5", 0.5),
        ("bytes_value", "aGk", b"hi"),
        ("bytes_value", "aGk=", b"hi"),
        ("bytes_value", "_-8", b"\xff\xef"),
        ("mood_value", "MOOD_WILD", 2),
        ("mood_value", "2", 2),
        ("mood_value", "-1", -1),
        ("timestamp", "1970-01-01T00:00:01Z", timestamp_pb2.Timestamp(seconds=1)),
        ("timestamp", "1970-01-01T01:00:00+01:00", timestamp_pb2.Timestamp()),
        ("duration", "-1.5s", duration_pb2.Duration(seconds=-1, nanos=-500_000_000)),
        ("mask", "title,rights.expireTime", ["title", "rights.expire_time"]),
        ("mask", "rights.expire_time", ["rights.expire_time"]),
        ("mask", "", []),
        ("bool_box", "true", wrappers_pb2.BoolValue(value=True)),
        ("string_box", "x", wrappers_pb2.StringValue(value="x")),
        ("int64_box", "3", wrappers_pb2.Int64Value(value=3)),
    ],
)
def test_text(name: str, text: str, value: Any) -> None:
    if isinstance(value, list):
        value = field_mask_pb2.FieldMask(paths=value)
    assert text_reader(field(name))(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bool_value", "True"),
        ("bool_value", "1"),
        ("int32_value", ""),
        ("int32_value", "1_0"),
        ("int32_value", "2147483648"),
        ("int32_value", "٣"),
        ("int32_value", " 1"),
        ("int32_value", "0x10"),
        ("int32_value", "1.5"),
        ("int32_value", "9" * 5000),
        ("uint32_value", "-1"),
        ("double_value", "inf"),
        ("double_value", "nan"),
        ("double_value", "1e999"),
        ("double_value", "1_0"),
        ("float_value", "1e39"),
        ("bytes_value", "a"),
        ("bytes_value", "a b c"),
        ("bytes_value", "é"),
        ("mood_value", "WILD"),
        ("mood_value", "99999999999"),
        ("mood_value", ""),
        ("timestamp", "2026-08-01"),
        ("timestamp", "2026-13-01T00:00:00Z"),
        ("timestamp", "99999-01-01T00:00:00Z"),
        ("timestamp", ""),
        ("duration", "1"),
        ("duration", "1h"),
        ("duration", "9" * 30 + "s"),
        ("bool_box", "yes"),
    ],
)
def test_text_that_does_not_fit_is_refused(name: str, text: str) -> None:
    with pytest.raises(Mismatch, match="expected"):
        text_reader(field(name))(text)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("int64_value", "12", 12),
        ("int64_value", 12.0, 12),
        ("double_value", 3, 3.0),
        ("double_value", "NaN", None),
        ("mood_value", 1, 1),
        ("bool_value", True, True),
    ],
)
def test_json(name: str, value: Any, read: Any) -> None:
    result = json_reader(field(name))(value)
    assert result == read if read is not None else result != result


def test_bools_are_no_numbers_and_numbers_no_bools() -> None:
    for name, value in (("int32_value", True), ("double_value", False), ("bool_value", 1)):
        with pytest.raises(Mismatch):
            json_reader(field(name))(value)


def test_values_are_shown_short() -> None:
    assert shown("x" * 999) == "'" + "x" * 58 + "…"
    assert [shown(each) for each in (None, True, {}, [], 1.5)] == [
        "null",
        "true",
        "an object",
        "a list",
        "1.5",
    ]


def test_a_mask_must_be_text() -> None:
    with pytest.raises(Mismatch, match="expected field names joined by commas, got a list"):
        mask_paths(["a"])


def test_the_path_of_a_mismatch_grows_outwards() -> None:
    error = Mismatch("bad").within("expireTime").within(3).within("rights").within("shelf")
    assert error.path == "shelf.rights[3].expireTime"
