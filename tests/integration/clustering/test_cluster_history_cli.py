"""``colonnade clusters history``, ``diff``, ``restore``, ``pin``, ``lock``, ``sheet`` and
``backfill`` against the services, as people type them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    add_ClusteringServiceServicer_to_server,
)
from colonnade.clustering.v1.version_service_pb2_grpc import (
    add_ClusterVersionServiceServicer_to_server,
)
from PIL import Image
from typer.testing import CliRunner

from cli import output
from cli.backfill_plan import BackfillPlan
from cli.cluster_backfill import ask_for_all
from cli.connection import Suite, Target, connect
from cli.main import app
from libs.rpc.auth import Authenticator
from libs.rpc.contracts import SERVICES
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from libs.vectors.qdrant import QdrantIndex
from services.clustering.module import SERVICE, VERSIONS
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.servicers.versions import VersionServicer
from services.clustering.usecases.attempt import Worker
from services.clustering.usecases.run_once import run_clustering_once
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.photos import new_scope, subject
from tests.support.clustering.runs import ask
from tests.support.clustering.runs import cluster as run

WIDTH = 80
THREE = [*subject(0, 9), *subject(1, 8), *subject(2, 7)]


@dataclass(frozen=True, slots=True)
class Shell:
    """Types ``colonnade clusters …`` into a terminal of 80 columns."""

    address: str

    async def says(self, *words: str, code: int = 0) -> str:
        """What is printed for people, complaints included, without its line breaks."""
        text = await self._run(words, code)
        assert max(map(len, text.splitlines()), default=0) <= WIDTH, text
        return text.replace("\n", "")

    async def json(self, *words: str) -> Any:
        """What is printed for programs."""
        return json.loads(await self._run([*words, "--json"], 0))

    async def _run(self, words: Any, code: int) -> str:
        environment = {"COLONNADE_ADDRESS": self.address}
        command = ["clusters", *words]
        ran = await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        return ran.output


@pytest.fixture
async def shell(
    store: PostgresStore,
    index: QdrantIndex,
    queue: MemoryQueue,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Shell]:
    tokens = PageTokens(b"secret")
    server = RpcServer(Authenticator(), Metrics().rpc)
    servicer = ClusteringServicer(
        store, index, queue, clock, tokens, is_stopping=lambda: False, heartbeat=0.1
    )
    server.add(SERVICE, add_ClusteringServiceServicer_to_server, servicer)
    history = VersionServicer(store, clock, tokens)
    server.add(VERSIONS, add_ClusterVersionServiceServicer_to_server, history)
    address = f"unix:{tmp_path / 'suite.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


@pytest.fixture
async def suite(shell: Shell) -> AsyncIterator[Suite]:
    async with connect(Target(dict.fromkeys(SERVICES, shell.address), "")) as suite:
        yield suite


async def test_the_history_is_seen_compared_and_gone_back_in(
    shell: Shell, desk: Desk, worker: Worker
) -> None:
    await desk.arrive(THREE)
    await run(worker, desk.scope)
    one, other, _ = await shell.json("list", desk.scope)
    await shell.says("rename", one["name"], "Mornings [at sea]")
    await shell.says("merge", one["name"], other["name"])

    told = await shell.says("history", desk.scope)
    assert "3 new" in told and "1 merged" in told and "edit" in told
    assert [v["version"] for v in await shell.json("history", desk.scope)] == [3, 2, 1]
    assert [v["version"] for v in await shell.json("history", desk.scope, "--limit", "1")] == [3]

    told = await shell.says("diff", desk.scope, "3")
    assert "From version 2 to version 3: 1 merged" in told
    assert f"{other['title']} into Mornings [at sea]" in told
    assert "no cluster came or went" in await shell.says("diff", desk.scope, "2")
    assert (await shell.json("diff", desk.scope, "3", "--base", "1"))["movedCount"] == 8

    then = await shell.json("list", desk.scope, "--version", "1")
    assert {c["title"] for c in then} >= {one["title"], other["title"]}
    assert "this is version 4" in await shell.says("restore", desk.scope, "1")
    now = await shell.json("list", desk.scope)
    assert {(c["name"], c["title"]) for c in now} == {(c["name"], c["title"]) for c in then}

    assert "kept for good" in await shell.says("pin", desk.scope, "2")
    assert "edit, kept" in await shell.says("history", desk.scope)
    assert "when its time comes" in await shell.says("unpin", desk.scope, "2")
    assert not (await shell.json("unpin", desk.scope, "2"))["pinned"]
    assert "there is no cluster version" in await shell.says("diff", desk.scope, "99", code=1)


async def test_members_are_locked_and_unlocked(shell: Shell, desk: Desk, worker: Worker) -> None:
    photos = await desk.arrive(THREE)
    await run(worker, desk.scope)
    members = {}
    for found in await shell.json("list", desk.scope):
        members[found["name"]] = [m["item"] for m in (await shell.json("show", found["name"]))[1:]]
    name, items = next((name, items) for name, items in members.items() if photos[0] in items)
    short = photos[0].rpartition("/")[2]
    assert "locked 1 of 1" in await shell.says("lock", name, short)
    assert "locked" in await shell.says("show", name)
    assert "unlocked 1 of 1" in await shell.says("unlock", name, short, photos[0])
    assert "locked" not in await shell.says("show", name)
    assert "locked 1 of 2" in await shell.says("lock", name, items[1], "nonsense", code=1)
    results = await shell.json("unlock", name, items[1])
    assert results[0]["item"] == items[1]


async def test_scopes_are_listed(shell: Shell, desk: Desk, worker: Worker) -> None:
    await desk.arrive(THREE)
    assert desk.scope in await shell.says("scopes")
    await run(worker, desk.scope)
    (scope,) = await shell.json("scopes")
    assert (scope["itemCount"], scope["clusterCount"], scope["version"]) == (24, 3, 1)


async def test_a_sheet_shows_every_cluster(
    shell: Shell, desk: Desk, worker: Worker, tmp_path: Path
) -> None:
    await desk.arrive(THREE)
    await run(worker, desk.scope)
    file = tmp_path / "sheet.jpg"
    assert "3 clusters are in" in await shell.says("sheet", desk.scope, str(file))
    with Image.open(file) as drawn:
        assert drawn.format == "JPEG"
        assert drawn.height == 3 * 200 + 10
    assert len(await shell.json("sheet", desk.scope, str(file), "--limit", "2")) == 2
    said = await shell.says("sheet", "projects/lumen", str(file), code=2)
    assert "texts have no pictures" in said
    assert "file" in await shell.says("sheet", desk.scope, str(tmp_path / "sheet.doc"), code=2)


async def _runs(suite: Suite, scope: str) -> list[str]:
    request = api.ListClusteringRunsRequest(parent=scope)
    return [
        run.name for run in (await suite.clustering.ListClusteringRuns(request)).clustering_runs
    ]


class Stopped(Exception):
    """Somebody pressed Ctrl-C, or the process was killed."""


async def test_a_backfill_stopped_half_way_gives_each_scope_one_run(
    suite: Suite, tmp_path: Path
) -> None:
    scopes = [new_scope() for _ in range(10)]
    file = tmp_path / "backfill.json"
    started = BackfillPlan.of(scopes)
    pauses = 0

    async def stop_half_way() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == len(scopes) // 2:
            raise Stopped

    with pytest.raises(Stopped):
        await ask_for_all(suite, started, lambda plan: plan.write(file), stop_half_way)
    halfway = BackfillPlan.read(file)
    assert halfway is not None and len(halfway.runs) == 5

    def die_before_the_next_is_noted(plan: BackfillPlan) -> None:
        if len(plan.runs) > 5:
            raise Stopped

    with pytest.raises(Stopped):
        await ask_for_all(suite, halfway, die_before_the_next_is_noted, _at_once)
    assert [len(await _runs(suite, scope)) for scope in scopes] == [1] * 6 + [0] * 4

    resumed = BackfillPlan.read(file)
    assert resumed is not None and resumed.left() == scopes[5:]
    await ask_for_all(suite, resumed, lambda plan: plan.write(file), _at_once)
    assert [await _runs(suite, scope) for scope in scopes] == [[resumed.runs[s]] for s in scopes]
    assert resumed.left() == []


async def test_a_scope_that_is_being_grouped_comes_last(
    suite: Suite, store: PostgresStore, desk: Desk, worker: Worker
) -> None:
    other = new_scope()
    await desk.arrive(THREE)
    active = await ask(store, desk.scope)
    plan = BackfillPlan.of([desk.scope, other])
    others_are_done = asyncio.Event()

    def save(plan: BackfillPlan) -> None:
        if other in plan.runs:
            others_are_done.set()

    backfill = asyncio.create_task(ask_for_all(suite, plan, save, _at_once))
    await asyncio.wait_for(others_are_done.wait(), 60)
    await run_clustering_once(worker, active.id)
    await asyncio.wait_for(backfill, 60)
    assert list(plan.runs) == [other, desk.scope]
    found = await _runs(suite, desk.scope)
    assert len(found) == 2 and plan.runs[desk.scope] == found[0]


async def test_a_scope_that_fails_is_listed_and_the_others_go_on(
    shell: Shell, desk: Desk, tmp_path: Path
) -> None:
    await desk.arrive(THREE)
    file = str(tmp_path / "backfill.json")
    rest = ["--rate", "100000", "--checkpoint", file]
    said = await shell.says("backfill", "Not-A-Scope", desk.scope, *rest, code=1)
    assert "1 of 2 scopes have a run" in said and "Not-A-Scope" in said and file in said
    assert "--resume" in await shell.says("backfill", "--all", *rest, code=2)
    assert "Not-A-Scope" in await shell.says("backfill", "--resume", *rest, code=1)
    await asyncio.to_thread(os.remove, file)
    assert "nothing to resume" in await shell.says("backfill", "--resume", *rest, code=2)
    assert "--all" in await shell.says("backfill", *rest, code=2)
    other = tmp_path / "other.json"
    await asyncio.to_thread(other.write_text, "[]")
    rest[-1] = str(other)
    assert "is not the file of a backfill" in await shell.says("backfill", "x", *rest, code=2)


async def test_all_scopes_are_those_that_have_items(
    shell: Shell, suite: Suite, desk: Desk, tmp_path: Path
) -> None:
    await desk.arrive(THREE)
    file = str(tmp_path / "backfill.json")
    done = await shell.json("backfill", "--all", "--rate", "100000", "--checkpoint", file)
    assert done["scopes"] == [desk.scope]
    (name,) = await _runs(suite, desk.scope)
    assert name == done["runs"][desk.scope]
    run = await suite.clustering.GetClusteringRun(api.GetClusteringRunRequest(name=name))
    assert run.trigger == ClusteringRun.TRIGGER_BACKFILL


async def _at_once() -> None:
    """No pause."""
