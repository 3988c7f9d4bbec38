"""HTTP requests to messages."""

from typing import Any

import pytest
from starlette.datastructures import Headers

from gateway.decoder import JsonDecoder
from gateway.errors import UnsupportedMediaType
from gateway.request import RequestParser
from libs.errors import InvalidArgument
from tests.support.studio import binding


def parse(
    name: str,
    *captures: str,
    query: bytes = b"",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Any:
    parser = RequestParser(binding(name), JsonDecoder())
    return parser.parse(
        captures, query, Headers({"content-type": "application/json"} | (headers or {})), body
    )


def refusal(name: str, *captures: str, **options: Any) -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as caught:
        parse(name, *captures, **options)
    violation = caught.value.violations[0]
    assert caught.value.message == f"{violation.field}: {violation.description}"
    return violation.field, violation.description


def test_path_query_and_body_together() -> None:
    request = parse("CreateShelf", "rooms/a%20b", query=b"requestId=7", body=b'{"title": "T"}')
    assert request.parent == "rooms/a b"
    assert request.request_id == "7"
    assert request.shelf.title == "T"


def test_variables_are_of_the_type_of_their_field() -> None:
    assert parse("ListTags", "MOOD_WILD").mood == 2
    put = parse("PutFile", "a%2Fb", "12", body=b"\x00\xff", headers={"content-type": "image/png"})
    assert (put.id, put.number) == ("a/b", 12)
    assert (put.content.content_type, put.content.data) == ("image/png", b"\x00\xff")
    assert refusal("PutFile", "a", "x")[0] == "number"
    assert refusal("PutFile", "%ff", "1") == ("id", "holds an escape that is not UTF-8")


@pytest.mark.parametrize("body", [b"", b"{}", b"  {}\n"])
def test_methods_without_a_body_take_an_empty_one(body: bytes) -> None:
    assert parse("DeleteShelf", "shelves/1", body=body).name == "shelves/1"


def test_methods_without_a_body_refuse_one() -> None:
    assert refusal("DeleteShelf", "shelves/1", body=b'{"etag": "x"}') == (
        "body",
        "this method takes no body; send parameters in the query",
    )


def test_a_whole_body_takes_no_query() -> None:
    assert parse("MoveShelf", "shelves/1", body=b'{"room": "r"}').room == "r"
    field, text = refusal("MoveShelf", "shelves/1", query=b"room=r")
    assert (field, text) == ("room", "is not a parameter here; the parameters are none")


def test_the_body_may_repeat_the_path_but_not_contradict_it() -> None:
    same = b'{"name": "shelves/1", "title": "T"}'
    assert parse("UpdateShelf", "shelves/1", body=same).shelf.name == "shelves/1"
    assert refusal("UpdateShelf", "shelves/2", body=same) == (
        "shelf.name",
        "is 'shelves/1' in the body but 'shelves/2' in the path",
    )


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b'{"title": ""}', ["title"]),
        (b'{"title": null, "size": 0}', ["title", "size"]),
        (b'{"weight_grams": 1, "rights": {"expireTime": null, "held": true}}', None),
        (b'{"rights": {}}', ["rights"]),
        (
            b'{"tags": [], "counts": {"a": 1}, "notes": {"x": {"y": 1}}}',
            ["tags", "counts", "notes"],
        ),
        (b'{"name": "shelves/1", "etag": "e", "title": "T"}', ["title"]),
        (b'{"below": {"below": {"title": "deep"}}}', ["below.below.title"]),
        (b'{"createTime": "2026-01-01T00:00:00Z"}', ["create_time"]),
    ],
)
def test_a_patch_without_a_mask_changes_what_its_json_names(
    body: bytes, paths: list[str] | None
) -> None:
    request = parse("UpdateShelf", "shelves/1", body=body)
    expected = paths or ["weight_grams", "rights.expire_time", "rights.held"]
    assert list(request.update_mask.paths) == expected


