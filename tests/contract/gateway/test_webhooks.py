"""Webhooks over HTTP, with an item service behind them that notes what it is asked."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.item_service_pb2_grpc import (
    ItemServiceServicer,
    ItemServiceStub,
    add_ItemServiceServicer_to_server,
)
from pydantic import SecretStr

from gateway.app import build_app
from gateway.openapi import ApiInfo, build_document
from gateway.webhooks.routes import Webhooks, webhook_routes
from libs.errors import InvalidArgument, Unavailable
from libs.rpc.status import to_status
from tests.contract.gateway.conftest import error_of
from tests.support.clock import FakeClock
from tests.support.rpc import serve
from tests.support.studio import bindings
from tests.support.webhooks import bytes_of, payload_of

SERVICE = api.DESCRIPTOR.services_by_name["ItemService"]
SECRETS = {
    "github": "for all projects",
    "acme/github": "for acme and no other",
    "sentry": "of sentry, as agreed",
    "desk": "of the desk, as agreed",
}
LIMIT = 20_000


class Items(ItemServiceServicer):
    """Says that everything is new, but for what has no title."""

    def __init__(self) -> None:
        self.requests: list[api.BatchCreateItemsRequest] = []
        self.down = False

    async def BatchCreateItems(
        self, request: api.BatchCreateItemsRequest, context: Any
    ) -> api.BatchCreateItemsResponse:
        if self.down:
            raise Unavailable("the database restarts", retry_after=7)
        self.requests.append(request)
        return api.BatchCreateItemsResponse(
            results=[
                api.ItemResult(
                    item=f"{request.parent}/items/{number}", outcome=api.ITEM_OUTCOME_CREATED
                )
                if item.title
                else api.ItemResult(
                    status=to_status(InvalidArgument.of(f"items[{number}].title", "is missing"))
                )
                for number, item in enumerate(request.items)
            ]
        )


@pytest.fixture
def items() -> Items:
    return Items()  # type: ignore[abstract]


@pytest.fixture
async def client(items: Items) -> AsyncIterator[httpx.AsyncClient]:
    register = add_ItemServiceServicer_to_server
    async with serve(items, SERVICE, register, ItemServiceStub) as stub:
        secrets = {name: SecretStr(text) for name, text in SECRETS.items()}
        app = build_app(
            bindings=(),
            channels={},
            document=build_document(bindings(), ApiInfo("T", "1")),
            ready=lambda: True,
            extra_routes=webhook_routes(Webhooks(stub, secrets, FakeClock(), LIMIT)),
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


def hex_of(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def from_github(
    name: str, event: str, secret: str = SECRETS["acme/github"], delivery: str = "d-1"
) -> dict[str, Any]:
    body = bytes_of(name)
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": f"sha256={hex_of(secret, body)}",
    }
    return {"content": body, "headers": headers}


def from_desk(payload: Any, **headers: str) -> dict[str, Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = f"sha256={hex_of(SECRETS['desk'], body)}"
    return {
        "content": body,
        "headers": {"content-type": "application/json", "x-signature-256": signature, **headers},
    }


async def test_an_issue_of_github_becomes_an_item(client: httpx.AsyncClient, items: Items) -> None:
    sent = from_github("github_issues_opened", "issues")
    answer = await client.post("/v1/projects/acme/webhooks/github", **sent)
    assert answer.status_code == 200
    assert answer.json() == {"results": [{"item": "projects/acme/items/0", "outcome": "CREATED"}]}
    (request,) = items.requests
    assert request.parent == "projects/acme"
    assert [item.external_id for item in request.items] == ["issue:2718281828"]


async def test_a_delivery_that_comes_again_has_the_same_request_id(
    client: httpx.AsyncClient, items: Items
) -> None:
    for project, delivery in (("acme", "d-1"), ("acme", "d-1"), ("acme", "d-2"), ("other", "d-1")):
        secret = SECRETS.get(f"{project}/github", SECRETS["github"])
        sent = from_github("github_issues_opened", "issues", secret, delivery)
        answer = await client.post(f"/v1/projects/{project}/webhooks/github", **sent)
        assert answer.status_code == 200
    first, again, second, other = (request.request_id for request in items.requests)
    assert first == again
    assert len({first, second, other}) == 3


async def test_a_project_with_a_secret_of_its_own_takes_no_other(
    client: httpx.AsyncClient, items: Items
) -> None:
    sent = from_github("github_issues_opened", "issues", SECRETS["github"])
    answer = await client.post("/v1/projects/acme/webhooks/github", **sent)
    error = error_of(answer)
    assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
    assert error["details"][0]["reason"] == "WEBHOOK_SIGNATURE"
    assert items.requests == []
    assert not any(secret in answer.text for secret in SECRETS.values())


async def test_a_project_falls_back_to_no_other_secret_than_its_own() -> None:
    secrets = {"acme/github": SecretStr(""), "github": SecretStr(SECRETS["github"])}
    webhooks = Webhooks(None, secrets, FakeClock(), LIMIT)  # type: ignore[arg-type]
    app = build_app(
        bindings=(),
        channels={},
        document=build_document(bindings(), ApiInfo("T", "1")),
        ready=lambda: True,
        extra_routes=webhook_routes(webhooks),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        sent = from_github("github_ping", "ping", SECRETS["github"])
        answer = await client.post("/v1/projects/acme/webhooks/github", **sent)
    assert answer.status_code == 401


async def test_a_ping_is_answered_and_brings_nothing(
    client: httpx.AsyncClient, items: Items
) -> None:
    sent = from_github("github_ping", "ping")
    answer = await client.post("/v1/projects/acme/webhooks/github", **sent)
    assert (answer.status_code, answer.json()) == (200, {"results": []})
    unsigned = from_github("github_ping", "ping", "wrong")
    answer = await client.post("/v1/projects/acme/webhooks/github", **unsigned)
    assert answer.status_code == 401
    assert items.requests == []


async def test_sentry(client: httpx.AsyncClient, items: Items) -> None:
    body = bytes_of("sentry_issue_created")
    headers = {
        "content-type": "application/json; charset=utf-8",
        "sentry-hook-resource": "issue",
        "sentry-hook-signature": hex_of(SECRETS["sentry"], body),
        "request-id": "4f0c",
    }
    answer = await client.post("/v1/projects/acme/webhooks/sentry", content=body, headers=headers)
    assert answer.status_code == 200
    assert [item.external_id for item in items.requests[0].items] == ["issue:1170820242"]


async def test_any_source_with_a_secret_takes_the_plain_shape(
    client: httpx.AsyncClient, items: Items
) -> None:
    sent = from_desk(payload_of("plain_items"))
    answer = await client.post("/v1/projects/acme/webhooks/desk", **sent)
    assert [result["outcome"] for result in answer.json()["results"]] == ["CREATED", "CREATED"]
    (request,) = items.requests
    assert {item.source for item in request.items} == {"desk"}
    assert request.request_id == ""


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/acme/webhooks/unheard-of",
        "/v1/projects/acme/webhooks/reddit",
        "/v1/projects/Not-A-Project/webhooks/desk",
    ],
)
async def test_a_source_without_a_secret_is_not_there(client: httpx.AsyncClient, path: str) -> None:
    error = error_of(await client.post(path, **from_desk({"title": "T"})))
    assert (error["code"], error["details"][0]["reason"]) == (404, "WEBHOOK_UNKNOWN")


async def test_another_method(client: httpx.AsyncClient) -> None:
    assert error_of(await client.get("/v1/projects/acme/webhooks/desk"))["code"] == 405


@pytest.mark.parametrize(
    ("payload", "field"),
    [(b"{", "body"), ({"titel": "T"}, "titel"), ({"title": ""}, "items[0].title")],
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, payload: Any, field: str) -> None:
    error = error_of(await client.post("/v1/projects/acme/webhooks/desk", **from_desk(payload)))
    assert error["code"] == 400
    violations = [v for d in error["details"] for v in d.get("fieldViolations", ())]
    assert [violation["field"] for violation in violations] == [field]


@pytest.mark.parametrize("timestamp", ["9" * 400, "9" * 5000, "-1", "1e9", ""])
async def test_impossible_times_of_a_signature_are_refused(
    client: httpx.AsyncClient, timestamp: str
) -> None:
    headers = {
        "content-type": "application/json",
        "webhook-id": "m",
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1,x",
    }
    answer = await client.post("/v1/projects/acme/webhooks/desk", content=b"{}", headers=headers)
    assert error_of(answer)["details"][0]["reason"] == "WEBHOOK_SIGNATURE"


@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", True, 1e308]
)
async def test_impossible_times_of_an_item_are_named(
    client: httpx.AsyncClient, time: object
) -> None:
    sent = from_desk({"title": "T", "source_time": time})
    error = error_of(await client.post("/v1/projects/acme/webhooks/desk", **sent))
    violations = [v for d in error["details"] for v in d.get("fieldViolations", ())]
    assert (error["code"], [v["field"] for v in violations]) == (400, ["source_time"])


async def test_the_character_that_no_database_keeps_is_left_out(
    client: httpx.AsyncClient, items: Items
) -> None:
    sent = from_desk(
        {
            "title": "T\0",
            "body": "a\0b",
            "external_id": "1\0",
            "url": "https://a.example/\0",
            "repository": "a\0/b",
            "metadata": {"k\0": "v\0"},
        }
    )
    answer = await client.post("/v1/projects/acme/webhooks/desk", **sent)
    assert answer.json()["results"][0]["outcome"] == "CREATED"
    (item,) = items.requests[0].items
    assert (item.title, item.body, item.external_id) == ("T", "ab", "1")
    assert (item.url, item.repository) == ("https://a.example/", "a/b")
    assert dict(item.metadata) == {"k": "v"}


async def test_one_refused_item_does_not_stop_the_others(client: httpx.AsyncClient) -> None:
    sent = from_desk({"items": [{"title": "T"}, {"body": ""}]})
    answer = await client.post("/v1/projects/acme/webhooks/desk", **sent)
    assert answer.status_code == 200
    assert answer.json()["results"] == [
        {"item": "projects/acme/items/0", "outcome": "CREATED"},
        {"error": "items[1].title: is missing"},
    ]


async def test_a_payload_over_the_limit(client: httpx.AsyncClient, items: Items) -> None:
    sent = from_desk({"title": "T", "body": "x" * LIMIT})
    error = error_of(await client.post("/v1/projects/acme/webhooks/desk", **sent))
    assert (error["code"], error["details"][0]["reason"]) == (413, "BODY_TOO_LARGE")
    assert items.requests == []


async def test_another_kind_of_body(client: httpx.AsyncClient) -> None:
    sent = from_desk(b"payload=%7B%7D", **{"content-type": "application/x-www-form-urlencoded"})
    error = error_of(await client.post("/v1/projects/acme/webhooks/desk", **sent))
    assert error["code"] == 415


async def test_an_outage_is_told_so_that_the_sender_comes_again(
    client: httpx.AsyncClient, items: Items
) -> None:
    items.down = True
    sent = from_desk({"title": "T"})
    answer = await client.post("/v1/projects/acme/webhooks/desk", **sent)
    assert (error_of(answer)["code"], answer.headers["retry-after"]) == (503, "7")
