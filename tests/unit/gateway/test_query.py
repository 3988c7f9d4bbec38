"""Query parameters: names, nesting, lists, oneofs."""

from typing import Any

import pytest

from gateway.query import QueryReader, leaves, query_fields
from gateway.scalars import Mismatch
from tests.support.studio import binding, message


def fill(*pairs: tuple[str, str]) -> Any:
    search = message("SearchRequest")()
    QueryReader(query_fields(binding("Search"))).fill(search, pairs)
    return search


def test_names_of_json_and_of_proto_nested_and_repeated() -> None:
    search = fill(
        ("text", "red shoes"),
        ("range.startTime", "2026-01-01T00:00:00Z"),
        ("range.end_time", "2026-01-02T00:00:00Z"),
        ("sizes", "1"),
        ("sizes", "2"),
        ("maxAge", "60s"),
        ("sold", "false"),
        ("readMask", "a,b"),
        ("read_mask", "c.dE"),
        ("mood", "MOOD_CALM"),
        ("min_score", "0"),
    )
    assert search.text == "red shoes"
    assert search.range.start_time.seconds + 86_400 == search.range.end_time.seconds
    assert list(search.sizes) == [1, 2]
    assert search.max_age.seconds == 60
    assert search.HasField("sold")
    assert list(search.read_mask.paths) == ["a", "b", "c.d_e"]
    assert search.mood == 1
    assert search.HasField("min_score")


@pytest.mark.parametrize(
    ("pairs", "path", "text"),
    [
        ([("colour", "red")], "colour", "is not a parameter here; the parameters are text, range."),
        ([("range", "x")], "range", "is not a parameter here"),
        ([("range.middle", "x")], "range.middle", "is not a parameter here"),
        ([("text", "a"), ("text", "b")], "text", "is given more than once"),
        ([("maxAge", "1s"), ("max_age", "1s")], "max_age", "is given more than once"),
        ([("sizes", "1"), ("sizes", "x")], "sizes", "expected a whole number"),
        ([("title", "a"), ("number", "1")], "number", "cannot be given together with title"),
        ([("title", "a"), ("rights.held", "true")], "rights.held", "together with title"),
        ([("range.offsetMinutes", "1.5")], "range.offsetMinutes", "expected a whole number"),
    ],
)
def test_what_does_not_fit_is_named(pairs: list[tuple[str, str]], path: str, text: str) -> None:
    with pytest.raises(Mismatch) as caught:
        fill(*pairs)
    assert caught.value.path == path
    assert text in caught.value.description


def test_two_fields_of_one_member_of_a_oneof_go_together() -> None:
    search = fill(("rights.held", "true"), ("rights.notice", "mine"))
    assert search.rights.held
    assert search.rights.notice == "mine"


def test_path_and_body_leave_the_rest_to_the_query() -> None:
    assert [field.name for field in query_fields(binding("CreateShelf"))] == ["requestId"]
    assert [field.name for field in query_fields(binding("UpdateShelf"))] == ["updateMask"]
    assert query_fields(binding("MoveShelf")) == ()


def test_messages_that_hold_themselves_are_not_followed() -> None:
    names = [field.name for field in leaves(message("Shelf").DESCRIPTOR, ())]
    assert "rights.expireTime" in names
    assert not {"below", "below.name", "neighbours", "counts", "notes"} & set(names)