@pytest.mark.parametrize("query", [b"updateMask=size", b"update_mask=size"])
def test_a_mask_that_is_given_stays(query: bytes) -> None:
    request = parse("UpdateShelf", "shelves/1", query=query, body=b'{"title": "T"}')
    assert list(request.update_mask.paths) == ["size"]


def test_a_patch_that_names_nothing_has_no_mask() -> None:
    for body in (b"", b"{}", b'{"etag": "x"}'):
        assert not parse("UpdateShelf", "shelves/1", body=body).HasField("update_mask")


def test_if_match_fills_the_etag_of_the_request_or_of_its_resource() -> None:
    headers = {"if-match": '"abc"'}
    assert parse("DeleteShelf", "shelves/1", headers=headers).etag == "abc"
    updated = parse("UpdateShelf", "shelves/1", headers=headers, body=b'{"etag": "old"}')
    assert updated.shelf.etag == "abc"
    assert parse("DeleteShelf", "shelves/1", headers={"if-match": "*"}).etag == ""


@pytest.mark.parametrize("header", ['"a", "b"', "abc", '"', ""])
def test_if_match_must_be_one_etag(header: str) -> None:
    field, text = refusal("DeleteShelf", "shelves/1", headers={"if-match": header})
    assert field == "If-Match"
    assert text.startswith("expected one etag in quotes")


def test_a_condition_that_cannot_be_kept_is_refused() -> None:
    refused = refusal("MoveShelf", "shelves/1", headers={"if-match": '"a"'})
    assert refused == ("If-Match", "there is no etag to compare with here")
    assert parse("GetShelf", "shelves/1", headers={"if-match": '"a"'}).name == "shelves/1"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json"]
)
def test_json_by_any_of_its_names(kind: str) -> None:
    request = parse("MoveShelf", "shelves/1", body=b'{"room":"r"}', headers={"content-type": kind})
    assert request.room == "r"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "content-type is application/x-www",
        ),
        ({"content-type": "text/plain"}, "send application/json"),
        ({"content-encoding": "gzip"}, "encoded as gzip"),
    ],
)
def test_other_kinds_of_bodies_are_refused(headers: dict[str, str], text: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        parse("MoveShelf", "shelves/1", body=b"room=r", headers=headers)
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"room": }', "line 1, column 10"),
        (b'{\n  "room": "r",\n}', "line 2, column 14"),
        (b"\xff", "line 1"),
        (b'{"room": NaN}', "line 1, column 10"),
        (b'{"room": "\\ud800"}', "line 1"),
        (b"[" * 5000, "line 1"),
    ],
)
def test_malformed_json_is_refused_with_its_place(body: bytes, place: str) -> None:
    field, text = refusal("MoveShelf", "shelves/1", body=body)
    assert field == "body"
    assert text.startswith("is not JSON at")
    assert place in text


def test_fields_are_named_as_they_were_sent() -> None:
    assert refusal("UpdateShelf", "shelves/1", body=b'{"weight_grams": "x"}')[0] == (
        "shelf.weight_grams"
    )
    assert refusal("UpdateShelf", "shelves/1", body=b"[]")[0] == "shelf"
    assert refusal("MoveShelf", "shelves/1", body=b"[]")[0] == "body"


@pytest.mark.parametrize("query", [b"text=%ff", b"%ff=1", b"text=\xff"])
def test_a_query_that_is_not_utf_8_is_refused(query: bytes) -> None:
    assert refusal("Search", query=query) == (
        "query",
        "the query holds an escape that is not UTF-8",
    )


def test_a_query_has_a_limit_of_parameters() -> None:
    assert parse("Search", query=b"&".join([b"sizes=1"] * 1000)).sizes == [1] * 1000
    assert refusal("Search", query=b"&".join([b"sizes=1"] * 1001))[0] == "query"


def test_plus_is_a_space_in_a_query_but_not_in_a_path() -> None:
    assert parse("Search", query=b"text=a+b").text == "a b"
    assert parse("GetShelf", "shelves/a+b").name == "shelves/a+b"
