"""The OpenAPI document of the small contract."""

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.openapi import ApiInfo, build_document
from gateway.openapi_paths import PathNames
from gateway.template import parse
from tests.support.studio import UPLOADS, bindings, studio_set


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path: Path = tmp_path_factory.mktemp("descriptors") / "set.binpb"
    path.write_bytes(studio_set().SerializeToString())
    return build_document(bindings(), ApiInfo("T", "1"), descriptor_set=path, uploads=UPLOADS)


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_it_is_valid_without_comments(tmp_path: Path) -> None:
    document = build_document(bindings(), ApiInfo("T", "1"), descriptor_set=tmp_path / "none")
    validate(document)
    assert "description" not in document["paths"]["/v1/shelves"]["get"]


def test_every_binding_is_an_operation(document: dict[str, Any]) -> None:
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(bindings())
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert {"ShelfService_GetShelf", "ShelfService_GetShelf_2"} <= set(ids)


def test_comments_are_descriptions(document: dict[str, Any]) -> None:
    get = document["paths"]["/v1/shelves/{shelve}"]["get"]
    assert get["summary"] == "Gets a shelf"
    assert get["description"] == "Gets a shelf. Then does nothing else."
    assert document["tags"] == [{"name": "ShelfService", "description": "Keeps shelves."}]
    shelf = document["components"]["schemas"]["gatewaytest.v1.Shelf"]
    assert shelf["description"] == "Holds books."
    assert shelf["properties"]["name"]["description"] == "The resource name."
    mood = document["components"]["schemas"]["gatewaytest.v1.Mood"]
    assert mood["enum"] == ["MOOD_UNSPECIFIED", "MOOD_CALM", "MOOD_WILD"]
    assert mood["x-enum-descriptions"]["MOOD_CALM"] == "Nothing moves."


def test_behaviours_and_types(document: dict[str, Any]) -> None:
    shelf = document["components"]["schemas"]["gatewaytest.v1.Shelf"]
    assert shelf["required"] == ["title"]
    properties = shelf["properties"]
    assert properties["createTime"] == {"type": "string", "format": "date-time", "readOnly": True}
    assert properties["weightGrams"] == {"type": "string", "format": "int64"}
    assert properties["below"] == {"$ref": "#/components/schemas/gatewaytest.v1.Shelf"}
    assert properties["counts"]["additionalProperties"] == {"type": "integer", "format": "int32"}
    everything = document["components"]["schemas"]["gatewaytest.v1.Everything"]["properties"]
    assert everything["stringBox"] == {"type": ["string", "null"]}
    assert everything["bytesValue"] == {"type": "string", "contentEncoding": "base64"}
    assert "odd name" in everything


def test_parameters_come_from_path_and_query(document: dict[str, Any]) -> None:
    search = document["paths"]["/v1/shelves:search"]["get"]["parameters"]
    by_name = {parameter["name"]: parameter for parameter in search}
    assert by_name["range.startTime"]["schema"] == {"type": "string", "format": "date-time"}
    assert by_name["sizes"]["schema"]["type"] == "array"
    move = document["paths"]["/v1/shelves/{shelve}:move"]["post"]
    assert [parameter["name"] for parameter in move["parameters"]] == ["shelve"]
    body = move["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"room", "mood"}


def test_streams_files_and_uploads_have_their_own_media_types(document: dict[str, Any]) -> None:
    watch = document["paths"]["/v1/shelves/{shelve}:watch"]["get"]["responses"]["200"]["content"]
    assert set(watch) == {"application/x-ndjson", "text/event-stream"}
    file = document["paths"]["/v1/files/{path}"]["get"]["responses"]["200"]["content"]
    assert set(file) == {"*/*"}
    upload = document["paths"]["/v1/shelves/{shelve}/pictures:upload"]["post"]
    content = upload["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "image/*", "application/octet-stream"}
    form = content["multipart/form-data"]["schema"]["properties"]
    assert set(form) == {"fileName", "tags", "validateOnly", "file"}
    assert {parameter["name"] for parameter in upload["parameters"]} == {
        "shelve",
        "fileName",
        "tags",
        "validateOnly",
    }


def test_a_response_body_is_the_answer(document: dict[str, Any]) -> None:
    answer = document["paths"]["/v1/tags/{mood}"]["get"]["responses"]["200"]["content"]
    assert answer["application/json"]["schema"] == {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("template", "path", "fields"),
    [
        ("/v1/{name=personas/*}", "/v1/personas/{persona}", ["name"]),
        ("/v1/{photo.name=personas/*/photos/*}:x", "/v1/personas/{persona}/photos/{photo}:x", None),
        ("/v1/{name=libraries/*}", "/v1/libraries/{library}", ["name"]),
        ("/v1/things/{thing_id}", "/v1/things/{thing_id}", ["thing_id"]),
        ("/v1/{path=**}", "/v1/{path}", ["path"]),
        ("/v1/*/{a=*}", "/v1/{v1}/{a}", ["", "a"]),
        ("/v1/{name=x/*/x/*}", "/v1/x/{x}/x/{x2}", ["name", "name"]),
    ],
)
def test_paths(template: str, path: str, fields: list[str] | None) -> None:
    found, parameters = PathNames().convert(parse(template))
    assert found == path
    if fields is not None:
        assert [parameter.field_path for parameter in parameters] == fields


def test_paths_of_one_shape_have_one_name() -> None:
    names = PathNames()
    assert names.convert(parse("/v1/things/{id}"))[0] == "/v1/things/{id}"
    assert names.convert(parse("/v1/things/{other}"))[0] == "/v1/things/{id}"
