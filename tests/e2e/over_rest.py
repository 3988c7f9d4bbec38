"""Steps that read over REST what was made over gRPC, and compare."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
from colonnade.catalog.v1.photo_pb2 import Photo
from openapi_spec_validator import OpenAPIV31SpecValidator

from cli.output import as_dict
from tests.support.wait import eventually


async def lists_give_every_photo_once(web: httpx.AsyncClient, photos: Sequence[Photo]) -> None:
    parent = photos[0].name.rpartition("/photos/")[0]
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        query = {"pageSize": "25", "pageToken": token}
        page = (await web.get(f"/v1/{parent}/photos", params=query)).json()
        assert len(page["photos"]) <= 25
        found += page["photos"]
        token = page["nextPageToken"]
        if not token:
            break
    assert [photo["name"] for photo in found] == [photo.name for photo in photos]
    assert {p["name"]: p["sha256"] for p in found} == {p.name: p.sha256 for p in photos}


async def a_photo_is_the_same_message(web: httpx.AsyncClient, photo: Photo) -> None:
    answer = await web.get(f"/v1/{photo.name}")
    assert answer.json() == as_dict(photo)
    again = await web.get(f"/v1/{photo.name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def its_bytes_are_served_whole_and_in_parts(web: httpx.AsyncClient, photo: Photo) -> None:
    whole = await web.get(photo.content_uri)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == photo.mime_type
    assert hashlib.sha256(whole.content).hexdigest() == photo.sha256
    head = await web.head(photo.content_uri)
    assert head.headers["content-length"] == str(photo.size_bytes) == str(len(whole.content))
    assert head.headers["accept-ranges"] == "bytes"
    part = await web.get(photo.content_uri, headers={"range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{photo.size_bytes}"
    tail = await web.get(photo.content_uri, headers={"range": "bytes=-7"})
    assert tail.content == whole.content[-7:]
    behind = await web.get(photo.content_uri, headers={"range": f"bytes={photo.size_bytes}-"})
    assert behind.status_code == 416
    known = await web.get(photo.content_uri, headers={"if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    small = await web.get(photo.thumbnail_uri)
    assert small.headers["content-type"] == "image/jpeg"
    assert small.content.startswith(b"\xff\xd8")


async def a_run_can_be_watched_as_events_and_as_lines(web: httpx.AsyncClient, run: str) -> None:
    address = f"/v1/{run}:watch"
    async with web.stream("GET", address, headers={"accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) async for line in _data_lines(stream)]
    assert events[-1]["clusteringRun"]["state"] == "JOB_STATE_SUCCEEDED"
    lines = (await web.get(address)).text.splitlines()
    assert json.loads(lines[-1])["result"]["clusteringRun"]["name"] == run


async def _data_lines(stream: httpx.Response) -> AsyncIterator[str]:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            yield line


async def errors_have_one_shape(web: httpx.AsyncClient, persona: str) -> None:
    body = {"displayName": "Sea", "weight": 10, "wait": 3}
    asked = (
        (await web.get("/v1/personas/nobody"), 404, "NOT_FOUND", "NOT_FOUND"),
        (await web.get("/v1/nothing-here"), 404, "NOT_FOUND", "ROUTE_NOT_FOUND"),
        (await web.post(f"/v1/{persona}/pillars", json=body), 400, "INVALID_ARGUMENT", ""),
        (await web.get("/v1/personas?pageSize=-1"), 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        (await web.get("/v1/personas?page=3"), 400, "INVALID_ARGUMENT", ""),
        (await web.put(f"/v1/{persona}", json={}), 405, "INVALID_ARGUMENT", "METHOD_NOT_ALLOWED"),
    )
    for answer, code, status, reason in asked:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["status"]) == (code, code, status)
        assert error["message"]
        info = next(d for d in error["details"] if d["@type"].endswith("google.rpc.ErrorInfo"))
        assert info["domain"] == "colonnade"
        assert info["reason"] == reason or not reason


async def the_document_is_valid_and_complete(web: httpx.AsyncClient) -> None:
    document = (await web.get("/openapi.json")).json()
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert "/v1/personas/{persona}/photos/{photo}" in document["paths"]
    assert len(document["paths"]) > 20


async def pages_and_health_are_served(web: httpx.AsyncClient) -> None:
    for address in ("/", "/docs"):
        assert (await web.get(address)).headers["content-type"].startswith("text/html")
    assert (await web.get("/healthz")).status_code == 200

    async def ready() -> bool:
        return bool((await web.get("/readyz")).json() == {"status": "ready"})

    # A probe that a busy machine held up counts until the next one.
    await eventually(ready, within=300)
    assert "colonnade_ready" in (await web.get("/metrics")).text
