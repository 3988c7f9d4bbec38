"""What surrounds the API: probes, metrics, document, pages."""

import httpx

from gateway.middleware import Access
from tests.contract.gateway.conftest import Health, error_of


async def test_liveness_and_readiness(client: httpx.AsyncClient, health: Health) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    health.ready, health.failures = False, {"catalog-db": "connection refused"}
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "failures": {"catalog-db": "connection refused"},
    }
    assert (await client.get("/healthz")).status_code == 200


async def test_metrics(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.text == "up 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=")


async def test_the_document_has_an_etag(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    again = await client.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_pages_and_routes_of_the_suite(client: httpx.AsyncClient) -> None:
    assert "/app.js" in (await client.get("/")).text
    assert "docs.js" in (await client.get("/docs")).text
    assert (await client.post("/extra", content=b"abc")).text == "3 bytes"


async def test_every_answer_has_an_id_and_forbids_sniffing(client: httpx.AsyncClient) -> None:
    for path in ("/", "/healthz", "/v1/nothing", "/extra"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert len(headers["x-request-id"]) == 32


async def test_every_request_is_observed_under_its_route(
    client: httpx.AsyncClient, seen: list[Access]
) -> None:
    await client.get("/healthz")
    await client.get("/v1/nothing/at/all")
    await client.get("/v1/shelves?bad=1")
    await client.post("/extra", content=b"fail")
    assert [(access.route, access.status) for access in seen] == [
        ("/healthz", 200),
        ("", 404),
        ("/v1/shelves", 400),
        ("/extra", 500),
    ]
    assert all(access.seconds > 0 and access.sent_bytes > 0 for access in seen)


async def test_a_trailing_slash_is_another_path(client: httpx.AsyncClient) -> None:
    assert error_of(await client.get("/healthz/"))["code"] == 404
