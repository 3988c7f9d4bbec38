"""Unary calls through the whole gateway, to a real gRPC server."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest
from google.api import httpbody_pb2
from google.protobuf import empty_pb2
from starlette.applications import Starlette

from gateway.app import build_app
from gateway.middleware import Access
from gateway.routes import RouteError
from libs import errors
from tests.contract.gateway.conftest import LIMITS, error_of
from tests.support.http import listening
from tests.support.shelves import Shelves
from tests.support.studio import bindings, message
from tests.support.wait import eventually


async def test_get(client: httpx.AsyncClient, shelves: Shelves, seen: list[Access]) -> None:
    shelves.answers["GetShelf"] = message("Shelf")(name="shelves/1", title="T", mood=1)
    answer = await client.get("/v1/shelves/1?readMask=title")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "name": "shelves/1",
        "title": "T",
        "mood": "MOOD_CALM",
        "size": 0,
        "weightGrams": "0",
        "tags": [],
        "counts": {},
        "etag": "",
        "neighbours": [],
    }
    request = shelves.calls[0].request
    assert (request.name, list(request.read_mask.paths)) == ("shelves/1", ["title"])
    access = seen[0]
    assert (access.method, access.route, access.status) == ("GET", "/v1/{name=shelves/*}", 200)
    assert access.sent_bytes == len(answer.content)


async def test_create(client: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["CreateShelf"] = message("Shelf")(name="rooms/a/shelves/1")
    body = {"title": "T", "rights": {"expireTime": "2026-01-01T00:00:00Z"}}
    answer = await client.post("/v1/rooms/a/shelves?requestId=r", json=body)
    assert answer.json()["name"] == "rooms/a/shelves/1"
    request = shelves.calls[0].request
    assert (request.parent, request.request_id, request.shelf.title) == ("rooms/a", "r", "T")


async def test_patch_with_inferred_mask_and_if_match(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["UpdateShelf"] = message("Shelf")()
    headers = {"if-match": '"e1"'}
    answer = await client.patch("/v1/shelves/1", json={"title": ""}, headers=headers)
    assert answer.status_code == 200
    request = shelves.calls[0].request
    assert list(request.update_mask.paths) == ["title"]
    assert request.shelf.etag == "e1"


async def test_a_field_of_the_response_may_be_the_answer(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["ListTags"] = message("ListTagsResponse")(tags=["a", "b"], total=2)
    assert (await client.get("/v1/tags/MOOD_WILD")).json() == ["a", "b"]


async def test_raw_bodies_both_ways(client: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["GetFile"] = httpbody_pb2.HttpBody(content_type="image/png", data=b"\x89\x00")
    shelves.answers["PutFile"] = empty_pb2.Empty()
    answer = await client.get("/v1/files/a/b.png")
    assert (answer.content, answer.headers["content-type"]) == (b"\x89\x00", "image/png")
    headers = {"content-type": "image/png"}
    answer = await client.put("/v1/raw/x/1", content=b"\x01\x02", headers=headers)
    assert answer.json() == {}
    assert shelves.calls[1].request.content.data == b"\x01\x02"


async def test_etags_save_the_body(client: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["GetShelf"] = message("Shelf")(etag="e1")
    answer = await client.get("/v1/shelves/1")
    assert answer.headers["etag"] == '"e1"'
    again = await client.get("/v1/shelves/1", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get("/v1/shelves/1", headers={"if-none-match": '"e0"'})
    assert other.status_code == 200


async def test_head_is_get_without_the_body(app: Starlette, shelves: Shelves) -> None:
    shelves.answers["GetShelf"] = message("Shelf")(etag="e1")
    async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        answer = await client.head("/v1/shelves/1")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", '"e1"')


async def test_errors_of_the_service_arrive_whole(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["GetShelf"] = errors.NotFound("shelf", "shelves/1", reason="SHELF_NOT_FOUND")
    error = error_of(await client.get("/v1/shelves/1"))
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["message"] == "there is no shelf named shelves/1"
    assert error["details"][0]["reason"] == "SHELF_NOT_FOUND"
    assert error["details"][1]["resourceName"] == "shelves/1"


async def test_retry_and_authentication_headers(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    shelves.answers["GetShelf"] = errors.OutOfQuota("slow down", retry_after=7)
    answer = await client.get("/v1/shelves/1")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    shelves.answers["GetShelf"] = errors.Unauthenticated("no key")
    answer = await client.get("/v1/shelves/1")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        401,
        'Bearer realm="colonnade"',
    )


@pytest.mark.parametrize(
    ("method", "path", "options", "code", "text"),
    [
        ("GET", "/v1/nothing", {}, 404, "there is nothing at /v1/nothing"),
        ("PUT", "/v1/shelves/1", {}, 405, "it takes DELETE, GET, PATCH"),
        ("GET", "/v1/shelves?page_size=many", {}, 400, "page_size: expected a whole number"),
        ("GET", "/v1/shelves?colour=red", {}, 400, "the parameters are pageSize, pageToken, moods"),
        ("GET", "/v1/shelves/%ff", {}, 400, "name: holds an escape that is not UTF-8"),
        (
            "POST",
            "/v1/shelves/1:move",
            {"content": b"{", "headers": {"content-type": "application/json"}},
            400,
            "is not JSON at line 1, column 2",
        ),
        ("POST", "/v1/shelves/1:move", {"content": b"{}"}, 415, "send application/json"),
        ("POST", "/v1/shelves/1:move", {"data": {"a": "b"}}, 415, "send application/json"),
        ("POST", "/v1/shelves/1:move", {"content": b" " * 100_001}, 413, "100000 bytes"),
        ("GET", "/v1/shelves", {"headers": {"grpc-timeout": "soon"}}, 400, "grpc-timeout"),
        ("GET", "/extra", {}, 405, "it takes POST"),
        ("POST", "/extra", {"content": b"x" * 100_001}, 413, "100000 bytes"),
        ("POST", "/extra", {"content": b"fail"}, 500, "something went wrong here"),
    ],
)
async def test_errors_of_the_gateway_have_the_same_shape(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    options: dict[str, Any],
    code: int,
    text: str,
) -> None:
    answer = await client.request(method, path, **options)
    error = error_of(answer)
    assert error["code"] == code
    assert text in error["message"]
    assert ("allow" in answer.headers) is (code == 405)


async def test_a_body_that_grows_past_the_limit_is_refused_without_a_length(
    client: httpx.AsyncClient, shelves: Shelves
) -> None:
    async def growing() -> Any:
        for _ in range(11):
            yield b" " * 10_000

    answer = await client.post("/v1/shelves/1:move", content=growing())
    assert error_of(answer)["code"] == 413
    assert shelves.calls == []


async def test_a_body_that_says_that_it_is_too_long_is_refused_by_its_word(
    client: httpx.AsyncClient,
) -> None:
    headers = {"content-length": "100001"}
    answer = await client.post("/v1/shelves/1:move", content=b"{}", headers=headers)
    assert error_of(answer)["code"] == 413


async def test_metadata_and_request_ids(client: httpx.AsyncClient, shelves: Shelves) -> None:
    shelves.answers["GetShelf"] = message("Shelf")()
    headers = {"authorization": "Bearer k", "cookie": "c", "x-request-id": "mine-1"}
    answer = await client.get("/v1/shelves/1", headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    metadata = shelves.calls[0].metadata
    assert (metadata["authorization"], metadata["x-request-id"]) == ("Bearer k", "mine-1")
    assert "cookie" not in metadata
    answer = await client.get("/v1/shelves/1", headers={"x-request-id": "not harmless\\"})
    assert answer.headers["x-request-id"] == shelves.calls[1].metadata["x-request-id"]
    assert len(answer.headers["x-request-id"]) == 32


async def test_deadlines(client: httpx.AsyncClient, shelves: Shelves) -> None:
    async def slow(request: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    shelves.answers["ListShelves"] = message("ListShelvesResponse")()
    await client.get("/v1/shelves")
    await client.get("/v1/shelves", headers={"grpc-timeout": "1H"})
    default, most = (call.seconds for call in shelves.calls)
    # Some of it is gone when the service looks, and none of it was added.
    assert 0 < default < LIMITS.default_timeout + 1
    assert LIMITS.default_timeout + 1 < most < LIMITS.max_timeout + 1
    shelves.answers["ListShelves"] = slow
    answer = await client.get("/v1/shelves", headers={"grpc-timeout": "100m"})
    assert error_of(answer)["status"] == "DEADLINE_EXCEEDED"


async def test_a_client_that_leaves_cancels_the_call(
    app: Starlette, shelves: Shelves, seen: list[Access]
) -> None:
    async def forever(request: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    async def was_cancelled() -> bool:
        return shelves.cancelled == ["GetShelf"]

    async def was_called() -> bool:
        return bool(shelves.calls)

    shelves.answers["GetShelf"] = forever
    async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        asking = asyncio.create_task(client.get("/v1/shelves/1"))
        await eventually(was_called)
        asking.cancel()
        await eventually(was_cancelled)
    assert [access.status for access in seen] == [499]


async def test_many_at_once(client: httpx.AsyncClient, shelves: Shelves) -> None:
    async def echo(request: Any, context: Any) -> Any:
        await asyncio.sleep(0.01)
        return message("Shelf")(name=request.name)

    shelves.answers["GetShelf"] = echo
    answers = await asyncio.gather(*(client.get(f"/v1/shelves/{n}") for n in range(50)))
    assert [answer.json()["name"] for answer in answers] == [f"shelves/{n}" for n in range(50)]


async def test_a_service_that_cannot_be_reached_is_unavailable(
    client: httpx.AsyncClient, app: Starlette
) -> None:
    nowhere = grpc.aio.insecure_channel("unix:/nowhere/at-all.sock")
    async with nowhere:
        lonely = build_app(
            bindings=[each for each in bindings() if each.rpc.name == "GetShelf"],
            channels={bindings()[0].rpc.service: nowhere},
            document={},
            ready=lambda: True,
        )
        transport = httpx.ASGITransport(lonely)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as lost:
            answer = await lost.get("/v1/shelves/1")
    error = error_of(answer)
    assert (error["code"], answer.headers["retry-after"]) == (503, "1")
    assert "nowhere" not in answer.text


def test_a_service_without_a_channel_is_refused_at_start() -> None:
    with pytest.raises(RouteError, match=r"there is no channel to gatewaytest\.v1\.ShelfService"):
        build_app(bindings=bindings(), channels={}, document={}, ready=lambda: True)
