"""``colonnade clusters analyze``, ``heroes`` and ``of`` against the service, as typed by people."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from colonnade.clustering.v1.cluster_digest_pb2 import ClusterDigest
from colonnade.clustering.v1.insight_service_pb2_grpc import (
    add_InsightServiceServicer_to_server,
)
from typer.testing import CliRunner

from cli import cluster_insight, output
from cli.main import app
from libs.rpc.auth import Authenticator
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.module import INSIGHT
from services.clustering.servicers.insight import InsightServicer
from services.clustering.usecases.insight import Looker
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster
from tests.support.clustering.studio import nobody

WIDTH = 80
Shell = Callable[..., Awaitable[str]]


@pytest.fixture
async def shell(
    store, index, blobs, pool, clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    looker = Looker(store, IndexVectors(index), BlobSnapshots(blobs), pool, clock, Params())
    servicer = InsightServicer(looker)
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(INSIGHT, add_InsightServiceServicer_to_server, servicer)
    address = f"unix:{tmp_path / 'clustering.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)

    async def run(*words: str, code: int = 0) -> str:
        environment = {"COLONNADE_PEERS__CLUSTERING": address}
        command = ["clusters", *words]
        ran = await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        assert "--json" in words or max(map(len, ran.output.splitlines())) <= WIDTH
        return ran.output

    yield run
    await server.stop(0)


async def test_people_and_programs_see_what_was_found(shell: Shell, desk, studio) -> None:
    for number in range(2, 10):
        other = await studio.create(f"[Other] {number}")
        await studio.add(other, *await desk.arrive(subject(number, 4)))
    mixed = await studio.create("Mixed")
    items = await desk.arrive([*subject(0, 8, within=0.8), *subject(1, 5, within=0.8)])
    await studio.add(mixed, *items)
    told = await shell("analyze", mixed.name)
    assert "loose: cohesion" in told
    assert "could be split: 5 items" in told
    assert items[9].rpartition("/")[2] in told
    assert "[Other] " in told
    found: Any = json.loads(await shell("analyze", mixed.name, "--json"))
    assert set(found["split"]["items"]) == set(items[8:])

    told = await shell("heroes", mixed.name, "--limit", "3")
    assert told.count("recency") == 3
    assert "  1. " in told and "  4. " not in told
    chosen = json.loads(await shell("heroes", mixed.name, "--json"))
    assert len(chosen["heroes"]) == 5
    assert "not found" in await shell("analyze", nobody(desk.scope).name, code=1)


async def test_people_and_programs_see_where_an_item_belongs(
    shell: Shell, desk, worker, studio
) -> None:
    photos = await desk.arrive([*subject(0, 10), *subject(1, 10), *subject(2, 10)])
    await cluster(worker, desk.scope)
    told = await shell("of", photos[0], "--limit", "2")
    assert told.count("(10 members)") == 2
    assert told.count("is here") == 1
    assert "no cluster" in told
    found: Any = json.loads(await shell("of", photos[0], "--json"))
    assert found["clusters"][0]["cluster"] == found["cluster"]
    made = await studio.create("By hand")
    await studio.add(made, photos[0])
    assert "where a person put it" in await shell("of", photos[0])
    assert "not found" in await shell("of", f"{desk.scope}/photos/{made.name[-36:]}", code=1)


def test_a_digest_is_shown_with_its_issue(capsys: pytest.CaptureFixture[str]) -> None:
    digest = ClusterDigest(
        state=ClusterDigest.STATE_OK,
        source=ClusterDigest.SOURCE_TEMPLATE,
        summary="5 texts about [login].",
        issue_title="Login fails",
        issue_body="- one\n- two",
        repository="acme/web",
    )
    cluster_insight.show_digest(digest)
    told = capsys.readouterr().out
    assert "5 texts about [login]. (template, ok)" in told
    assert "issue in acme/web: Login fails" in told
    assert "- two" in told
