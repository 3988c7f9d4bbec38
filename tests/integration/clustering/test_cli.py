"""``colonnade clusters`` against the service, as people type it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    add_ClusteringServiceServicer_to_server,
)
from typer.testing import CliRunner

from cli import output
from cli.main import app
from libs.clock import SystemClock
from libs.rpc.auth import Authenticator
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from libs.vectors.qdrant import QdrantIndex
from services.clustering.module import SERVICE
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import nobody

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Shell:
    """Types ``colonnade clusters …`` into a terminal of 80 columns."""

    address: str

    async def says(self, *words: str, code: int = 0) -> str:
        """What is printed for people, complaints included, without its line breaks."""
        text = await self._run(words, code)
        assert max(map(len, text.splitlines()), default=0) <= WIDTH, text
        return text.replace("\n", "")

    async def json(self, *words: str, code: int = 0) -> Any:
        """What is printed for programs."""
        return json.loads(await self._run([*words, "--json"], code))

    async def _run(self, words: Any, code: int) -> str:
        environment = {"COLONNADE_PEERS__CLUSTERING": self.address}
        ran = await asyncio.to_thread(
            CliRunner().invoke, app, ["clusters", *words], env=environment
        )
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        return ran.output


@pytest.fixture
async def shell(
    store: PostgresStore, index: QdrantIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    servicer = ClusteringServicer(
        store,
        index,
        MemoryQueue(),
        SystemClock(),
        PageTokens(b"secret"),
        is_stopping=lambda: False,
    )
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(SERVICE, add_ClusteringServiceServicer_to_server, servicer)
    address = f"unix:{tmp_path / 'clustering.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


async def test_from_the_first_cluster_to_the_last(shell: Shell, desk: Desk, worker: Worker) -> None:
    photos = await desk.arrive([*subject(0, 7), *subject(1, 6)])
    await run(worker, desk.scope)
    found, other = await shell.json("list", desk.scope)
    best = (await shell.json("create", desk.scope, "Best of [all]", "--summary", "Dinners"))["name"]
    assert "Best of [all] (curated)" in await shell.says("show", best)

    ids = [photo.rpartition("/")[2] for photo in photos]
    assert "added 3 of 3" in await shell.says("add", best, ids[0], ids[0], photos[1], ids[8])
    assert "removed 1 of 1" in await shell.says("remove", best, ids[1])
    shown = await shell.says("show", best)
    assert "2 members" in shown and "locked" in shown and ids[8] in shown
    assert f"hero {ids[8]}: pinned" in await shell.says("pin-hero", best, ids[8])
    assert f"hero {ids[0]}" in await shell.says("veto-hero", best, ids[8])
    assert "pinned" not in await shell.says("pin-hero", best)

    assert "Mine" in await shell.says("rename", found["name"], "Mine")
    assert "its first one" in await shell.says("assign", best, "food", "--primary")
    assert "food" in await shell.says("pillars", best)
    await shell.says("unassign", best, "food")

    split = await shell.json("split", found["name"], "Apart", ids[2])
    assert (split["title"], split["memberCount"]) == ("Apart", 1)
    merged = await shell.says("merge", best, other["name"])
    assert "7 members" in merged
    undo = merged.rpartition("clusters undo ")[2].replace(" ", "")
    assert "merge" in await shell.says("edits", desk.scope)
    assert "undone: merge" in await shell.says("undo", undo)
    assert (await shell.json("edits", desk.scope, "--limit", "1"))[0]["undoTime"]

    assert "curated, archived" in await shell.says("archive", best)
    assert "Best" not in await shell.says("list", desk.scope)
    assert "Best" in await shell.says("list", desk.scope, "--filter", "state = ARCHIVED")
    await shell.says("unarchive", best)
    await shell.says("remove", best, ids[0], ids[8])
    assert "deleted" in await shell.says("delete", best)


async def test_a_draft_is_described_and_taken_into_use(shell: Shell, desk: Desk) -> None:
    draft = (await shell.json("create", desk.scope, "Winter", "--draft"))["name"]
    said = await shell.says("update", draft, "--summary", "Snow", "--prompt", "a snowy lane")
    assert "Winter (curated, draft)" in said and "Snow" in said
    changed = await shell.json("update", draft, "--active", "--title", "Deep winter")
    assert (changed["title"], changed["state"]) == ("Deep winter", "STATE_ACTIVE")
    assert (changed["summary"], changed["promptHint"]) == ("Snow", "a snowy lane")
    cleared = await shell.json("update", draft, "--prompt", "")
    assert (cleared["promptHint"], cleared["summary"]) == ("", "Snow")
    assert "--active" in await shell.says("update", draft, code=2)


async def test_complaints_say_what_to_do(shell: Shell, desk: Desk, worker: Worker) -> None:
    (photo, *_) = await desk.arrive([*subject(0, 7), *subject(1, 6)])
    await run(worker, desk.scope)
    found = (await shell.json("list", desk.scope))[0]["name"]
    await shell.says("create", desk.scope, "x")
    assert "that of" in await shell.says("create", desk.scope, "X", code=1)
    assert "cluster.title" in await shell.says("create", desk.scope, " ", code=2)
    assert "archive it" in await shell.says("delete", found, code=1)
    gone = nobody(desk.scope).name
    assert "there is no cluster" in await shell.says("rename", gone, "Mine", code=1)
    assert "name" in await shell.says("archive", "best", code=2)
    said = await shell.says("add", found, photo, "nonsense", code=1)
    assert "added 1 of 2" in said and "is no item of this scope" in said
    results = await shell.json("add", found, photo, "nonsense", code=1)
    assert [result["status"].get("code", 0) for result in results] == [0, 5]
    assert "filter" in await shell.says("list", desk.scope, "--filter", "size = 3", code=2)
