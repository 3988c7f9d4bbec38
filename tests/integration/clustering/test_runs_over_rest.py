"""Asking for a run over REST, and looking at it until it has ended."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    add_ClusteringServiceServicer_to_server,
)

from gateway.app import build_app
from gateway.openapi import ApiInfo, build_document
from gateway.routes import build_bindings
from libs.ids import uuid7
from libs.rpc.auth import Authenticator, new_key
from libs.rpc.channels import open_channel
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from libs.vectors.qdrant import QdrantIndex
from services.clustering.module import SERVICE
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import subject

OPERATOR, OPERATORS_KEY = new_key("operator", ["clustering.read", "clustering.write"])
VIEWER, VIEWERS_KEY = new_key("viewer", ["clustering.read"])


@pytest.fixture
async def web(
    store: PostgresStore, index: QdrantIndex, queue: MemoryQueue, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """The service behind the gateway, which asks for keys."""
    tokens = PageTokens(b"secret")
    servicer = ClusteringServicer(store, index, queue, clock, tokens, is_stopping=lambda: False)
    server = RpcServer(Authenticator([OPERATORS_KEY, VIEWERS_KEY]), Metrics().rpc)
    server.add(SERVICE, add_ClusteringServiceServicer_to_server, servicer)
    address = f"unix:{tmp_path / 'clustering.sock'}"
    await server.start([address])
    bindings = build_bindings([SERVICE])
    channel = open_channel(address, [SERVICE])
    app = build_app(
        bindings=bindings,
        channels={SERVICE.full_name: channel},
        document=build_document(bindings, ApiInfo("T", "1")),
        ready=lambda: True,
    )
    transport = httpx.ASGITransport(app)
    headers = {"authorization": f"Bearer {OPERATOR}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://gateway", headers=headers
    ) as client:
        yield client
    await channel.close()
    await server.stop(0)


async def test_a_run_from_the_request_to_its_end(
    web: httpx.AsyncClient, desk: Desk, worker: Worker, queue: MemoryQueue
) -> None:
    await desk.arrive([*subject(0, 7), *subject(1, 6)])
    runs = f"/v1/{desk.scope}/clusteringRuns"
    body = {"mode": "MODE_REFIT", "params": {"minSize": 5}}
    asked = await web.post(runs, json=body, params={"requestId": uuid7()})
    assert asked.status_code == 200
    run = asked.json()
    assert (run["state"], run["trigger"]) == ("JOB_STATE_QUEUED", "TRIGGER_DEMAND")
    assert run["params"] == {"minSize": 5}

    refused = await web.post(runs, json={})
    error = refused.json()["error"]
    assert (refused.status_code, error["status"]) == (409, "ALREADY_EXISTS")
    info = next(d for d in error["details"] if d["@type"].endswith("ErrorInfo"))
    assert (info["reason"], info["metadata"]["run"]) == ("RUN_ACTIVE", run["name"])

    waiting = await web.get(f"/v1/{run['name']}")
    assert waiting.headers["retry-after"] == "2"
    await run_clustering_once(worker, run["name"].rpartition("/")[2])
    done = await web.get(f"/v1/{run['name']}")
    assert "retry-after" not in done.headers
    assert (done.json()["state"], done.json()["version"]) == ("JOB_STATE_SUCCEEDED", 1)
    page = await web.get(runs, params={"filter": 'state = "SUCCEEDED"'})
    assert [each["name"] for each in page.json()["clusteringRuns"]] == [run["name"]]
    assert (await web.post(runs, json={})).status_code == 200


async def test_what_is_wrong_with_a_request_is_told_by_field(
    web: httpx.AsyncClient, desk: Desk
) -> None:
    runs = f"/v1/{desk.scope}/clusteringRuns"
    for body, field in (
        ({"params": {"clusterCount": 3}}, "clustering_run.params.cluster_count"),
        ({"filter": {"sinceTime": "2099-01-01T00:00:00Z"}}, "clustering_run.filter.since_time"),
        ({"params": {"granularity": 2}}, "clustering_run.params.granularity"),
    ):
        answer = await web.post(runs, json=body)
        assert answer.status_code == 400
        (bad,) = [d for d in answer.json()["error"]["details"] if "fieldViolations" in d]
        assert [violation["field"] for violation in bad["fieldViolations"]] == [field]


async def test_who_may_ask_for_runs(web: httpx.AsyncClient, desk: Desk) -> None:
    runs = f"/v1/{desk.scope}/clusteringRuns"
    viewer = {"authorization": f"Bearer {VIEWER}"}
    assert (await web.post(runs, json={}, headers={"authorization": ""})).status_code == 401
    assert (await web.post(runs, json={}, headers=viewer)).status_code == 403
    assert (await web.get(runs, headers=viewer)).status_code == 200
