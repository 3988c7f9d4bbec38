"""The binding table, and the contracts that are refused."""

import pytest

from gateway.routes import RouteError, build_bindings
from tests.support.studio import UPLOADS, bindings, scratch_service, service

_HEAD = """
syntax = "proto3";
package scratch;
import "google/api/annotations.proto";
message Inner { string id = 1; }
message In {
  string name = 1;
  Inner inner = 2;
  repeated string tags = 3;
  map<string, string> m = 4;
}
message Out { string name = 1; }
service Scratch { %s }
"""


def contract(*methods: str) -> str:
    return _HEAD % "\n".join(methods)


def rpc(rule: str, name: str = "Do", request: str = "In", response: str = "Out") -> str:
    return (
        f"rpc {name}({request}) returns ({response}) {{ option (google.api.http) = {{ {rule} }}; }}"
    )


def test_every_rule_and_every_additional_one_is_a_binding_in_order() -> None:
    routes = [binding.route for binding in bindings()]
    assert routes[:3] == [
        "GET /v1/{name=shelves/*}",
        "GET /v1/{name=rooms/*/shelves/*}",
        "GET /v1/shelves",
    ]
    assert len(routes) == len(set(routes)) == 14
    assert all(binding.rpc.name != "Hidden" for binding in bindings())


def test_a_binding_knows_its_method_and_its_bodies() -> None:
    by_name = {binding.rpc.name: binding for binding in bindings()}
    create = by_name["CreateShelf"]
    assert create.rpc.path == "/gatewaytest.v1.ShelfService/CreateShelf"
    assert create.body.name == "shelf"
    assert by_name["MoveShelf"].body == "*"
    assert by_name["GetShelf"].body is None
    assert by_name["ListTags"].response_body.name == "tags"
    assert by_name["WatchShelf"].rpc.server_streaming
    assert by_name["UploadPicture"].rpc.client_streaming


@pytest.mark.parametrize(
    ("methods", "problem"),
    [
        ([rpc('get: "/v1/{nome=a/*}"')], "scratch.In has no field 'nome'"),
        ([rpc('get: "/v1/{inner.nome}"')], "scratch.In has no field 'inner.nome'"),
        ([rpc('get: "/v1/{name.id}"')], "scratch.In has no field 'name.id'"),
        ([rpc('get: "/v1/{inner}"')], "inner in '/v1/{inner}' must be a single scalar"),
        ([rpc('get: "/v1/{tags}"')], "tags in '/v1/{tags}' must be a single scalar"),
        ([rpc('get: "/v1/{m}"')], "m in '/v1/{m}' must be a single scalar"),
        ([rpc('get: "/v1/{name"')], "expected '}' at character 9"),
        ([rpc('post: "/v1/a" body: "inmer"')], "body: scratch.In has no field 'inmer'"),
        ([rpc('get: "/v1/a" body: "*"')], "GET carries no body; remove body: '*'"),
        ([rpc('delete: "/v1/a" body: "inner"')], "DELETE carries no body"),
        ([rpc('get: "/v1/a" response_body: "x"')], "response_body: scratch.Out has no field 'x'"),
        (
            [rpc('get: "/v1/a/{name}"', "A"), rpc('get: "/v1/{name=a/*}"', "B")],
            "scratch.Scratch.B: GET /v1/{name=a/*} and GET /v1/a/{name} of scratch.Scratch.A can",
        ),
        (
            [rpc('get: "/v1/a" additional_bindings: { get: "/v1/a" }')],
            "can match the same path",
        ),
        (
            [rpc('get: "/v1/a" additional_bindings { additional_bindings { get: "/v1/c" } }')],
            "additional_bindings cannot be nested",
        ),
        ([rpc('post: "/v1/a"', request="stream In", response="stream Out")], "streams both ways"),
        ([rpc('post: "/v1/a"', request="stream In")], "declare an upload adapter"),
    ],
)
def test_what_cannot_be_served_is_refused(methods: list[str], problem: str) -> None:
    with pytest.raises(RouteError) as caught:
        build_bindings([scratch_service(contract(*methods))])
    assert problem in str(caught.value)
    assert "scratch.Scratch." in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    methods = [rpc('get: "/v1/{x}"', "A"), rpc('get: "/v1/{y}"', "B")]
    with pytest.raises(RouteError) as caught:
        build_bindings([scratch_service(contract(*methods))])
    assert len(str(caught.value).splitlines()) == 2


def test_the_same_path_with_other_methods_or_verbs_is_fine() -> None:
    methods = [
        rpc('get: "/v1/{name=a/*}"', "A"),
        rpc('delete: "/v1/{name=a/*}"', "B"),
        rpc('get: "/v1/{name=a/*}:x"', "C"),
        rpc('custom: { kind: "head" path: "/v1/{name=a/*}" }', "D"),
    ]
    found = build_bindings([scratch_service(contract(*methods))])
    assert [binding.http_method for binding in found] == ["GET", "DELETE", "GET", "HEAD"]


def test_an_upload_needs_its_adapter_to_be_named() -> None:
    assert len(build_bindings([service()], uploads=UPLOADS)) == 14
    with pytest.raises(RouteError, match="UploadPicture: streams requests"):
        build_bindings([service()])
