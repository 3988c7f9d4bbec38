"""Finding bindings by method and path."""

from functools import partial

import pytest

from gateway.router import NoRoute, Router
from gateway.routes import Binding, build_bindings
from gateway.template import parse
from tests.support.effort import calls_of
from tests.support.studio import bindings, scratch_service


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(bindings())


@pytest.mark.parametrize(
    ("method", "path", "rpc", "captures"),
    [
        ("GET", "/v1/shelves", "ListShelves", ()),
        ("GET", "/v1/shelves/7", "GetShelf", ("shelves/7",)),
        ("GET", "/v1/rooms/a/shelves/7", "GetShelf", ("rooms/a/shelves/7",)),
        ("PATCH", "/v1/shelves/7", "UpdateShelf", ("shelves/7",)),
        ("POST", "/v1/shelves/7:move", "MoveShelf", ("shelves/7",)),
        ("GET", "/v1/shelves/7:watch", "WatchShelf", ("shelves/7",)),
        ("GET", "/v1/shelves:search", "Search", ()),
        ("GET", "/v1/files/a/b%2Fc/d", "GetFile", ("a/b%2Fc/d",)),
        ("GET", "/v1/files", "GetFile", ("",)),
        ("GET", "/v1/files/a//b", "GetFile", ("a//b",)),
        ("PUT", "/v1/raw/x%20y/9", "PutFile", ("x%20y", "9")),
        # A colon is part of an id, unless what follows is a verb of that path.
        ("GET", "/v1/shelves/urn:7", "GetShelf", ("shelves/urn:7",)),
        ("GET", "/v1/shelves/7%3Awatch", "GetShelf", ("shelves/7%3Awatch",)),
        # Literals may be sent escaped.
        ("GET", "/v1/%73helves", "ListShelves", ()),
    ],
)
def test_match(router: Router, method: str, path: str, rpc: str, captures: tuple[str, ...]) -> None:
    match = router.match(method, path)
    assert (match.binding.rpc.name, match.captures) == (rpc, captures)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/shelves/7", {"GET", "PATCH", "DELETE"}),
        ("DELETE", "/v1/shelves/7:move", {"POST"}),
        ("GET", "/v1/shelves/7:move", {"POST"}),
        ("POST", "/v1/shelves", {"GET"}),
        ("GET", "/v1/nothing", set()),
        ("GET", "/v1/shelves/", set()),
        ("GET", "/v1/shelves/7/", set()),
        ("GET", "/v1//7", set()),
        ("GET", "/", set()),
        ("GET", "*", set()),
        ("OPTIONS", "/v1/shelves", {"GET"}),
    ],
)
def test_no_match_tells_the_methods_that_the_path_has(
    router: Router, method: str, path: str, allowed: set[str]
) -> None:
    with pytest.raises(NoRoute) as caught:
        router.match(method, path)
    assert caught.value.allowed == allowed


def test_a_dead_end_of_literals_does_not_hide_a_wildcard() -> None:
    source = """
    syntax = "proto3"; package deadend; import "google/api/annotations.proto";
    message In { string x = 1; string y = 2; }
    service Dead {
      rpc A(In) returns (In) { option (google.api.http) = { get: "/v1/a/{x}/end" }; }
      rpc B(In) returns (In) { option (google.api.http) = { get: "/v1/{x}/{y}" }; }
      rpc C(In) returns (In) { option (google.api.http) = { get: "/v1/{x}/b/other" }; }
    }
    """
    router = Router(build_bindings([scratch_service(source)]))
    assert router.match("GET", "/v1/a/b").binding.rpc.name == "B"
    assert router.match("GET", "/v1/a/b/end").binding.rpc.name == "A"
    assert router.match("GET", "/v1/a/b/other").binding.rpc.name == "C"


def test_a_match_among_a_thousand_routes_takes_as_much_as_one_alone() -> None:
    model = bindings()[0]
    effort = {}
    for count in (1, 1000):
        paths = [f"/v1/{{name=personas/*/things{number}/*}}" for number in range(count)]
        table = [Binding(model.rpc, "GET", parse(path), None, None) for path in paths]
        router = Router(table)
        path = f"/v1/personas/ana/things{count - 1}/0190a000-0000-7000-8000-000000000000"
        assert router.match("GET", path).binding is table[-1]
        effort[count] = calls_of(partial(router.match, "GET", path))
    assert 0 < effort[1000] == effort[1]
